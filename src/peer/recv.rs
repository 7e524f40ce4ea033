//! How a packet is received: from the batch of the worker, or from the mailbox.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    task::coop,
    time::{Instant, sleep_until},
};

use super::{Peer, Progress, leftover::keep};
use crate::{RecvError, socket::batch_context::BatchContext, stats::add, transport::Ancillary};

impl<Req, Res> Peer<Req, Res> {
    /// Receives the next packet of this peer.
    ///
    /// It waits as long as [`Limits::idle_timeout`](crate::Limits::idle_timeout) allows. While a handler does not
    /// receive, what its peer sends waits, in order, up to the [limits](crate::Limits).
    ///
    /// # Errors
    ///
    /// - [`RecvError::Decode`]: the datagram is not a packet. If it is the first one of the conversation, return:
    ///   anybody can send junk from any address, and a conversation that waits for more takes a place of
    ///   [`Limits::max_conversations`](crate::Limits::max_conversations). Later you may answer and go on, but
    ///   not in a format that the other side might take for a request.
    /// - [`RecvError::Idle`]: the peer was silent for too long.
    /// - [`RecvError::Closed`]: serving ends. There is a short grace to say goodbye.
    ///
    /// Passing `Idle` or `Closed` on with `?` ends the conversation quietly, and passing `Decode` on is
    /// logged at DEBUG only; also in an error of yours that has it as its source, or is transparent to it: that
    /// shows its text and source as its own.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost: the next call returns the one it would have.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Req, RecvError>> {
        Receiving { peer: self, step: Step::Within(Duration::MAX) }
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
        Receiving { peer: self, step: Step::Within(timeout) }
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
        Receiving { peer: self, step: Step::Until(deadline) }
    }

    /// Receives the datagram that opened the conversation, while it lies in the worker's batch.
    #[inline]
    pub(super) fn receive_inline(&mut self) -> Option<Result<Req, RecvError>> {
        let Progress::Opening = self.progress else { return None };
        self.progress = Progress::Received;
        BatchContext::with(self.path.socket.id, |batch| {
            let datagram = batch.open(self.serial)?;
            match self.path.protocol.decode(datagram) {
                Ok(packet) => Some(Ok(packet)),
                Err(error) => {
                    keep(&mut self.leftover, &self.path.socket, datagram);
                    self.progress = Progress::Refused;
                    batch.decode_errors += 1;
                    Some(Err(RecvError::Decode(error)))
                }
            }
        })
    }

    pub(super) fn decode(
        &mut self,
        taken: Option<(Ancillary, Box<[u8]>)>,
    ) -> Result<Req, RecvError> {
        let (ancillary, datagram) = taken.ok_or(RecvError::Closed)?;
        self.learn(ancillary);
        add(&self.path.socket.counters.delivered, 1);
        self.progress = Progress::Received;
        self.path.protocol.decode(&datagram).map_err(|error| {
            keep(&mut self.leftover, &self.path.socket, &datagram);
            self.progress = Progress::Refused;
            add(&self.path.socket.counters.decode_errors, 1);
            RecvError::Decode(error)
        })
    }
}

/// The future of [`Peer::recv`]. It is written by hand: most complete at once, and then it costs next to nothing and
/// leaves nothing to drop.
pub(super) struct Receiving<'p, Req, Res> {
    pub(super) peer: &'p mut Peer<Req, Res>,
    pub(super) step: Step,
}

/// The progress of a `recv`. It asks for the time only if it has to wait.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// It may wait for so long.
    Within(Duration),
    /// It may wait until then.
    Until(Instant),
    /// It waits for a datagram or the timer.
    Waiting(Limit),
    /// The timer has elapsed. It waits until the worker has read the socket in this round.
    Rereading(Limit, u64),
}

/// The limit of a `recv` that waits.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    None,
    Timeout,
    Idle,
}

impl Limit {
    const fn error(self) -> RecvError {
        match self {
            Self::None | Self::Timeout => RecvError::TimedOut,
            Self::Idle => RecvError::Idle,
        }
    }
}

impl<Req, Res> Receiving<'_, Req, Res> {
    /// Returns the packet that was put back, if there is one.
    #[cold]
    fn poll_leftover(&mut self, cx: &mut Context<'_>) -> Poll<Option<Req>> {
        if self.peer.has_put_back() {
            // A handler that puts it back again and again must not keep the thread either.
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        Poll::Ready(self.peer.receive_put_back())
    }

    fn poll_mailbox(&mut self, cx: &mut Context<'_>) -> Poll<Result<Req, RecvError>> {
        // A peer that sends faster than its handler works must not keep the thread from the others.
        let budget = ready!(coop::poll_proceed(cx));
        // Asked before the mailbox: when the round is done, a datagram that came in time is in there.
        let too_late = match self.step {
            Step::Rereading(_, round) => self.peer.path.socket.reread.poll(round, cx).is_ready(),
            _ => false,
        };
        // A datagram that is taken is returned at once, so no cancellation can lose it.
        if let Poll::Ready(taken) = self.peer.mailbox.poll_take(cx, &self.peer.path.socket.counters)
        {
            budget.made_progress();
            return Poll::Ready(self.peer.decode(taken));
        }
        let limit = match self.step {
            Step::Within(timeout) => self.begin_to_wait(timeout, None),
            Step::Until(deadline) => {
                let now = Instant::now();
                self.begin_to_wait(deadline.saturating_duration_since(now), Some(now))
            }
            Step::Waiting(limit) => Some(limit),
            Step::Rereading(limit, _) if too_late => {
                budget.made_progress();
                return Poll::Ready(Err(limit.error()));
            }
            Step::Rereading(..) => return Poll::Pending,
        };
        let Some(limit) = limit else {
            // A handler that asks again and again must not keep the thread either.
            budget.made_progress();
            return Poll::Ready(Err(RecvError::TimedOut));
        };
        self.step = Step::Waiting(limit);
        match (limit, &mut self.peer.timer) {
            (Limit::Timeout | Limit::Idle, Some(timer)) => ready!(timer.as_mut().poll(cx)),
            _ => return Poll::Pending,
        }
        self.step = Step::Rereading(limit, self.peer.path.socket.ask_for_reread(cx));
        Poll::Pending
    }

    /// Sets the timer, which each `recv` of a conversation uses again; returns the limit that it stands for, or `None`
    /// if there is no time to wait.
    fn begin_to_wait(&mut self, timeout: Duration, now: Option<Instant>) -> Option<Limit> {
        self.peer.forget_undecoded();
        let idle = self.peer.path.socket.limits.idle_timeout.unwrap_or(Duration::MAX);
        let (within, limit) =
            if timeout <= idle { (timeout, Limit::Timeout) } else { (idle, Limit::Idle) };
        if within.is_zero() {
            return None;
        }
        let Some(until) = now.unwrap_or_else(Instant::now).checked_add(within) else {
            return Some(Limit::None);
        };
        match &mut self.peer.timer {
            Some(timer) => timer.as_mut().reset(until),
            None => self.peer.timer = Some(Box::pin(sleep_until(until))),
        }
        Some(limit)
    }
}

impl<Req, Res> Future for Receiving<'_, Req, Res> {
    type Output = Result<Req, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.peer.leftover.is_some()
            && let Some(packet) = ready!(self.poll_leftover(cx))
        {
            return Poll::Ready(Ok(packet));
        }
        match self.peer.receive_inline() {
            Some(packet) => Poll::Ready(packet),
            None => self.poll_mailbox(cx),
        }
    }
}
