//! The other side of a conversation, and what it takes to talk to it.

mod aside;
pub(crate) mod mailbox;
pub(crate) mod outbox;
pub(crate) mod port;
mod recv;
pub(crate) mod reread;
mod send;
mod sender;
pub(crate) mod turn;

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    time::Duration,
};

use aside::{Aside, PutBack};
use mailbox::Mailbox;
use port::{Outlet, Port};
use recv::{Receiving, Step};
pub use sender::PeerSender;
use tokio::time::{Instant, Sleep};
use turn::Turn;

use crate::{
    BoxError, PeerAddr, RecvError, SendError, SpawnError, TrafficClass,
    figures::add,
    transport::{Ancillary, Route},
};

/// The other side of a conversation, as a handler sees it.
///
/// A conversation begins with a datagram that waits to be received, so the first
/// [`recv`](Self::recv) returns without waiting. Nothing is decoded before the handler asks: one that
/// returns first has refused the datagram.
pub struct Peer<Req, Res> {
    port: Arc<Port<Req, Res>>,
    mailbox: Arc<Mailbox>,
    route: Route,
    /// That of the last datagram, where the system tells.
    traffic_class: Option<TrafficClass>,
    /// Which conversation this is, among those of the port.
    serial: u64,
    /// Whether nothing was received yet, so that a first datagram may lie in the worker's batch.
    opening: bool,
    /// Ends a `recv` that waits for too long. Set anew by each, which is cheaper than another timer.
    timer: Option<Pin<Box<Sleep>>>,
    aside: Option<Box<Aside<Req>>>,
}

impl<Req, Res> Peer<Req, Res> {
    pub(crate) fn new(
        port: Arc<Port<Req, Res>>,
        mailbox: Arc<Mailbox>,
        addr: PeerAddr,
        ancillary: Ancillary,
        serial: u64,
    ) -> Self {
        let Ancillary { local, traffic_class } = ancillary;
        let route = Route { peer: addr, local };
        Self {
            port,
            mailbox,
            route,
            traffic_class,
            serial,
            opening: true,
            timer: None,
            aside: None,
        }
    }

    /// Makes this the peer of another conversation that is served with the same mailbox.
    pub(crate) fn renew(&mut self, addr: &PeerAddr, ancillary: Ancillary, serial: u64) {
        self.route.peer.clone_from(addr);
        self.learn(ancillary);
        self.serial = serial;
        self.opening = true;
    }

    /// Whether `recv` has come to the point where it says `news`. It is asked only where a handler has
    /// failed, so nothing is written down for it.
    pub(crate) fn has_heard(&self, news: News) -> bool {
        match news {
            News::Closed => self.mailbox.is_closed(),
            News::Idle => self.timer.as_ref().is_some_and(|timer| timer.is_elapsed()),
        }
    }

    /// Remembers what was told beside the last datagram.
    fn learn(&mut self, ancillary: Ancillary) {
        self.route.local = ancillary.local;
        self.traffic_class = ancillary.traffic_class;
    }

    /// Receives the next packet of this peer.
    ///
    /// It waits as long as [`Limits::idle`](crate::Limits::idle) allows. While a handler does not
    /// receive, what its peer sends waits, in order, up to the [limits](crate::Limits).
    ///
    /// # Errors
    ///
    /// - [`RecvError::Decode`]: the datagram is not a packet. Answer if you must, and go on. Think
    ///   twice before answering in a format that the other side might take for a request.
    /// - [`RecvError::Idle`]: the peer was silent for too long.
    /// - [`RecvError::Closed`]: serving ends. There is a short grace to say goodbye.
    ///
    /// Passing `Idle` or `Closed` on with `?` ends the conversation quietly; also in an error of yours
    /// that has it as its source, or is transparent to it: that shows its text and source as its own.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost: the next call returns the one it would have.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Req, RecvError>> {
        Receiving::new(self, Step::Within(Duration::MAX))
    }

    /// Receives the next packet of this peer, waiting for at most `timeout`.
    ///
    /// A packet that is there is returned even when `timeout` is zero.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`RecvError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> impl Future<Output = Result<Req, RecvError>> {
        Receiving::new(self, Step::Within(timeout))
    }

    /// Receives the next packet of this peer, waiting until `deadline` at most: for a loop that passes over
    /// some packets and must not wait longer because of them.
    ///
    /// A packet that is there is returned even when `deadline` has passed.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer};
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    ///
    /// /// Waits 5 seconds for the acknowledgment of this block, whatever else comes.
    /// async fn acknowledged(peer: &mut Peer<u16, String>, block: u16) -> Result<(), BoxError> {
    ///     let deadline = Instant::now() + Duration::from_secs(5);
    ///     while peer.recv_deadline(deadline).await? != block {}
    ///     Ok(())
    /// }
    /// ```
    #[inline]
    pub fn recv_deadline(
        &mut self,
        deadline: Instant,
    ) -> impl Future<Output = Result<Req, RecvError>> {
        Receiving::new(self, Step::Until(deadline))
    }

    /// Puts a packet back: the next `recv` returns it, in this conversation or, if the handler returns, in
    /// the next one, which then begins at once.
    ///
    /// A handler that waits for the answer to one request may so leave the next request to another
    /// conversation. One packet can be put back; another takes its place. It is dropped when the next
    /// conversation returns without it, and when serving ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Handler, Peer};
    ///
    /// enum Request {
    ///     Read(String),
    ///     Acknowledge(u16),
    /// }
    ///
    /// struct Files;
    ///
    /// impl Handler<Request, Vec<u8>> for Files {
    ///     async fn handle(&self, peer: &mut Peer<Request, Vec<u8>>) -> Result<(), BoxError> {
    ///         let Request::Read(name) = peer.recv().await? else { return Ok(()) };
    ///         peer.send(&name.into_bytes()).await?;
    ///         match peer.recv().await? {
    ///             Request::Acknowledge(_) => {}
    ///             // The peer wants something else now.
    ///             read => peer.put_back(read),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn put_back(&mut self, packet: Req) {
        self.aside().put_back = Some(PutBack { packet, inherited: false });
    }

    /// Returns the bytes of the datagram that the last `recv` has returned a
    /// [`RecvError::Decode`] for: an answer may need a part of them, as a DNS server copies the id of the
    /// query that it could not read.
    ///
    /// It is `None` after a packet, once another `recv` waits, and if so much waits in the server that there
    /// is no room for a copy, see [`Limits::octets`](crate::Limits::octets).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer, RecvError};
    ///
    /// async fn refuse(peer: &mut Peer<String, Vec<u8>>) -> Result<(), BoxError> {
    ///     if let Err(RecvError::Decode(_)) = peer.recv().await
    ///         && let Some([id @ .., _]) = peer.undecoded().and_then(|bytes| bytes.first_chunk::<3>())
    ///     {
    ///         peer.send(&id.to_vec()).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn undecoded(&self) -> Option<&[u8]> {
        self.aside.as_ref()?.undecoded()
    }

    /// Completes when serving ends, and `recv` says [`RecvError::Closed`]: for a conversation that waits for
    /// something else.
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
        let mut closing = pin!(self.port.closing.notified());
        // Listen first: what is told between the two steps must not be missed.
        closing.as_mut().enable();
        if !self.mailbox.is_closed() {
            closing.await;
        }
    }

    /// Sends `packet` to this peer.
    ///
    /// It returns once the datagram is accepted: replies of one batch leave together. It waits only
    /// while the kernel has no room. UDP gives no guarantee that a datagram arrives, and what the
    /// kernel objects to later is told in the log and the [figures](crate::Figures).
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
    pub fn send<'a>(&'a self, packet: &'a Res) -> impl Future<Output = Result<(), SendError>> {
        send::send(&*self.port, &self.route, packet)
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn addr(&self) -> &PeerAddr {
        &self.route.peer
    }

    /// Returns the address that the last datagram came to, and replies leave from.
    ///
    /// Where a server is bound to a wildcard address, this is the address of the host that the peer
    /// knows; on systems that do not tell it, the wildcard address. What was sent to a multicast or
    /// broadcast address is answered from a unicast address of the host, which is told here.
    #[must_use]
    pub fn local_addr(&self) -> PeerAddr {
        self.route.local_addr(self.port.outbox.transport().local_addr())
    }

    /// Returns how the last datagram was marked, if the server was asked for it by
    /// [`recv_traffic_class`](crate::UdpServerBuilder::recv_traffic_class).
    #[must_use]
    pub const fn traffic_class(&self) -> Option<TrafficClass> {
        self.traffic_class
    }

    /// Runs `task` in the background until it completes or serving ends, as
    /// [`Spawner::spawn`](crate::Spawner::spawn) does. It may outlive the conversation.
    ///
    /// # Errors
    ///
    /// [`SpawnError::TooMany`] if as many tasks run as [`Limits::tasks`](crate::Limits::tasks) allows,
    /// [`SpawnError::Closed`] when serving has ended. Then `task` is dropped.
    pub fn spawn(
        &self,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Result<(), SpawnError> {
        self.port.tasks.spawn(task)
    }

    /// Returns a sender for this peer that outlives the conversation.
    #[must_use]
    pub fn sender(&self) -> PeerSender<Res>
    where
        Req: 'static,
        Res: 'static,
    {
        let port: Weak<Port<Req, Res>> = Arc::downgrade(&self.port);
        let outlet: Weak<dyn Outlet<Res>> = port;
        PeerSender::new(outlet, self.port.id, self.route.clone())
    }

    /// Receives the datagram that opened the conversation, while the worker still has it.
    #[inline]
    fn receive_inline(&mut self) -> Option<Result<Req, RecvError>> {
        if self.aside.is_some()
            && let Some(packet) = self.receive_aside()
        {
            return Some(Ok(packet));
        }
        if !self.opening {
            return None;
        }
        self.opening = false;
        Turn::with(self.port.id, |turn| {
            let datagram = turn.open(self.serial)?;
            match self.port.protocol.decode(datagram) {
                Ok(packet) => Some(Ok(packet)),
                Err(error) => {
                    keep(&mut self.aside, &self.port, datagram);
                    turn.decode_errors += 1;
                    Some(Err(RecvError::Decode(error)))
                }
            }
        })
        .flatten()
    }

    fn decode(&mut self, taken: Option<(Ancillary, Box<[u8]>)>) -> Result<Req, RecvError> {
        let (ancillary, datagram) = taken.ok_or(RecvError::Closed)?;
        self.learn(ancillary);
        add(&self.port.counters.returned, 1);
        self.port.protocol.decode(&datagram).map_err(|error| {
            keep(&mut self.aside, &self.port, &datagram);
            add(&self.port.counters.decode_errors, 1);
            RecvError::Decode(error)
        })
    }

    /// Receives a packet that was put back.
    #[cold]
    fn receive_aside(&mut self) -> Option<Req> {
        let aside = self.aside.as_mut()?;
        aside.forget();
        aside.put_back.take().map(|PutBack { packet, .. }| packet)
    }

    fn aside(&mut self) -> &mut Aside<Req> {
        self.aside.get_or_insert_with(|| Box::new(Aside::new(&self.port.counters)))
    }

    /// What nobody has asked for until now, nobody will: memory is for what waits.
    fn forget_undecoded(&mut self) {
        self.aside = None;
    }

    /// The conversation is over. Returns whether a packet was put back in it, which the next one receives.
    #[inline]
    pub(crate) fn finish(&mut self) -> bool {
        self.aside.is_some() && self.pass_on()
    }

    #[cold]
    fn pass_on(&mut self) -> bool {
        let Some(aside) = &mut self.aside else { return false };
        aside.forget();
        let left = aside.put_back.take();
        aside.put_back =
            left.filter(|left| !left.inherited).map(|left| PutBack { inherited: true, ..left });
        aside.put_back.is_some()
    }

    /// What was told beside the last datagram.
    pub(crate) const fn ancillary(&self) -> Ancillary {
        Ancillary { local: self.route.local, traffic_class: self.traffic_class }
    }
}

/// Keeps the bytes of a datagram that did not decode.
#[cold]
fn keep<Req, Res>(aside: &mut Option<Box<Aside<Req>>>, port: &Port<Req, Res>, datagram: &[u8]) {
    aside.get_or_insert_with(|| Box::new(Aside::new(&port.counters))).keep(datagram, &port.limits);
}

/// What ends a conversation quietly, if its handler passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// [`RecvError::Closed`]
    Closed,
    /// [`RecvError::Idle`]
    Idle,
}

impl News {
    pub(crate) const ALL: [Self; 2] = [Self::Idle, Self::Closed];

    /// What `recv` says.
    pub(crate) const fn error(self) -> RecvError {
        match self {
            Self::Closed => RecvError::Closed,
            Self::Idle => RecvError::Idle,
        }
    }

    /// Whether an error of `recv` is this.
    pub(crate) const fn is(self, error: &RecvError) -> bool {
        matches!((self, error), (Self::Closed, RecvError::Closed) | (Self::Idle, RecvError::Idle))
    }
}

impl<Req, Res> fmt::Debug for Peer<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("addr", self.addr()).finish_non_exhaustive()
    }
}
