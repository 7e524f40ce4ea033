//! Sends datagrams at once, for transports on which one peer may have no room while others have.
//!
//! A Unix socket reports the full queue of one peer like a full send buffer, and the kernel does not say when
//! that peer has read. So the sender tries again after a pause, and nothing else waits for it.

use std::{io, time::Duration};

use tokio::time::{Instant, timeout};

use super::Outbox;
use crate::{SendError, stats::add, transport::Transport};

/// The first and the longest pause between two tries.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

impl Outbox {
    /// Whether this socket sends each datagram at once.
    #[inline]
    pub(crate) const fn sends_at_once(&self) -> bool {
        self.at_once
    }

    /// Sends one datagram of `len` bytes with `send`; returns false if its peer has no room.
    pub(crate) fn try_send_at_once(
        &self,
        len: usize,
        send: impl Fn(&dyn Transport) -> io::Result<()>,
    ) -> Result<bool, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let error = loop {
            match send(&*self.transport) {
                Ok(()) => {
                    add(&self.counters.sent, 1);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        if self.transport.is_too_large(&error) {
            return Err(SendError::TooLarge { len, max: self.transport.max_len() });
        }
        add(&self.counters.send_errors, 1);
        Err(SendError::Io(error))
    }

    /// Sends one datagram of `len` bytes with `send`. While its peer has no room, it waits, but not longer than
    /// `limit`.
    pub(crate) async fn send_at_once(
        &self,
        len: usize,
        limit: Option<Duration>,
        send: impl Fn(&dyn Transport) -> io::Result<()>,
    ) -> Result<(), SendError> {
        let since = Instant::now();
        let mut pause = FIRST_PAUSE;
        while !self.try_send_at_once(len, &send)? {
            if limit.is_some_and(|limit| since.elapsed() >= limit) {
                add(&self.counters.send_timeouts, 1);
                let text = "the peer did not read for too long";
                return Err(SendError::Io(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
            // The end of serving also ends the pause.
            let _ = timeout(pause, self.room.notified()).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
        Ok(())
    }
}
