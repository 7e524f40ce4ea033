//! Notices that a worker gets more than it can serve.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    engine::backlog::{Backlog, Turn},
    queue_time::{INTERVAL, Stamp, TARGET},
    socket::SocketState,
    transport::RecvHalf,
};

/// After so many batches, the backlog is served, even if there are more to receive.
const MAX_READS: u32 = 64;

/// How long a worker serves its backlog before it receives again.
const SLICE: Duration = Duration::from_millis(1);

/// How many datagrams are worked on before the worker looks at the clock, unless they take long.
const UNLOOKED: u32 = 8;

/// How long the system goes on to report when datagrams arrived, after the socket was under pressure.
const CALM: Duration = Duration::from_secs(1);

/// The backlog of a worker, and what it knows about the time. Without a limit on the time that datagrams wait, it does not
/// look at the clock.
#[derive(Debug)]
pub(in crate::engine::worker) struct Overload {
    pub(in crate::engine::worker) backlog: Backlog,
    /// The time when the worker last looked at the clock; unknown without a limit.
    pub(in crate::engine::worker) now: Stamp,
    /// When the worker received the batch; unknown without a limit.
    pub(in crate::engine::worker) read: Stamp,
    /// When the worker began with the batch.
    begun: Option<Instant>,
    /// When the worker last looked at the clock, and when it stops to serve the backlog.
    looked: Instant,
    until: Instant,
    /// What comes next of the backlog, because its peer is in conversation.
    pub(super) next: Option<Turn>,
    /// The number of the last conversation before the current turn.
    pub(super) serial: u64,
    /// Since when each read of the socket has returned as much as it can.
    full_since: Option<Instant>,
    /// When the socket was under pressure last.
    pressed: Option<Instant>,
    timestamps: Timestamps,
    /// Whether the worker is behind, so that new peers wait.
    is_behind: bool,
    /// How many datagrams were worked on since then.
    unlooked: u32,
    /// Whether the last batch took long.
    was_slow: bool,
    /// How many batches were received since the backlog was served.
    reads: u32,
}

/// Whether the system reports when datagrams arrived. Under pressure only, since the reports cost time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timestamps {
    Off,
    On,
    Unsupported,
}

impl Overload {
    pub(in crate::engine::worker) fn new(socket: &SocketState) -> Self {
        let (limits, counters) = (Arc::clone(&socket.limits), Arc::clone(&socket.counters));
        Self {
            backlog: Backlog::new(limits, counters),
            now: Stamp::UNKNOWN,
            read: Stamp::UNKNOWN,
            begun: None,
            looked: Instant::now(),
            until: Instant::now(),
            next: None,
            serial: 0,
            full_since: None,
            pressed: None,
            timestamps: Timestamps::Off,
            is_behind: false,
            unlooked: 0,
            was_slow: false,
            reads: 0,
        }
    }

    /// The worker begins to work on a batch, and no datagram may be late.
    #[inline]
    pub(super) fn begin_unlimited(&mut self, receiving: &mut dyn RecvHalf) {
        if self.timestamps == Timestamps::On {
            receiving.set_timestamps(None);
            self.timestamps = Timestamps::Off;
        }
        (self.now, self.read) = (Stamp::UNKNOWN, Stamp::UNKNOWN);
        (self.begun, self.is_behind) = (None, false);
    }

    /// The worker begins to work on a batch whose first datagram arrived at the time `first`.
    pub(super) fn begin(
        &mut self,
        first: Stamp,
        receiving: &mut dyn RecvHalf,
        socket: &SocketState,
    ) {
        self.was_slow = self.is_on();
        let now = self.look(socket);
        self.begun = Some(now);
        let full = now.saturating_duration_since(*self.full_since.get_or_insert(now));
        let has_waited = self.now.age(first) >= TARGET;
        if full >= TARGET || has_waited {
            self.pressed = Some(now);
        }
        self.time_arrivals(now, receiving, socket);
        self.is_behind = match self.timestamps {
            Timestamps::Off => false,
            Timestamps::On => has_waited,
            Timestamps::Unsupported => full >= INTERVAL,
        };
    }

    /// Switches the reports of the system on under pressure, and off afterwards.
    fn time_arrivals(&mut self, now: Instant, receiving: &mut dyn RecvHalf, socket: &SocketState) {
        let calm = self.pressed.map(|pressed| now.saturating_duration_since(pressed));
        match self.timestamps {
            Timestamps::Off if calm == Some(Duration::ZERO) => {
                self.timestamps = match receiving.set_timestamps(Some(&socket.limits)) {
                    true => Timestamps::On,
                    false => Timestamps::Unsupported,
                };
            }
            Timestamps::On if calm.is_none_or(|calm| calm > CALM) => {
                receiving.set_timestamps(None);
                self.timestamps = Timestamps::Off;
            }
            _ => {}
        }
    }

    /// The worker begins to serve the backlog.
    pub(in crate::engine::worker) fn begin_backlog(&mut self, socket: &SocketState) {
        self.reads = 0;
        self.until = self.look(socket) + SLICE;
    }

    /// Whether the backlog was served for long enough.
    pub(super) fn slice_is_over(&self) -> bool {
        self.looked >= self.until
    }

    /// Whether a datagram of the backlog must not wait any more.
    #[inline]
    pub(in crate::engine::worker) const fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// The worker has worked on one more datagram.
    #[inline]
    pub(in crate::engine::worker) fn go_on(&mut self, socket: &SocketState) {
        if let Some(begun) = self.begun
            && !self.is_behind
        {
            self.unlooked += 1;
            if !self.was_slow && self.unlooked < UNLOOKED {
                return;
            }
            self.unlooked = 0;
            let now = self.look(socket);
            self.is_behind = now.saturating_duration_since(begun) >= TARGET;
        }
    }

    /// The worker has worked on a batch. If it `has_many` datagrams, there are probably more.
    #[inline]
    pub(in crate::engine::worker) const fn end(&mut self, has_many: bool) {
        self.reads = self.reads.saturating_add(1);
        if !has_many {
            self.full_since = None;
        }
    }

    /// Looks at the clock.
    pub(super) fn look(&mut self, socket: &SocketState) -> Instant {
        let (now, queue_time) = (Instant::now(), socket.limits.queue_time());
        self.now = if queue_time.is_limited() { queue_time.stamp(now) } else { Stamp::UNKNOWN };
        self.looked = now;
        now
    }

    /// Whether datagrams of new peers wait.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.is_behind || !self.backlog.is_empty()
    }

    /// Whether it is time to serve the backlog before anything else is received.
    pub(in crate::engine::worker) const fn has_waited(&self) -> bool {
        self.reads >= MAX_READS
    }
}
