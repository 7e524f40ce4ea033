//! The outbox: everything that one socket sends goes through it.

mod at_once;
mod backlog;
mod held;
mod lines;
mod replies;

use std::{
    io, mem,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use backlog::Backlog;
use held::Held;
use lines::Lines;
use tokio::{sync::Notify, time::Instant};

use crate::{
    Addr, SendError,
    events::Events,
    limits::LiveLimits,
    stats::{Counters, add},
    transport::{Route, SendBatch, Signal, Transport},
};

/// Sends the datagrams of one socket, for its worker and for all other senders. It keeps the order per peer.
///
/// - A conversation that is polled inline puts replies into the batch of its `BatchContext`; they leave
///   together when the batch ends.
/// - Other senders send at once, unless a batch is in progress or the kernel has no room. Then the datagram
///   joins the backlog, which the worker sends after its own batch.
/// - While the backlog is not empty, inline replies join it too, so that they do not overtake earlier
///   datagrams.
#[derive(Debug)]
pub(crate) struct Outbox {
    transport: Box<dyn Transport>,
    /// Whether the transport sends each datagram at once. Then there is no backlog, but replies of functions may
    /// wait.
    at_once: bool,
    lines: Lines,
    /// Rises when the first reply of a function joins a batch, and when the batch is sent.
    rounds: AtomicU64,
    counters: Arc<Counters>,
    events: Arc<Events>,
    limits: Arc<LiveLimits>,
    state: Mutex<State>,
    /// How many datagrams the backlog holds, or how many replies of functions are held. It can be read without the
    /// lock.
    backlog: AtomicUsize,
    room: Notify,
    /// Wakes the worker.
    pub(crate) signal: Signal,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    batch: bool,
    backlog: Backlog,
    held: Held,
    /// What the kernel refused of replies that left in the middle of a batch.
    untold: Refusals,
    /// The time of the last event in the log about datagrams that found no room.
    told: Option<Instant>,
}

/// Whether a batch goes on after its replies are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// It goes on: datagrams of other senders still wait for its end.
    GoesOn,
    IsOver,
}

/// The shortest time between two events in the log about datagrams that found no room. While the kernel has
/// no room, some are dropped every few milliseconds.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Datagrams that the kernel has refused. An empty list allocates nothing.
type Refusals = Vec<(Addr, io::Error)>;

/// How many datagrams or bytes of replies a batch collects before they are sent.
const REPLIES: usize = 256;
const REPLIES_BYTES: usize = 1 << 20;

impl Outbox {
    pub(crate) fn new(
        transport: Box<dyn Transport>,
        counters: Arc<Counters>,
        events: Arc<Events>,
        limits: Arc<LiveLimits>,
    ) -> Self {
        Self {
            at_once: transport.sends_at_once(),
            lines: Lines::default(),
            rounds: AtomicU64::new(0),
            transport,
            counters,
            events,
            limits,
            state: Mutex::default(),
            backlog: AtomicUsize::new(0),
            room: Notify::new(),
            signal: Signal::default(),
        }
    }

    /// How long a datagram may wait for room in the kernel.
    fn limit(&self) -> Duration {
        self.limits.send_timeout()
    }

    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    pub(crate) fn open(&self) {
        if self.has_batched() {
            // The last serving was dropped in the middle of a batch.
            self.next_round();
        }
        self.lock().open = true;
    }

    /// Refuses all datagrams from now on, and drops those that the kernel had no room for.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        let unsent = (state.backlog.len() + state.held.clear()) as u64;
        let untold = mem::take(&mut state.untold);
        state.open = false;
        state.batch = false;
        state.backlog = Backlog::default();
        self.backlog.store(0, Ordering::Release);
        drop(state);
        add(&self.counters.send_errors, unsent);
        self.room.notify_waiters();
        self.tell(untold);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Whether the next inline reply may go into the batch `replies`.
    pub(crate) fn takes_inline(&self, replies: &mut SendBatch) -> bool {
        if replies.len() >= REPLIES || replies.bytes() >= REPLIES_BYTES {
            self.send_inline(replies);
        }
        self.backlog.load(Ordering::Acquire) == 0
    }

    /// From now on only the worker sends. Datagrams of other senders wait for the end of the batch.
    pub(crate) fn begin_batch(&self) {
        self.lock().batch = true;
    }

    /// Sends `replies`, which are older than the whole backlog. If the batch is over, it sends the backlog
    /// too, and from then on all senders may send.
    pub(crate) fn send_replies(&self, replies: &mut SendBatch, batch: Batch) {
        let mut refusals = self.send_all(replies, batch);
        let mut untold = mem::take(&mut self.lock().untold);
        untold.append(&mut refusals);
        self.tell(untold);
    }

    /// Sends `replies` while a conversation is polled. Other conversations may have sent them, so this is not the
    /// place to log what the kernel refuses: the event would be in the span of the wrong conversation.
    pub(crate) fn send_inline(&self, replies: &mut SendBatch) {
        let mut refusals = self.send_all(replies, Batch::GoesOn);
        self.lock().untold.append(&mut refusals);
    }

    fn send_all(&self, replies: &mut SendBatch, batch: Batch) -> Refusals {
        if self.at_once {
            return self.send_batched(replies);
        }
        // No other sender sends during a batch, so this needs no lock. But the outbox may be closed: a task
        // may have dropped the future of `serve` in the middle of the batch.
        let open = replies.is_empty() || self.is_open();
        let (done, mut refusals) =
            if open { self.send_batch(replies) } else { (false, Vec::new()) };
        let mut state = self.lock();
        state.batch = batch == Batch::GoesOn;
        if !state.open {
            add(&self.counters.send_errors, replies.len() as u64);
            *replies = SendBatch::default();
        } else if !done {
            state.backlog.prepend(replies);
            self.backlog.store(state.backlog.len(), Ordering::Release);
        } else if !state.batch && !state.backlog.is_empty() {
            refusals.append(&mut self.flush(&mut state));
        }
        refusals
    }

    /// Sends the datagrams that wait for room in the kernel. It is pending while some still wait.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<()> {
        while self.backlog.load(Ordering::Acquire) > 0 {
            if self.at_once {
                // The kernel does not report when a peer has room.
                return Poll::Pending;
            }
            // An error means that the runtime is shutting down, and so is the worker.
            let Poll::Ready(Ok(())) = self.transport.poll_send_ready(cx) else {
                return Poll::Pending;
            };
            let mut state = self.lock();
            let refusals = self.flush(&mut state);
            drop(state);
            self.tell(refusals);
        }
        Poll::Ready(())
    }

    /// The time when the oldest datagram has waited for room for the longest allowed time, or when replies that are
    /// held are to be tried again; `None` if none waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        if self.at_once { state.held.next_try() } else { state.backlog.deadline(self.limit()) }
    }

    /// Drops datagrams that have waited for room for the longest allowed time, or tries replies again that are
    /// held.
    pub(crate) fn expire(&self) {
        if self.at_once {
            return self.retry_held();
        }
        let mut state = self.lock();
        let expired = state.backlog.expire(self.limit());
        self.backlog.store(state.backlog.len(), Ordering::Release);
        if expired == 0 {
            return;
        }
        let now = Instant::now();
        let tell = state.told.is_none_or(|told| now - told >= TOLD_EVERY);
        if tell {
            state.told = Some(now);
        }
        drop(state);
        add(&self.counters.send_timeouts, expired as u64);
        self.room.notify_waiters();
        if tell {
            self.events.no_room(self.transport.local_addr(), expired, self.limit());
        }
    }

    /// Whether nothing waits for room.
    pub(crate) fn is_flushed(&self) -> bool {
        self.backlog.load(Ordering::Acquire) == 0
    }

    /// Sends one encoded datagram. While the backlog is full, it waits, but not longer than `limit`.
    pub(crate) async fn send(&self, to: &Route, datagram: &[u8]) -> Result<(), SendError> {
        let since = Instant::now();
        loop {
            let mut room = pin!(self.room.notified());
            // Register first: otherwise a notification between the two steps could be missed.
            room.as_mut().enable();
            // After `limit`, the datagram must not wait in the backlog as well.
            let late = since.elapsed() >= self.limit();
            if (!late || self.is_flushed()) && self.try_send(to, datagram)? {
                return Ok(());
            }
            if late {
                add(&self.counters.send_timeouts, 1);
                return if self.is_open() { Ok(()) } else { Err(SendError::Closed) };
            }
            // The worker drops datagrams that have waited too long, so there will be room.
            room.await;
        }
    }

    /// Sends one datagram, or puts it into the backlog; returns false if the backlog is full.
    pub(crate) fn try_send(&self, to: &Route, datagram: &[u8]) -> Result<bool, SendError> {
        let mut state = self.lock();
        if !state.open {
            return Err(SendError::Closed);
        }
        let mut full = false;
        while !state.batch && !full && state.backlog.is_empty() {
            match self.transport.try_send(to, datagram) {
                Ok(()) => {
                    self.counters.sent(1, datagram.len());
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => full = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    drop(state);
                    self.tell(vec![(to.peer.clone(), error)]);
                    return Ok(true);
                }
            }
        }
        if state.backlog.is_full() {
            return Ok(false);
        }
        if full {
            state.backlog.block();
        }
        state.backlog.push(to, datagram);
        self.backlog.store(state.backlog.len(), Ordering::Release);
        drop(state);
        if full {
            // Only now that the datagram is in the backlog, because the worker looks once and then waits again.
            self.signal.wake();
        }
        Ok(true)
    }

    fn flush(&self, state: &mut State) -> Refusals {
        let mut refusals = Vec::new();
        let before = state.backlog.len();
        state.backlog.flush(|batch| {
            let (done, mut refused) = self.send_batch(batch);
            refusals.append(&mut refused);
            done
        });
        let left = state.backlog.len();
        self.backlog.store(left, Ordering::Release);
        if left == 0 {
            self.room.notify_waiters();
        } else {
            // Wakes as many senders as there is room for, in the order in which they came.
            (left..before).for_each(|_| self.room.notify_one());
        }
        refusals
    }

    /// Sends as many datagrams as the kernel has room for; returns whether it sent all.
    fn send_batch(&self, batch: &mut SendBatch) -> (bool, Refusals) {
        let mut refusals = Vec::new();
        if batch.is_empty() {
            return (true, refusals);
        }
        let (before, bytes) = (batch.len(), batch.bytes());
        let done =
            self.transport.send_batch(batch, &mut |to, error| refusals.push((to.clone(), error)));
        self.counters.sent(before - batch.len() - refusals.len(), bytes - batch.bytes());
        (done, refusals)
    }

    /// Counts and logs the datagrams that the kernel refused. The caller must hold no lock, because a
    /// subscriber may send.
    fn tell(&self, refusals: Refusals) {
        for (to, error) in refusals {
            add(&self.counters.send_errors, 1);
            self.events.warn(&to, &error, "a datagram could not be sent");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
