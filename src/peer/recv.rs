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
    timeout: Duration,
    /// Once it waits: the limit that will end it, if there is one.
    limit: Option<Limit>,
}

#[derive(Clone, Copy)]
enum Limit {
    None,
    Timeout,
    Idle,
}

impl<'p, Req, Res> Receiving<'p, Req, Res> {
    pub(super) const fn new(peer: &'p mut Peer<Req, Res>, timeout: Duration) -> Self {
        Self { peer, timeout, limit: None }
    }

    fn poll_mailbox(&mut self, cx: &mut Context<'_>) -> Poll<Result<Req, RecvError>> {
        // A peer that sends faster than its handler works must not keep the thread from the others.
        let budget = ready!(coop::poll_proceed(cx));
        // What is taken is returned at once: nothing is awaited after this that could be dropped.
        if let Poll::Ready(taken) = self.peer.mailbox.poll_take(cx, &self.peer.port.counters) {
            budget.made_progress();
            return Poll::Ready(self.peer.decode(taken));
        }
        let limit = match self.limit {
            Some(limit) => limit,
            None => match self.begin_to_wait() {
                Ok(limit) => limit,
                Err(error) => {
                    // A handler that asks again and again must not keep the thread either.
                    budget.made_progress();
                    return Poll::Ready(Err(error));
                }
            },
        };
        let error = match limit {
            Limit::None => return Poll::Pending,
            Limit::Timeout => RecvError::TimedOut,
            Limit::Idle => RecvError::Idle,
        };
        if let Some(timer) = &mut self.peer.timer {
            ready!(timer.as_mut().poll(cx));
        }
        budget.made_progress();
        Poll::Ready(Err(error))
    }

    /// Sets the timer, which every `recv` of a conversation uses again.
    fn begin_to_wait(&mut self) -> Result<Limit, RecvError> {
        let idle = self.peer.port.limits.idle.unwrap_or(Duration::MAX);
        let (within, mut limit) =
            if self.timeout <= idle { (self.timeout, Limit::Timeout) } else { (idle, Limit::Idle) };
        if within.is_zero() {
            return Err(RecvError::TimedOut);
        }
        match Instant::now().checked_add(within) {
            Some(until) => match &mut self.peer.timer {
                Some(timer) => timer.as_mut().reset(until),
                None => self.peer.timer = Some(Box::pin(sleep_until(until))),
            },
            None => limit = Limit::None,
        }
        self.limit = Some(limit);
        Ok(limit)
    }
}

impl<Req, Res> Future for Receiving<'_, Req, Res> {
    type Output = Result<Req, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.peer.receive_inline() {
            Some(packet) => Poll::Ready(packet),
            None => self.poll_mailbox(cx),
        }
    }
}
