//! Receives a packet: from the batch of the worker, or from the mailbox.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    task::coop,
    time::{Instant, sleep_until},
};

use super::{
    Peer, Progress, Standing,
    leftover::keep,
    step::{Limit, Step},
};
use crate::{
    RecvError,
    socket::{SocketState, Taken, batch_context::BatchContext, mailbox::Waiting},
    stats::add,
};

impl<Req, Res> Peer<Req, Res> {
    /// Receives the next packet from this peer.
    ///
    /// It waits for at most [`Limits::idle_timeout`](crate::Limits::idle_timeout) (60 seconds by default), or for
    /// [`Limits::undecoded_timeout`](crate::Limits::undecoded_timeout) (5 seconds) while nothing of the peer has decoded.
    /// While a handler does not receive, the datagrams from its peer wait in order, up to the
    /// [limits](crate::Limits).
    ///
    /// # Errors
    ///
    /// - [`RecvError::Decode`]: the datagram is not a packet of the protocol. If it is the first datagram of
    ///   the conversation, return. Any host can send junk from any source address, and a conversation that
    ///   waits for more takes one of [`Limits::max_conversations`](crate::Limits::max_conversations). Later
    ///   in the conversation you may answer and go on. Do not answer in a format that the other side could
    ///   take for a request. Otherwise two servers could answer each other without end.
    /// - [`RecvError::Idle`]: the peer was silent for too long.
    /// - [`RecvError::Closed`]: a shutdown has begun. The handler has
    ///   [`Limits::shutdown_grace`](crate::Limits::shutdown_grace) to send a last packet.
    ///
    /// If a handler returns `Idle` or `Closed` with `?`, the conversation ends without a log entry. If it
    /// returns `Decode`, that is logged at DEBUG. The same holds for your own error if one of these is among
    /// its sources, or if it passes one through (`#[error(transparent)]` in thiserror).
    /// [`TimedOut`](RecvError::TimedOut) is an ordinary error: logged at ERROR and counted as failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost: the next call returns it.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Req, RecvError>> {
        Receiving { peer: self, step: Step::Within(Duration::MAX) }
    }

    /// Receives the next packet from this peer, and waits for at most `timeout`.
    ///
    /// A packet that has arrived already is returned even if `timeout` is zero.
    /// [`Limits::idle_timeout`](crate::Limits::idle_timeout) applies too: the shorter of the two ends the
    /// wait.
    ///
    /// # Errors
    ///
    /// The errors of [`recv`](Self::recv), and [`RecvError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    #[doc(alias = "timeout")]
    #[inline]
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> impl Future<Output = Result<Req, RecvError>> {
        Receiving { peer: self, step: Step::Within(timeout) }
    }

    /// Receives the next packet from this peer, and waits until `deadline` at most. Use it in a loop that
    /// skips some packets: the packets that it skips do not make it wait longer.
    ///
    /// A packet that has arrived already is returned even if `deadline` has passed.
    ///
    /// # Errors
    ///
    /// The errors of [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer};
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    ///
    /// /// Waits at most 5 seconds for the acknowledgment of this block, and skips other packets.
    /// async fn acknowledged(peer: &mut Peer<u16, String>, block: u16) -> Result<(), BoxError> {
    ///     let deadline = Instant::now() + Duration::from_secs(5);
    ///     while peer.recv_deadline(deadline).await? != block {}
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "timeout")]
    #[inline]
    pub fn recv_deadline(
        &mut self,
        deadline: Instant,
    ) -> impl Future<Output = Result<Req, RecvError>> {
        Receiving { peer: self, step: Step::Until(deadline) }
    }

    /// Receives the datagram that opened the conversation, if it is still in the worker's batch.
    #[inline]
    pub(super) fn receive_inline(&mut self) -> Option<Result<Req, RecvError>> {
        let Progress::Opening = self.progress else { return None };
        self.progress = Progress::Received;
        BatchContext::with(self.path.socket.id, |batch| {
            if !batch.open(self.serial) {
                return None;
            }
            if batch.passed.is_some() {
                self.passed = batch.passed.take();
                self.use_passed();
            }
            let datagram = batch.opening();
            if let Some(budget) = &self.path.budget {
                budget.received(datagram.len());
            }
            match self.path.protocol.decode(datagram) {
                Ok(packet) => {
                    self.standing = Standing::Packets;
                    if let Some(exchange) = &mut self.exchange {
                        exchange.received(datagram);
                    }
                    Some(Ok(packet))
                }
                Err(error) => {
                    keep(&mut self.leftover, &self.path.socket, datagram);
                    self.progress = Progress::Refused;
                    // If the conversation goes on, the worker tells the mailbox.
                    self.standing = Standing::Junk;
                    batch.refuse();
                    Some(Err(RecvError::Decode(error)))
                }
            }
        })
    }

    /// Takes the next datagram of the mailbox.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>) -> Next {
        let SocketState { counters, has_store, .. } = &*self.path.socket;
        self.path.socket.drop_late(&self.mailbox, false);
        if *has_store {
            return self.poll_ask(cx);
        }
        match self.mailbox.poll_take(cx, counters) {
            Poll::Ready(taken) => Next::Datagram(taken),
            Poll::Pending => Next::Nothing,
        }
    }

    #[cold]
    fn poll_ask(&mut self, cx: &mut Context<'_>) -> Next {
        let socket = &self.path.socket;
        match socket.poll_ask(&self.mailbox, self.addr(), self.is_validated(), cx) {
            Taken::Datagram(asked) => {
                self.mailbox.reset_late();
                Next::Datagram(asked.map(|asked| asked.released(&socket.counters)))
            }
            Taken::Unknown => Next::Unknown,
            Taken::Dropped => Next::Dropped,
            Taken::Nothing => Next::Nothing,
        }
    }

    /// Whether the reply store is asked about the next packet.
    pub(super) fn is_asking(&self) -> bool {
        self.path.socket.has_store && self.mailbox.is_asked()
    }

    pub(super) fn decode(&mut self, taken: Option<Waiting>) -> Result<Req, RecvError> {
        let (ancillary, body) = taken.ok_or(RecvError::Closed)?;
        self.path.socket.count_wait(ancillary.arrived);
        let (datagram, passed) = body.into_parts();
        self.learn(ancillary);
        self.accept(passed);
        add(&self.path.socket.counters.delivered, 1);
        self.progress = Progress::Received;
        if let Some(budget) = &self.path.budget {
            budget.received(datagram.len());
        }
        let decoded = self.path.protocol.decode(&datagram).map_err(|error| {
            keep(&mut self.leftover, &self.path.socket, &datagram);
            self.progress = Progress::Refused;
            if self.standing == Standing::Unknown {
                self.standing = Standing::Junk;
                self.mailbox.set_junk(true);
            }
            add(&self.path.socket.counters.decode_errors, 1);
            RecvError::Decode(error)
        });
        if decoded.is_ok() {
            if self.standing == Standing::Junk {
                self.mailbox.set_junk(false);
            }
            self.standing = Standing::Packets;
            if let Some(exchange) = &mut self.exchange {
                exchange.received(&datagram);
            }
        }
        decoded
    }
}

/// What waits in the mailbox.
pub(super) enum Next {
    /// This datagram, or `None` once the mailbox is closed.
    Datagram(Option<Waiting>),
    /// A datagram that the reply store is asked about.
    Unknown,
    /// A datagram that the reply store knows was dropped. There may be others.
    Dropped,
    Nothing,
}

/// The future of [`Peer::recv`]. It is written by hand, because most of these futures complete at the first
/// poll. Then they cost almost nothing, and nothing has to be dropped.
pub(super) struct Receiving<'p, Req, Res> {
    pub(super) peer: &'p mut Peer<Req, Res>,
    pub(super) step: Step,
}

impl<Req, Res> Receiving<'_, Req, Res> {
    /// Returns the packet that was put back, if there is one.
    #[cold]
    fn poll_leftover(&mut self, cx: &mut Context<'_>) -> Poll<Option<Req>> {
        if self.peer.has_put_back() {
            // A handler that puts the packet back again and again must still yield to other tasks.
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        Poll::Ready(self.peer.receive_put_back())
    }

    /// From now on the limit is a time.
    fn begin_limit(&mut self) {
        if let Step::Within(timeout) = self.step
            && let Some(until) = Instant::now().checked_add(timeout)
        {
            self.step = Step::Until(until);
        }
    }

    /// The limit that is over, if it is.
    fn limit_over(&self) -> Option<Limit> {
        let (limit, until) = match self.step {
            Step::Within(_) => return None,
            Step::Until(until) | Step::Undisturbed(until) => (Limit::Timeout, until),
            Step::Waiting(limit) | Step::Rereading(limit, _) => {
                (limit, self.peer.timer.as_ref()?.deadline())
            }
        };
        (!matches!(limit, Limit::None) && until <= Instant::now()).then_some(limit)
    }

    fn poll_mailbox(&mut self, cx: &mut Context<'_>) -> Poll<Result<Req, RecvError>> {
        // A handler whose peer always has another datagram for it must still yield to other tasks.
        let budget = ready!(coop::poll_proceed(cx));
        // Checked before the mailbox: when the round is done, a datagram that came in time is in the mailbox.
        let too_late = match self.step {
            Step::Rereading(_, round) => self.peer.path.socket.reread.poll(round, cx).is_ready(),
            _ => false,
        };
        // A datagram that is taken is returned in the same poll, so a cancellation cannot lose it.
        match self.peer.poll_take(cx) {
            Next::Datagram(taken) => {
                budget.made_progress();
                return Poll::Ready(self.peer.decode(taken));
            }
            Next::Unknown => {
                // It has arrived, so no limit ends the wait now. If it is dropped, the limit has not become longer.
                self.begin_limit();
                return Poll::Pending;
            }
            Next::Dropped => {
                self.begin_limit();
                // What has arrived in time is still looked at: at most a full queue.
                if let Some(limit) = self.limit_over()
                    && self.peer.mailbox.dropped_late()
                        > self.peer.path.socket.limits.max_queue_len()
                {
                    budget.made_progress();
                    self.peer.mailbox.reset_late();
                    return Poll::Ready(Err(limit.error()));
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Next::Nothing => {}
        }
        let limit = match self.step {
            Step::Within(timeout) => self.begin_to_wait(timeout, Instant::now),
            Step::Until(deadline) => {
                let now = Instant::now();
                self.begin_to_wait(deadline.saturating_duration_since(now), || now)
            }
            Step::Undisturbed(deadline) => {
                let now = Instant::now();
                self.set_timer(deadline.saturating_duration_since(now), Limit::Timeout, || now)
            }
            Step::Waiting(limit) => Some(limit),
            Step::Rereading(limit, _) if too_late => {
                budget.made_progress();
                return Poll::Ready(Err(limit.error()));
            }
            Step::Rereading(..) => return Poll::Pending,
        };
        let Some(limit) = limit else {
            // A handler that calls this again and again must still yield to other tasks.
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

    /// Sets the timer to this timeout or to the idle timeout.
    fn begin_to_wait(&mut self, timeout: Duration, now: impl Fn() -> Instant) -> Option<Limit> {
        let limits = &self.peer.path.socket.limits;
        let mut idle = limits.idle_timeout().unwrap_or(Duration::MAX);
        if self.peer.standing == Standing::Junk {
            idle = idle.min(limits.undecoded_timeout());
        }
        let (within, limit) =
            if timeout <= idle { (timeout, Limit::Timeout) } else { (idle, Limit::Idle) };
        self.set_timer(within, limit, now)
    }

    /// Sets the timer, which all `recv` calls of a conversation share. Returns the limit that the timer
    /// stands for, or `None` if there is no time to wait.
    fn set_timer(
        &mut self,
        within: Duration,
        limit: Limit,
        now: impl Fn() -> Instant,
    ) -> Option<Limit> {
        self.peer.forget_undecoded();
        if within.is_zero() {
            return None;
        }
        let Some(until) = now().checked_add(within) else {
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
