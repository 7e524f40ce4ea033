//! Takes the peers of another process over, one after the other, as their conversations end there.

use std::{io, sync::Arc};

use super::{bind::Predecessor, endpoint::Server};
use crate::handover::{format::Message, intake::Intake, succession::Succession};

/// Takes over from another process until this is dropped. Then this process serves all peers.
pub(super) struct TakingOver {
    intakes: Vec<Arc<Intake>>,
    succession: Arc<Succession>,
}

impl TakingOver {
    /// Tells the process before this one that the server serves, and takes over as a task of its own. The server must have
    /// workers.
    pub(super) fn begin(server: &Server) -> Option<tokio::task::AbortHandle> {
        let predecessor = crate::lock::locked(&server.predecessor).take()?;
        let succession = Arc::clone(&server.status.succession);
        let this = Self { intakes: predecessor.intakes.clone(), succession };
        Some(tokio::spawn(async move { drop(this.run(predecessor).await) }).abort_handle())
    }

    async fn run(self, predecessor: Predecessor) -> io::Result<()> {
        let Predecessor { mut connection, outgoing, mut messages, .. } = predecessor;
        let stream = Arc::clone(&connection.stream);
        outgoing.send(Message::Serving);
        let send = async {
            let mut bytes = Vec::new();
            while let Some(message) = messages.recv().await {
                message.write(&mut bytes);
                stream.send(&bytes, None).await?;
                bytes.clear();
                outgoing.left(&message);
            }
            Ok(())
        };
        let receive = async {
            loop {
                let message = connection.next().await?;
                self.hear(message, || outgoing.send(Message::Bye))?;
            }
        };
        tokio::select! {
            sent = send => sent,
            received = receive => received,
        }
    }

    fn hear(&self, message: Message, bye: impl FnOnce()) -> io::Result<()> {
        let intake =
            |socket: u32| self.intakes.get(socket as usize).ok_or(io::ErrorKind::InvalidData);
        match message {
            Message::InConversation { socket, peers } => intake(socket)?.add(peers),
            Message::Stopped { socket } => intake(socket)?.begin(),
            Message::Ended { socket, peer, taken, returned } => {
                intake(socket)?.ended(&peer, taken, returned);
            }
            Message::Returned { socket, datagram } => intake(socket)?.returned(datagram),
            Message::Finished => bye(),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(())
    }
}

impl Drop for TakingOver {
    fn drop(&mut self) {
        self.intakes.iter().for_each(|intake| intake.gone());
        self.succession.set_alone();
    }
}
