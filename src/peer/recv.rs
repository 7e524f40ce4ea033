use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    task::coop,
    time::{Instant, sleep_until},
};

use super::Peer;
use crate::RecvError;

/// What [`Peer::recv`] returns: made by hand, so that one that completes at once, as most do, costs
/// next to nothing and leaves nothing to be dropped.
pub(super) struct Receiving<'p, Req, Res> {
    peer: &'p mut Peer<Req, Res>,
    step: Step,
}

/// How far it has come. The times are looked at only where there is something to wait for.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// To wait for so long at most.
    Within(Duration),
    /// To wait until then.
    Until(Instant),
    /// It waits, for the datagram or for the timer.
    Waiting(Limit),
    /// The time is up. Once the worker has read the socket in this round, nothing has come in time.
    Rereading(Limit, u64),
}

/// What ends a `recv` that waits.
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

impl<'p, Req, Res> Receiving<'p, Req, Res> {
    pub(super) const fn new(peer: &'p mut Peer<Req, Res>, step: Step) -> Self {
        Self { peer, step }
    }

    /// How far it has come, for one that is made anew at each poll.
    pub(super) const fn step(&self) -> Step {
        self.step
    }

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
        // Before the mailbox is looked at: what came in time is in there when the round is done.
        let too_late = match self.step {
            Step::Rereading(_, round) => self.peer.path.socket.reread.poll(round, cx).is_ready(),
            _ => false,
        };
        // What is taken is returned at once: nothing is awaited after this that could be dropped.
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

    /// Sets the timer, which every `recv` of a conversation uses again; returns what it will tell, or nothing
    /// if it is not to wait at all.
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
