//! What the old process of a hand-over tells the new one, and hears from it.

use std::{io, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    handle::{
        ServerHandle,
        status::{End, Phase},
    },
    handover::{
        connection::Connection,
        format::{Message, Refusal},
        leaving::{Order, Told, connect},
        listener::Listener,
    },
};

/// How long the new process may take for its last message, and for reading ours.
const LAST: Duration = Duration::from_secs(5);
/// The pause after a failure to accept a connection, such as a lack of descriptors.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How many peers one message names.
const PEERS: usize = 256;

/// How a talk with a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talked {
    /// All workers have ended.
    Ended,
    /// The other process has ended before, or is about to.
    Lost,
}

/// The talk of a server with the process that takes over, and with the next one if that ends.
pub(super) struct Talk<'a> {
    handle: &'a ServerHandle,
    generation: u64,
    orders: Vec<mpsc::Sender<Order>>,
    told: mpsc::UnboundedReceiver<(u32, Told)>,
    /// Whether each worker has no conversation any more.
    empty: Vec<bool>,
    /// Whether each worker has told the process of this talk, and not an earlier one, which peers are in conversation.
    current: Vec<bool>,
    /// What is to be sent, and how much of it was sent.
    out: Vec<u8>,
    sent: usize,
    /// Datagrams for the next process, as messages.
    orphans: Vec<u8>,
    /// The connection with the process that has taken over. It is closed when no conversation exists any more.
    connection: Option<Connection>,
    /// How long to wait for another process if the one of this talk ends.
    until: Instant,
    done: bool,
}

impl<'a> Talk<'a> {
    /// Connects the workers. They hand over once they are asked to.
    pub(super) fn begin(handle: &'a ServerHandle, generation: u64, until: Instant) -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let sockets = handle.sockets();
        let link = |(n, socket): (usize, &std::sync::Arc<crate::socket::SocketState>)| {
            let (orders, end) = connect(n as u32, sender.clone());
            socket.hand_over.set_link(end);
            orders
        };
        let orders: Vec<_> = sockets.iter().enumerate().map(link).collect();
        handle.status.succession.set_tells(true);
        Self {
            handle,
            generation,
            empty: vec![false; orders.len()],
            current: vec![true; orders.len()],
            orders,
            told,
            out: Vec::new(),
            sent: 0,
            orphans: Vec::new(),
            connection: None,
            until,
            done: false,
        }
    }

    /// Talks with a process until the workers have ended, or the process has. `is_first` says that the workers tell by
    /// themselves which peers are in conversation.
    pub(super) async fn with(
        &mut self,
        mut connection: Connection,
        listener: &Listener,
        is_first: bool,
    ) -> Talked {
        self.out = std::mem::take(&mut self.orphans);
        self.sent = 0;
        self.handle.status.succession.set_handed_over(true);
        if !is_first {
            self.empty.fill(false);
            self.current.fill(false);
            for orders in &self.orders {
                let _ = orders.send(Order::Tell).await;
            }
        }
        let talked = tokio::select! {
            biased;
            talked = self.talk(&mut connection) => talked,
            never = refuse(listener) => match never {},
        };
        let talked = talked.unwrap_or(Talked::Lost);
        self.connection = (talked == Talked::Ended).then_some(connection);
        if talked == Talked::Lost {
            self.keep_unsent();
            self.handle.status.succession.set_handed_over(false);
        }
        talked
    }

    async fn talk(&mut self, connection: &mut Connection) -> io::Result<Talked> {
        let stream = std::sync::Arc::clone(&connection.stream);
        // When the other process has to know that all conversations have ended.
        let mut last: Option<Instant> = None;
        loop {
            if last.is_none() && self.empty.iter().all(|empty| *empty) {
                last = Some(Instant::now() + LAST);
                Message::Finished.write(&mut self.out);
            }
            let (handle, out) = (self.handle, &self.out[self.sent..]);
            tokio::select! {
                biased;
                sent = stream.send_some(out, None), if !out.is_empty() => {
                    self.sent += sent?;
                    if self.sent == self.out.len() {
                        self.out.clear();
                        self.sent = 0;
                    }
                }
                told = self.told.recv() => match told {
                    Some((socket, told)) => self.write(socket, told),
                    None => {
                        let _ = timeout(LAST, stream.send(&self.out[self.sent..], None)).await;
                        return Ok(Talked::Ended);
                    }
                },
                message = connection.next() => match message? {
                    Message::Datagram { socket, datagram } => {
                        if let Some(orders) = self.orders.get(socket as usize) {
                            let _ = orders.send(Order::Take(datagram)).await;
                        }
                    }
                    Message::Bye => self.finish().await,
                    Message::Leaving => return Ok(Talked::Lost),
                    _ => return Err(io::ErrorKind::InvalidData.into()),
                },
                () = has_stopped(handle), if !self.done => self.forget_links(),
                () = sleep_until(last.unwrap_or_else(Instant::now)), if last.is_some() && !self.done => {
                    self.finish().await;
                }
            }
        }
    }

    /// Waits for the next process, also without a conversation, because the sockets and what came back are for it.
    pub(super) async fn until_ended(
        &mut self,
        next: impl Future<Output = Connection>,
    ) -> Option<Connection> {
        let mut next = std::pin::pin!(next);
        loop {
            let (handle, until) = (self.handle, self.until);
            tokio::select! {
                biased;
                told = self.told.recv() => {
                    let (socket, told) = told?;
                    self.write_orphans(socket, told);
                }
                () = has_stopped(handle), if !self.done => self.forget_links(),
                connection = next.as_mut(), if !self.done => return Some(connection),
                () = sleep_until(until), if !self.done => self.finish().await,
            }
        }
    }

    /// Keeps the datagrams that were not sent, or not as a whole, for the next process.
    fn keep_unsent(&mut self) {
        let mut end = 0;
        while let Ok(Some((message, len))) = Message::read(&self.out[end..]) {
            end += len;
            if end > self.sent && matches!(message, Message::Returned { .. }) {
                message.write(&mut self.orphans);
            }
        }
        self.out.clear();
        self.sent = 0;
    }

    /// The workers may end.
    async fn finish(&mut self) {
        self.done = true;
        for orders in &self.orders {
            let _ = orders.send(Order::Finish).await;
        }
    }

    /// Serving has ended in another way. Workers that have not taken their links never will.
    fn forget_links(&mut self) {
        self.done = true;
        for socket in self.handle.sockets() {
            drop(socket.hand_over.take_link());
        }
    }

    fn write(&mut self, socket: u32, told: Told) {
        let at = socket as usize;
        self.current[at] |= matches!(told, Told::Again(_));
        if !self.current[at] {
            return write_rest(&mut self.out, socket, told);
        }
        let out = &mut self.out;
        match told {
            Told::InConversation(peers) | Told::Again(peers) => {
                for peers in peers.chunks(PEERS) {
                    let peers = peers.to_vec();
                    Message::InConversation { socket, peers }.write(out);
                }
                Message::Stopped { socket }.write(out);
            }
            Told::Ended { peer, taken, rest } => {
                let returned = rest.len() as u64;
                Message::Ended { socket, peer, taken, returned }.write(out);
                for datagram in rest {
                    Message::Returned { socket, datagram }.write(out);
                }
            }
            Told::Returned(datagram) => Message::Returned { socket, datagram }.write(out),
            Told::Empty => self.empty[at] = true,
        }
    }

    /// Keeps what was not received for the next process.
    fn write_orphans(&mut self, socket: u32, told: Told) {
        self.empty[socket as usize] |= matches!(told, Told::Empty);
        write_rest(&mut self.orphans, socket, told);
    }

    /// Closes the connection when no conversation exists any more.
    pub(super) async fn end(mut self) {
        // If the future of `serve` was dropped, the runtime drops conversations later.
        self.told.close();
        self.orders.clear();
        self.handle.status.guards.gone(self.generation).await;
        self.connection = None;
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        self.handle.status.ask(self.generation, End::Now);
        self.handle.status.succession.set_tells(false);
    }
}

/// Refuses all processes that want to take over, since one does already.
pub(super) async fn refuse(listener: &Listener) -> std::convert::Infallible {
    loop {
        let refused = async {
            let connection = Connection::new(listener.accept().await?)?;
            connection.send(&Message::Refused(Refusal::Busy), None).await
        };
        if refused.await.is_err() {
            sleep(PAUSE).await;
        }
    }
}

/// Writes the datagrams that were not received.
fn write_rest(out: &mut Vec<u8>, socket: u32, told: Told) {
    let rest = match told {
        Told::Ended { rest, .. } => rest,
        Told::Returned(datagram) => vec![datagram],
        Told::InConversation(_) | Told::Again(_) | Told::Empty => return,
    };
    for datagram in rest {
        Message::Returned { socket, datagram }.write(out);
    }
}

/// Waits until no worker runs any more.
async fn has_stopped(handle: &ServerHandle) {
    let mut state = handle.status.watch();
    let stopped = |phase| matches!(phase, Phase::Stopping | Phase::Idle | Phase::Gone);
    let _ = state.wait_for(|state| stopped(state.phase)).await;
}
