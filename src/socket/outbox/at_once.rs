//! Sends datagrams at once, for transports on which one peer may have no room while others have.
//!
//! A Unix socket reports the full queue of one peer like a full send buffer, and the kernel does not say when
//! that peer has read. So the sender tries again after a pause. Meanwhile other senders to that peer wait in a
//! line, and senders to other peers do not wait.

use std::{io, time::Duration};

use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Outbox,
    held::{FIRST_PAUSE, LONGEST_PAUSE},
};
use crate::{
    SendError,
    stats::add,
    transport::{Route, Transport},
};

impl Outbox {
    /// Whether this socket sends each datagram at once.
    #[inline]
    pub(crate) const fn sends_at_once(&self) -> bool {
        self.at_once
    }

    /// Sends one datagram of `len` bytes with `send`; returns false if its peer has no room, others wait for that
    /// already, or replies wait in a batch: there may be one to this peer.
    pub(crate) fn try_send_at_once(
        &self,
        to: &Route,
        len: usize,
        send: impl Fn(&dyn Transport) -> io::Result<()>,
    ) -> Result<bool, SendError> {
        let waits = self.lines.has(&to.peer) || self.has_batched() || self.holds_for(&to.peer);
        if waits { Ok(false) } else { self.try_now(len, send) }
    }

    fn try_now(
        &self,
        len: usize,
        send: impl Fn(&dyn Transport) -> io::Result<()>,
    ) -> Result<bool, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let too_large = || SendError::TooLarge { len, max: self.transport.max_len() };
        if len > self.transport.longest() {
            return Err(too_large());
        }
        let error = loop {
            match send(&*self.transport) {
                Ok(()) => {
                    self.counters.sent(1, len);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        if self.transport.is_too_large(&error) {
            return Err(too_large());
        }
        add(&self.counters.send_errors, 1);
        Err(SendError::Io(error))
    }

    /// Sends one datagram of `len` bytes with `send`. While its peer has no room, it waits, but not longer than
    /// `limit`.
    pub(crate) async fn send_at_once(
        &self,
        to: &Route,
        len: usize,
        limit: Option<Duration>,
        send: impl Fn(&dyn Transport) -> io::Result<()>,
    ) -> Result<(), SendError> {
        if self.try_send_at_once(to, len, &send)? {
            return Ok(());
        }
        let round = self.round();
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let place = self.lines.join(&to.peer);
        let _first = match until {
            None => place.line.lock().await,
            Some(until) => match timeout_at(until, place.line.lock()).await {
                Ok(first) => first,
                Err(_) => return Err(SendError::Io(self.late())),
            },
        };
        let mut pause = FIRST_PAUSE;
        while self.is_behind(round, to) || !self.try_now(len, &send)? {
            if until.is_some_and(|until| until <= Instant::now()) {
                return Err(SendError::Io(self.late()));
            }
            // The end of serving also ends the pause.
            let _ = timeout(pause, self.room.notified()).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Whether a reply may still wait that is older than a datagram of `round`.
    fn is_behind(&self, round: u64, to: &Route) -> bool {
        let batched = self.has_batched() && self.round() == round;
        (batched || self.holds_for(&to.peer)) && self.is_open()
    }

    /// Counts a datagram that its peer has not read in time.
    pub(super) fn late(&self) -> io::Error {
        add(&self.counters.send_timeouts, 1);
        io::Error::new(io::ErrorKind::TimedOut, "the peer did not read for too long")
    }
}
