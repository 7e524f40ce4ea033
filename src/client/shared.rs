//! The state that all clones of a client share.

use std::{
    borrow::Borrow,
    io,
    ops::ControlFlow,
    sync::{Arc, Mutex, OnceLock},
};

use tokio::{
    sync::{MutexGuard, Notify},
    task::coop,
    time::Instant,
};

use super::{
    arrived::{Arrived, Next},
    link::Link,
    wait::Wait,
};
use crate::{
    Addr, ClientRecvError, ClientSendError, DatagramProtocol,
    client_envelope::{Envelopes, MOST_CHALLENGES},
    exchange::{LastPacket, Pace},
    lock::locked,
    stats::{ClientCounters, add},
    token::Envelope,
    transport::{BATCH, Passed, SendBatch, is_about_sending},
};

/// The state that all clones of a client share.
pub(super) struct Shared<P> {
    pub(super) protocol: P,
    max_datagram_size: usize,
    pub(super) local_addr: Addr,
    pub(super) peer_addr: Addr,
    /// `None` once the client is closed.
    link: Mutex<Option<Arc<Link>>>,
    closed: Notify,
    /// Held by a send that may have to wait for the peer to read. It is fair, so no task overtakes another.
    line: tokio::sync::Mutex<()>,
    pub(super) arrived: Mutex<Arrived>,
    /// Notified when more datagrams have arrived than a call has taken.
    pub(super) more: Notify,
    /// Receive buffers that no call uses at the moment.
    received: Mutex<Vec<Vec<u8>>>,
    pub(super) batches: Mutex<Vec<SendBatch>>,
    pub(super) counters: ClientCounters,
    /// Held by an exchange from its first packet to its end, so that two of them do not take each other's answers.
    pub(super) exchanging: tokio::sync::Mutex<Pace>,
    /// The last packet that a call has returned. It is remembered only if duplicates are to be recognized.
    last: OnceLock<Mutex<LastPacket>>,
    pub(super) envelopes: Envelopes,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Datagram,
    TooLong,
    /// A datagram that is in no envelope, where there are envelopes.
    NoEnvelope,
}

/// What a receive learns besides the packet.
#[derive(Debug, Default)]
pub(super) struct RecvDetails {
    /// What came with the datagram.
    pub(super) passed: Option<Box<Passed>>,
    /// Whether the packet has the same bytes as the one before.
    pub(super) is_duplicate: bool,
    /// Whether the call had to wait for the packet.
    pub(super) waited: bool,
}

impl<P> Shared<P> {
    pub(super) fn new(
        link: Link,
        protocol: P,
        max_datagram_size: usize,
        has_envelope: bool,
    ) -> Self {
        let envelopes = Envelopes::new(has_envelope, &link.route.peer);
        let max_datagram_size = envelopes.max_len(max_datagram_size).min(link.longest());
        Self {
            protocol,
            max_datagram_size,
            local_addr: link.local_addr.clone(),
            peer_addr: link.route.peer.clone(),
            link: Mutex::new(Some(Arc::new(link))),
            closed: Notify::new(),
            line: tokio::sync::Mutex::default(),
            arrived: Mutex::new(Arrived::new(max_datagram_size)),
            more: Notify::new(),
            received: Mutex::default(),
            batches: Mutex::default(),
            counters: ClientCounters::default(),
            exchanging: tokio::sync::Mutex::default(),
            last: OnceLock::new(),
            envelopes,
        }
    }

    /// Remembers each packet from now on, to recognize duplicates.
    pub(super) fn detect_duplicates(&self) {
        self.last.get_or_init(Mutex::default);
    }

    /// Returns the socket, unless the client is closed.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        locked(&self.link).clone()
    }

    pub(super) fn close(&self) {
        let link = locked(&self.link).take();
        #[cfg(unix)]
        if let Some(link) = &link {
            link.remove_path();
        }
        drop(link);
        self.closed.notify_waiters();
    }

    /// Waits until other tasks have sent, if sends over `link` often wait for the peer.
    pub(super) async fn turn(&self, link: &Link) -> Option<MutexGuard<'_, ()>> {
        if link.waits_for_peer() { Some(self.line.lock().await) } else { None }
    }

    /// Waits until the kernel has room to send.
    pub(super) async fn writable(&self) -> Result<Arc<Link>, ClientSendError> {
        let closed = self.closed.notified();
        let link = self.link().ok_or(ClientSendError::Closed)?;
        tokio::select! {
            biased;
            () = closed => return Err(ClientSendError::Closed),
            writable = link.writable() => writable.map_err(ClientSendError::Io)?,
        }
        Ok(link)
    }

    /// Completes when the client is closed.
    pub(super) async fn closed(&self) {
        let closed = self.closed.notified();
        if self.link().is_some() {
            closed.await;
        }
    }

    /// Sends `datagram` over `link` with `try_send`, as soon as there is room. If it is in an envelope, it gets the newest
    /// token.
    pub(super) async fn send(
        &self,
        mut link: Arc<Link>,
        datagram: &mut [u8],
        try_send: impl Fn(&Link, &[u8]) -> io::Result<()>,
    ) -> Result<(), ClientSendError> {
        let _turn = self.turn(&link).await;
        self.look_for_challenges(&link);
        loop {
            match self.envelopes.send(datagram, |datagram| try_send(&link, datagram)) {
                Ok(()) => {
                    add(&self.counters.sent, 1);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    add(&self.counters.send_errors, 1);
                    return Err(ClientSendError::Io(error));
                }
            }
            link = self.writable().await?;
        }
    }

    /// Returns whether datagrams wait to be taken, also if the runtime has not noticed them yet.
    pub(super) fn has_arrived(&self, link: &Link) -> io::Result<bool> {
        let mut arrived = locked(&self.arrived);
        if !arrived.is_empty() {
            return Ok(true);
        }
        arrived.clear();
        let mut challenges = 0;
        loop {
            match link.try_recv(&mut arrived.batch, true) {
                Ok(()) => challenges += self.skip_challenges(link, &mut arrived),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_about_sending(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if !arrived.is_empty() || challenges > MOST_CHALLENGES {
                break;
            }
            arrived.clear();
        }
        drop(arrived);
        // As in `try_take`.
        self.more.notify_waiters();
        Ok(true)
    }

    /// Sends all of `batch`.
    pub(super) async fn flush(&self, batch: &mut SendBatch) -> Result<(), ClientSendError> {
        // Each datagram uses as much of the task's budget as a single send. So a task that sends large
        // batches yields as often.
        for _ in 0..batch.len() {
            coop::consume_budget().await;
        }
        let mut link = self.link().ok_or(ClientSendError::Closed)?;
        let _turn = self.turn(&link).await;
        loop {
            if self.send_batch(&link, batch).map_err(ClientSendError::Io)? {
                return Ok(());
            }
            link = self.writable().await?;
        }
    }
}

impl<P: DatagramProtocol> Shared<P> {
    /// Encodes as many of `packets` as fit into one batch.
    pub(super) fn fill(
        &self,
        batch: &mut SendBatch,
        packets: &mut impl Iterator<Item: Borrow<P::Outgoing>>,
    ) -> Result<(), ClientSendError> {
        let link = self.link().ok_or(ClientSendError::Closed)?;
        self.look_for_challenges(&link);
        packets.take(BATCH).try_for_each(|packet| {
            let encode = |datagram: &mut Vec<u8>| self.write(packet.borrow(), datagram);
            let encoded = batch.encode(&link.route, link.max_len(), encode);
            encoded.map_err(|error| self.envelopes.not_encoded(error))
        })
    }

    /// Returns a packet that has arrived, or the events to wait for before the next try.
    pub(super) fn receive(
        &self,
        until: Option<Instant>,
        details: &mut RecvDetails,
    ) -> ControlFlow<Result<P::Incoming, ClientRecvError>, Wait<'_>> {
        // Listen first: a notification between the two steps must not be missed.
        let (closed, more) = (self.closed.notified(), self.more.notified());
        let Some(link) = self.link() else {
            return ControlFlow::Break(Err(ClientRecvError::Closed));
        };
        let last = until.is_some_and(|until| until <= Instant::now());
        match self.try_receive(&link, last, details) {
            Some(packet) => ControlFlow::Break(packet),
            None if last => ControlFlow::Break(Err(ClientRecvError::TimedOut)),
            None => ControlFlow::Continue(Wait { closed, more, link, until }),
        }
    }

    /// Returns a packet that has arrived, without waiting.
    pub(super) fn receive_now(&self) -> Option<Result<P::Incoming, ClientRecvError>> {
        match self.link() {
            Some(link) => self.try_receive(&link, true, &mut RecvDetails::default()),
            None => Some(Err(ClientRecvError::Closed)),
        }
    }

    /// Receives a packet if a datagram has arrived. With `last`, it also finds a datagram that tokio has not
    /// noticed yet.
    fn try_receive(
        &self,
        link: &Link,
        last: bool,
        details: &mut RecvDetails,
    ) -> Option<Result<P::Incoming, ClientRecvError>> {
        let mut datagram = locked(&self.received).pop().unwrap_or_default();
        let counters = &self.counters;
        let packet = match self.try_take(link, last, &mut datagram, &mut details.passed) {
            Ok(Taken::Datagram) => {
                add(&counters.received, 1);
                let decoded = self.protocol.decode(&datagram).map_err(|error| {
                    add(&counters.decode_errors, 1);
                    ClientRecvError::Decode(error)
                });
                if let Some(last) = self.last.get()
                    && decoded.is_ok()
                {
                    details.is_duplicate = locked(last).is_again(&datagram);
                }
                Some(decoded)
            }
            Ok(Taken::NoEnvelope) => {
                add(&counters.received, 1);
                add(&counters.decode_errors, 1);
                Some(Err(ClientRecvError::Decode(Envelope::missing())))
            }
            Ok(Taken::TooLong) => {
                add(&counters.received, 1);
                add(&counters.too_large, 1);
                Some(Err(ClientRecvError::TooLarge { max: self.max_datagram_size }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(ClientRecvError::Io(error))),
        };
        locked(&self.received).push(datagram);
        packet
    }

    /// Takes a datagram that has arrived, out of its envelope if there are envelopes. It is copied, so that other tasks need
    /// not wait while it is decoded.
    fn try_take(
        &self,
        link: &Link,
        last: bool,
        datagram: &mut Vec<u8>,
        passed: &mut Option<Box<Passed>>,
    ) -> io::Result<Taken> {
        let mut arrived = locked(&self.arrived);
        let mut fetched = false;
        let mut challenges = 0;
        let taken = loop {
            challenges += self.skip_challenges(link, &mut arrived);
            match arrived.take(&self.peer_addr) {
                Some(Next::Datagram(bytes)) => {
                    let Some(bytes) = self.envelopes.open(bytes) else { break Taken::NoEnvelope };
                    datagram.clear();
                    datagram.extend_from_slice(bytes);
                    *passed = arrived.take_passed();
                    break Taken::Datagram;
                }
                Some(Next::TooLong) => break Taken::TooLong,
                None => arrived.clear(),
            }
            if challenges > MOST_CHALLENGES {
                // A flood of them: the caller looks at its deadline, and comes again.
                return Err(io::ErrorKind::WouldBlock.into());
            }
            match link.try_recv(&mut arrived.batch, last) {
                Ok(()) => fetched = true,
                // The ICMP error about an earlier datagram. Only the `send` of that datagram reports it.
                Err(error) if is_about_sending(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        if fetched && !arrived.is_empty() {
            drop(arrived);
            // The socket is empty now, so it does not wake the tasks that wait for it. All of them are
            // notified, because one task alone might not receive: it may hold a stream that it does not poll.
            self.more.notify_waiters();
        }
        Ok(taken)
    }
}
