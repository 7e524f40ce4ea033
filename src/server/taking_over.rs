//! Takes the peers of another process over, one after the other, as their conversations end there.

use std::{io, sync::Arc};

use tokio::task::AbortHandle;

use super::endpoint::Server;
use crate::{
    handover::{
        connection::Connection,
        format::Message,
        intake::{Intake, Predecessor},
        succession::Succession,
    },
    lock::locked,
};

/// Takes over from another process until this is dropped. Then this process serves all peers.
pub(super) struct TakingOver {
    predecessor: Predecessor,
    /// The message that is being sent.
    current: Option<Message>,
    succession: Arc<Succession>,
}

impl TakingOver {
    /// Tells the process before this one that the server serves, and takes over in a task of its own. The server must have
    /// workers.
    pub(super) fn begin(server: &Server) -> Option<AbortHandle> {
        let predecessor = locked(&server.predecessor).take()?;
        let succession = Arc::clone(&server.status.succession);
        let mut this = Self { predecessor, current: None, succession };
        let task = tokio::spawn(async move {
            // An error means that the other process has ended, or must not be heard any more.
            let _ = this.run().await;
        });
        Some(task.abort_handle())
    }

    async fn run(&mut self) -> io::Result<()> {
        let Self { predecessor, current, .. } = self;
        let Predecessor { connection, outgoing, messages, intakes, .. } = predecessor;
        let stream = Arc::clone(&connection.stream);
        outgoing.send(Message::Serving);
        let send = async {
            let mut bytes = Vec::new();
            while let Some(message) = messages.recv().await {
                message.write(&mut bytes);
                let message = current.insert(message);
                stream.send(&bytes, None).await?;
                outgoing.left(message);
                *current = None;
                bytes.clear();
            }
            Ok(())
        };
        tokio::select! {
            sent = send => sent,
            heard = hear(connection, intakes, || outgoing.send(Message::Bye)) => heard,
        }
    }
}

async fn hear(
    connection: &mut Connection,
    intakes: &[Arc<Intake>],
    bye: impl Fn(),
) -> io::Result<()> {
    let intake = |socket: u32| intakes.get(socket as usize).ok_or(io::ErrorKind::InvalidData);
    loop {
        match connection.next().await? {
            Message::InConversation { socket, peers } => intake(socket)?.add(peers),
            Message::Stopped { socket } => intake(socket)?.begin(),
            Message::Ended { socket, peer, taken, returned } => {
                intake(socket)?.ended(&peer, taken, returned);
            }
            Message::Returned { socket, datagram } => intake(socket)?.returned(datagram),
            Message::Finished => bye(),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Drop for TakingOver {
    fn drop(&mut self) {
        let Predecessor { intakes, messages, .. } = &mut self.predecessor;
        Intake::gone(intakes, self.current.take(), messages);
        self.succession.set_alone();
    }
}
