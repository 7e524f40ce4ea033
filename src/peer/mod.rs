//! The peer of a conversation: receiving from it, and sending to it.

mod exchange;
mod failure;
#[cfg(unix)]
mod fds;
mod leftover;
mod next;
mod protocol;
mod put_back;
mod quiet_end;
mod recv;
mod send;
mod sender;
mod several;
mod step;
mod validation;

use std::{
    borrow::Borrow,
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Weak},
};

use exchange::ExchangeState;
pub use exchange::PeerExchange;
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
    guard::Budget,
    queue_time::Stamp,
    socket::{SocketState, mailbox::Mailbox},
    transport::{Ancillary, Passed, Route},
};

/// The remote side of a conversation: a handler receives requests from it, and sends responses to it.
///
/// A peer is one source address at one address that the server is bound to: an IP address and port, or the name
/// of a Unix socket (a path or an abstract name). A program with two sockets is two peers. If the server is bound
/// to a wildcard address, a program that sends to two addresses of the host is one peer. If the server
/// [trusts proxies](crate::ServerBuilder::trust_proxy), the peer of a datagram from a proxy is the client behind it. Each datagram from a Unix
/// socket without a name is a peer of its own; see [`UnnamedPeers`](crate::UnnamedPeers).
///
/// A conversation is one call of [`Handler::handle`](crate::Handler::handle). It begins with a datagram from
/// the peer, so the first [`recv`](Self::recv) returns without waiting. `recv` decodes the datagram. Before
/// that, the server decodes nothing. A handler that returns before its first `recv` drops the datagram.
///
/// # Examples
///
/// A counter for each peer. Local variables hold the state of the conversation:
///
/// ```
/// use datagrammar::{BoxError, Client, Handler, Peer, Server, Text};
///
/// struct Counter;
///
/// impl Handler<String, String> for Counter {
///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
///         let mut count = 0;
///         loop {
///             let text = peer.recv().await?;
///             count += 1;
///             peer.send(format!("{text} {count}")).await?;
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let server = Server::bind("127.0.0.1:0", Text, Counter).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// for expected in ["hello 1", "hello 2"] {
///     client.send("hello".to_owned()).await?;
///     assert_eq!(client.recv().await?, expected);
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "session")]
pub struct Peer<Req, Res> {
    path: SendPath<Protocol<Req, Res>>,
    mailbox: Arc<Mailbox>,
    /// The traffic class of the last datagram, if the system reports it.
    traffic_class: Option<TrafficClass>,
    /// The number of this conversation, among those of the socket.
    serial: u64,
    progress: Progress,
    standing: Standing,
    /// Ends a `recv` that waits for too long. Each `recv` resets it, because that is cheaper than a new
    /// timer.
    timer: Option<Pin<Box<Sleep>>>,
    leftover: Option<Box<Leftover<Req>>>,
    /// What came with the last datagram besides its bytes.
    passed: Option<Box<Passed>>,
    /// What the conversation remembers for its requests, once it has sent one.
    exchange: Option<Box<ExchangeState>>,
    /// Whether the current `recv` asks for descriptors.
    #[cfg(unix)]
    asks_for_fds: bool,
}

impl<Req, Res> Peer<Req, Res> {
    pub(crate) fn new(
        socket: Arc<SocketState>,
        protocol: Arc<Protocol<Req, Res>>,
        mailbox: Arc<Mailbox>,
        budget: Option<Arc<Budget>>,
        addr: Addr,
        ancillary: Ancillary,
        serial: u64,
    ) -> Self {
        let Ancillary { local, traffic_class, .. } = ancillary;
        let route = Route { peer: addr, local };
        Self {
            path: SendPath { socket, protocol, route, budget },
            mailbox,
            traffic_class,
            serial,
            progress: Progress::Opening,
            standing: Standing::Unknown,
            timer: None,
            leftover: None,
            passed: None,
            exchange: None,
            #[cfg(unix)]
            asks_for_fds: false,
        }
    }

    /// Makes this the peer of another conversation that uses the same mailbox.
    #[inline(always)]
    pub(crate) fn renew(&mut self, addr: &Addr, ancillary: Ancillary, serial: u64) {
        self.path.route.peer.clone_from(addr);
        self.learn(ancillary);
        self.serial = serial;
        self.progress = Progress::Opening;
        self.standing = Standing::Unknown;
        if self.passed.is_some() || self.exchange.is_some() {
            self.forget();
        }
    }

    /// Does the same for a conversation that receives the packet that the last one put back: it came with the
    /// last datagram.
    pub(crate) fn renew_with_packet(&mut self, ancillary: Ancillary, serial: u64) {
        let (passed, exchange) = (self.passed.take(), self.exchange.take());
        let addr = self.addr().clone();
        self.renew(&addr, ancillary, serial);
        self.passed = passed;
        self.exchange = exchange.map(|state| Box::new(state.passed_on()));
    }

    #[cold]
    fn forget(&mut self) {
        self.passed = None;
        self.exchange = None;
    }

    /// Keeps what came with a datagram that is received now.
    #[inline]
    fn accept(&mut self, passed: Option<Box<Passed>>) {
        if passed.is_some() || self.passed.is_some() {
            self.passed = passed;
            self.use_passed();
        }
    }

    /// Tells the reply cache that the handler receives the datagram, and closes the descriptors that came with it if
    /// the current `recv` does not ask for them.
    #[cold]
    fn use_passed(&mut self) {
        let Some(passed) = &mut self.passed else { return };
        if let Some(ticket) = passed.ticket.take() {
            ticket.deliver();
        }
        if let Some(from) = passed.from.take() {
            // Replies go where this datagram came from.
            self.path.route.peer = *from;
        }
        #[cfg(unix)]
        if !self.asks_for_fds {
            passed.fds.clear();
        }
    }

    /// Whether `recv` has returned the error `news`. This is asked only if a handler has failed, so it is
    /// computed from other state and not stored.
    fn has_reported(&self, news: QuietEnd) -> bool {
        match news {
            QuietEnd::Closed => self.mailbox.is_closed(),
            QuietEnd::Idle => {
                self.timer.as_ref().is_some_and(|timer| timer.is_elapsed())
                    || self.timed_out_exchange().is_some()
            }
            QuietEnd::Undecodable => matches!(self.progress, Progress::Refused),
        }
    }

    /// Stores the ancillary data of the last datagram.
    fn learn(&mut self, ancillary: Ancillary) {
        self.path.route.local = ancillary.local;
        self.traffic_class = ancillary.traffic_class;
    }

    /// Completes when a shutdown begins, at the same moment when `recv` returns
    /// [`RecvError::Closed`](crate::RecvError::Closed). Use it in a conversation that waits for something
    /// other than a packet. In a [graceful shutdown](crate::ServerHandle::graceful_shutdown) it does not wait for
    /// datagrams that `recv` would still return.
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
    /// /// Sends each change to a peer, and "goodbye" when a shutdown begins.
    /// async fn follow(
    ///     peer: &mut Peer<String, String>,
    ///     mut news: watch::Receiver<String>,
    /// ) -> Result<(), BoxError> {
    ///     loop {
    ///         tokio::select! {
    ///             () = peer.closed() => return Ok(peer.send("goodbye".to_owned()).await?),
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
        if !self.mailbox.is_sealed() {
            closing.await;
        }
    }

    /// Sends `packet`, or a reference to one, to this peer.
    ///
    /// It returns when the server has accepted the datagram: the replies of one batch leave together, a
    /// moment later. It waits only while the kernel's send buffer is full. `Ok` does not mean that the
    /// datagram arrives. If the kernel refuses the datagram later, the server logs and
    /// [counts](crate::ServerStats::send_errors) that.
    ///
    /// Over a Unix socket, `send` sends the datagram at once, and `Ok` means that it is in the queue of the peer. If
    /// the peer does not read, `send` waits for up to [`Limits::idle_timeout`](crate::Limits::idle_timeout).
    ///
    /// # Errors
    ///
    /// The conversation may go on after an error.
    ///
    /// - [`SendError::Encode`] if the protocol cannot encode the packet.
    /// - [`SendError::TooLarge`] if the datagram is longer than the transport can carry.
    /// - [`SendError::OverBudget`] and [`SendError::OverRate`] if the server has a [guard](crate::Guard), and the peer is
    ///   not validated.
    /// - [`SendError::Closed`] after serving has ended. If the handler returns this error, it is logged at
    ///   WARN.
    /// - [`SendError::Io`], over a Unix socket only, if the peer has closed its socket, has no name, or did not
    ///   read in time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the whole datagram was sent, or nothing.
    #[inline]
    pub fn send(&self, packet: impl Borrow<Res>) -> impl Future<Output = Result<(), SendError>> {
        self.path.send(packet)
    }

    /// Sends the reply of a function. The server logs what becomes of it.
    #[inline]
    pub(crate) fn reply(&self, packet: &Res) -> impl Future<Output = Result<(), SendError>> {
        self.path.reply(packet)
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn addr(&self) -> &Addr {
        &self.path.route.peer
    }

    /// Returns the server's address that the peer has sent the last datagram to. Replies leave from this
    /// address.
    ///
    /// If the server is bound to a wildcard address, this is the address of the host that the peer has used,
    /// or the wildcard address on systems that do not report it. If the peer has sent to a multicast or
    /// broadcast address, this is the unicast address of the host that replies leave from. Over a Unix socket, it
    /// is the name that the server is bound to.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.path.route.local_addr(self.path.socket.outbox.transport().local_addr())
    }

    /// Returns the traffic class of the last datagram, or `None` if
    /// [`recv_traffic_class`](crate::Udp::recv_traffic_class) is not set.
    #[must_use]
    pub const fn traffic_class(&self) -> Option<TrafficClass> {
        self.traffic_class
    }

    /// Runs `task` in the background until it completes or serving ends, as
    /// [`Spawner::spawn`](crate::Spawner::spawn) does. The task may run longer than the conversation.
    ///
    /// # Errors
    ///
    /// If `spawn` returns an error, `task` does not run and is dropped.
    ///
    /// - [`SpawnError::TooMany`] if [`Limits::max_tasks`](crate::Limits::max_tasks) tasks run already.
    /// - [`SpawnError::Closed`] after serving has ended.
    pub fn spawn(
        &self,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Result<(), SpawnError> {
        self.path.socket.tasks.spawn(task)
    }

    /// Returns a sender to this peer, which works after the conversation has ended too.
    #[doc(alias = "push")]
    #[must_use]
    pub fn sender(&self) -> PeerSender<Res>
    where
        Req: 'static,
        Res: 'static,
    {
        let protocol: Weak<Protocol<Req, Res>> = Arc::downgrade(&self.path.protocol);
        let SendPath { socket, route, budget, .. } = &self.path;
        PeerSender::new(socket, protocol, route.clone(), budget.clone())
    }

    /// The ancillary data of the last datagram.
    pub(crate) const fn ancillary(&self) -> Ancillary {
        let (local, traffic_class) = (self.path.route.local, self.traffic_class);
        Ancillary { local, traffic_class, arrived: Stamp::UNKNOWN }
    }
}

/// Whether the peer speaks the protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing was received yet.
    Unknown,
    /// Nothing that was received has decoded. Then the conversation does not wait for long, and gives way to others.
    Junk,
    /// A packet was received.
    Packets,
}

/// The progress of a conversation.
#[derive(Clone, Copy)]
enum Progress {
    /// Nothing was received yet, so the first datagram may still be in the worker's batch.
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
