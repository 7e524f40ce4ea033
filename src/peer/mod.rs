//! The other side of a conversation: receiving from it, and sending to it.

mod failure;
mod leftover;
mod protocol;
mod put_back;
mod quiet_end;
mod recv;
mod send;
mod sender;
mod several;

use std::{
    borrow::Borrow,
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Weak},
};

use leftover::Leftover;
pub(crate) use protocol::Protocol;
use quiet_end::QuietEnd;
use send::SendPath;
pub use sender::PeerSender;
pub(crate) use sender::{Encoder, to as sender_to};
pub use several::PeerPackets;
use tokio::time::Sleep;

use crate::{
    Addr, BoxError, SendError, SpawnError, TrafficClass,
    socket::{SocketState, mailbox::Mailbox},
    transport::{Ancillary, Route},
};

/// The other side of a conversation, as a handler sees it.
///
/// A conversation begins with a datagram that waits to be received, so the first
/// [`recv`](Self::recv) returns without waiting. Nothing is decoded before the handler asks: one that
/// returns first has refused the datagram.
pub struct Peer<Req, Res> {
    path: SendPath<Protocol<Req, Res>>,
    mailbox: Arc<Mailbox>,
    /// The traffic class of the last datagram, where the system reports it.
    traffic_class: Option<TrafficClass>,
    /// Which conversation this is, among those of the socket.
    serial: u64,
    progress: Progress,
    /// Ends a `recv` that waits for too long. Set anew by each, which is cheaper than another timer.
    timer: Option<Pin<Box<Sleep>>>,
    leftover: Option<Box<Leftover<Req>>>,
}

impl<Req, Res> Peer<Req, Res> {
    pub(crate) fn new(
        socket: Arc<SocketState>,
        protocol: Arc<Protocol<Req, Res>>,
        mailbox: Arc<Mailbox>,
        addr: Addr,
        ancillary: Ancillary,
        serial: u64,
    ) -> Self {
        let Ancillary { local, traffic_class } = ancillary;
        let route = Route { peer: addr, local };
        Self {
            path: SendPath { socket, protocol, route },
            mailbox,
            traffic_class,
            serial,
            progress: Progress::Opening,
            timer: None,
            leftover: None,
        }
    }

    /// Makes this the peer of another conversation that is served with the same mailbox.
    pub(crate) fn renew(&mut self, addr: &Addr, ancillary: Ancillary, serial: u64) {
        self.path.route.peer.clone_from(addr);
        self.learn(ancillary);
        self.serial = serial;
        self.progress = Progress::Opening;
    }

    /// Whether `recv` has come to the point where it says `news`. It is asked only where a handler has
    /// failed, so nothing is written down for it.
    fn has_reported(&self, news: QuietEnd) -> bool {
        match news {
            QuietEnd::Closed => self.mailbox.is_closed(),
            QuietEnd::Idle => self.timer.as_ref().is_some_and(|timer| timer.is_elapsed()),
            QuietEnd::Undecodable => matches!(self.progress, Progress::Refused),
        }
    }

    /// Remembers the ancillary data of the last datagram.
    fn learn(&mut self, ancillary: Ancillary) {
        self.path.route.local = ancillary.local;
        self.traffic_class = ancillary.traffic_class;
    }

    /// Completes when serving ends, and `recv` says [`RecvError::Closed`](crate::RecvError::Closed): for a
    /// conversation that waits for something else.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer};
    /// use tokio::sync::watch;
    ///
    /// /// Tells a peer of each change, and says goodbye when serving ends.
    /// async fn follow(
    ///     peer: &mut Peer<String, String>,
    ///     mut news: watch::Receiver<String>,
    /// ) -> Result<(), BoxError> {
    ///     loop {
    ///         tokio::select! {
    ///             () = peer.closed() => return Ok(peer.send(&"goodbye".to_owned()).await?),
    ///             changed = news.changed() => changed?,
    ///         }
    ///         let change = news.borrow_and_update().clone();
    ///         peer.send(&change).await?;
    ///     }
    /// }
    /// ```
    pub async fn closed(&self) {
        let mut closing = pin!(self.path.socket.closing.notified());
        // Listen first: a notification between the two steps must not be missed.
        closing.as_mut().enable();
        if !self.mailbox.is_closed() {
            closing.await;
        }
    }

    /// Sends `packet`, or a reference to one, to this peer.
    ///
    /// It returns once the datagram is accepted: replies of one batch leave together. It waits only
    /// while the kernel has no room. UDP does not guarantee that a datagram arrives. Datagrams that the kernel
    /// refuses later are logged and counted in the [stats](crate::ServerStats).
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] and [`SendError::TooLarge`] if the packet cannot go out as a datagram,
    /// [`SendError::Closed`] when serving has ended. The conversation may go on.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the datagram was sent whole or not at all.
    #[inline]
    pub fn send(&self, packet: impl Borrow<Res>) -> impl Future<Output = Result<(), SendError>> {
        self.path.send(packet)
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn addr(&self) -> &Addr {
        &self.path.route.peer
    }

    /// Returns the address that the last datagram was sent to, which replies leave from.
    ///
    /// If the server is bound to a wildcard address, this is the address of the host that the peer has used; on
    /// systems that do not report it, the wildcard address. Datagrams to a multicast or broadcast address are
    /// answered from a unicast address of the host, which this returns then.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.path.route.local_addr(self.path.socket.outbox.transport().local_addr())
    }

    /// Returns the traffic class of the last datagram, if
    /// [`recv_traffic_class`](crate::Udp::recv_traffic_class) is set.
    #[must_use]
    pub const fn traffic_class(&self) -> Option<TrafficClass> {
        self.traffic_class
    }

    /// Runs `task` in the background until it completes or serving ends, as
    /// [`Spawner::spawn`](crate::Spawner::spawn) does. It may outlive the conversation.
    ///
    /// # Errors
    ///
    /// [`SpawnError::TooMany`] if as many tasks run as [`Limits::max_tasks`](crate::Limits::max_tasks) allows,
    /// [`SpawnError::Closed`] when serving has ended. Then `task` is dropped.
    pub fn spawn(
        &self,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Result<(), SpawnError> {
        self.path.socket.tasks.spawn(task)
    }

    /// Returns a sender for this peer that outlives the conversation.
    #[must_use]
    pub fn sender(&self) -> PeerSender<Res>
    where
        Req: 'static,
        Res: 'static,
    {
        let protocol: Weak<Protocol<Req, Res>> = Arc::downgrade(&self.path.protocol);
        PeerSender::new(&self.path.socket, protocol, self.path.route.clone())
    }

    /// The ancillary data of the last datagram.
    pub(crate) const fn ancillary(&self) -> Ancillary {
        Ancillary { local: self.path.route.local, traffic_class: self.traffic_class }
    }
}

/// How far a conversation has come.
#[derive(Clone, Copy)]
enum Progress {
    /// Nothing was received yet, so a first datagram may lie in the worker's batch.
    Opening,
    Received,
    /// A datagram of this conversation did not decode.
    Refused,
}

impl<Req, Res> fmt::Debug for Peer<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("addr", self.addr()).finish_non_exhaustive()
    }
}
