//! A packet that is sent again and again until the next packet of the other side arrives. Handlers and clients share it.
//!
//! Nothing here sends or receives: [`Exchange`] says what is to be done.

mod client_side;
mod last_packet;
mod pace;
mod repeat;

use std::time::Duration;

use tokio::time::Instant;

pub(crate) use client_side::{ClientSide, Next};
pub(crate) use last_packet::LastPacket;
pub(crate) use pace::Pace;
pub use repeat::{Duplicates, Repeat};

use crate::timing::{Jitter, after};

/// One exchange: what was sent, and when it is sent again.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Each attempt is the same datagram, also if the protocol encodes a packet in another way each time.
    pub(crate) datagram: Vec<u8>,
    repeat: Repeat,
    /// That of a seed. Otherwise the pace has one.
    jitter: Option<Jitter>,
    /// When the total time began.
    started: Option<Instant>,
    pub(crate) attempts: u32,
    answered_duplicates: u32,
    /// When the last attempt was made, and its timer.
    sent: Instant,
    timer: Duration,
    /// How long after the last attempt the packet came that was returned last. If the exchange goes on, that
    /// packet was no answer.
    answered: Option<Duration>,
    /// Whether the datagram was sent again in between, because the server has asked for a token.
    pub(crate) is_challenged: bool,
}

/// What becomes of a packet that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Return,
    /// It is a duplicate of the previous packet.
    Skip,
    /// It is such a duplicate, and the datagram is sent once more for it.
    Answer,
}

/// How many datagrams an exchange without an answer has sent, and how long it lasted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimedOut {
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
}

impl Exchange {
    pub(crate) fn new(datagram: Vec<u8>, repeat: &Repeat) -> Self {
        Self {
            datagram,
            jitter: repeat.seed.map(Jitter::new),
            repeat: repeat.clone(),
            started: None,
            attempts: 0,
            answered_duplicates: 0,
            sent: Instant::now(),
            timer: Duration::ZERO,
            answered: None,
            is_challenged: false,
        }
    }

    /// The caller waits for a packet, for the first time or once more.
    pub(crate) fn resume(&mut self) {
        self.started.get_or_insert_with(Instant::now);
        self.answered = None;
    }

    /// Returns whether the datagram is to be sent now, before the caller receives until [`due`](Self::due). It counts
    /// as sent then.
    pub(crate) fn attempt(&mut self, pace: &Pace) -> Result<bool, TimedOut> {
        let now = Instant::now();
        let first = self.attempts == 0;
        if !first && now < self.due() {
            return Ok(false);
        }
        // A packet that has arrived by now was looked for, unless this is the first attempt.
        if self.attempts == self.repeat.max_attempts || !first && now >= self.end() {
            return Err(self.timed_out());
        }
        let jitter = self.jitter.as_ref().unwrap_or(&pace.jitter).next();
        self.timer = pace.round_trip.timer(&self.repeat.timing, self.attempts, jitter);
        self.sent = now;
        self.attempts += 1;
        Ok(true)
    }

    /// Judges a packet that has arrived. `is_new` says whether it was not there yet when the datagram was sent. If it
    /// was, it says nothing about the round-trip time.
    pub(crate) fn judge(&mut self, is_duplicate: bool, is_new: bool) -> Verdict {
        match self.repeat.duplicates {
            Duplicates::Skip if is_duplicate => Verdict::Skip,
            Duplicates::Answer if is_duplicate => {
                self.answered_duplicates += 1;
                Verdict::Answer
            }
            _ => {
                self.answered = is_new.then(|| self.sent.elapsed());
                Verdict::Return
            }
        }
    }

    /// When the timer expires or the exchange ends.
    pub(crate) fn due(&self) -> Instant {
        after(self.sent, self.timer).min(self.end())
    }

    /// When the exchange ends.
    pub(crate) fn end(&self) -> Instant {
        after(self.started.unwrap_or(self.sent), self.repeat.timing.total)
    }

    pub(crate) fn timed_out(&self) -> TimedOut {
        TimedOut {
            attempts: self.attempts + self.answered_duplicates,
            elapsed: self.started.map(|started| started.elapsed()).unwrap_or_default(),
        }
    }

    /// Learns from the answer. Nobody knows which attempt a packet answers after a repetition, so it gives no sample
    /// of the round-trip time (Karn's algorithm).
    pub(crate) fn learn(&self, pace: &mut Pace) {
        let Some(time) = self.answered else { return };
        if self.attempts + self.answered_duplicates == 1 {
            if !self.is_challenged {
                pace.round_trip.sample(time);
            }
        } else {
            pace.round_trip.answered_after(self.timer);
        }
    }
}
