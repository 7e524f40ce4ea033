//! How conversations with an elapsed timeout ask the worker to read the socket once more.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Conversations whose timeout has elapsed. They wait until the worker has read all datagrams that had
/// arrived by then.
///
/// If the whole process was paused, a timer can elapse although a datagram arrived in time. The datagram has
/// priority: no timeout is reported before the worker has read the socket once more.
#[derive(Debug, Default)]
pub(crate) struct Reread {
    /// Whether a conversation has joined the open round. It can be read without the lock.
    asked: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The round that the next caller joins.
    open: u64,
    /// The first round that is not done.
    undone: u64,
    wakers: Vec<Waker>,
}

impl Reread {
    /// Asks the worker to read the socket once more; returns the round to wait for. The caller must wake the
    /// worker.
    pub(crate) fn ask(&self, cx: &Context<'_>) -> u64 {
        let mut state = self.lock();
        state.wakers.push(cx.waker().clone());
        self.asked.store(true, Ordering::Release);
        state.open
    }

    /// Completes when the worker has read the socket in `round`.
    pub(crate) fn poll(&self, round: u64, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if round < state.undone {
            return Poll::Ready(());
        }
        // A task that is polled for another reason is in the list already.
        if !state.wakers.last().is_some_and(|last| last.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// For the worker: begins a round, if a conversation has asked for one.
    pub(crate) fn begin(&self) -> Option<u64> {
        if !self.asked.load(Ordering::Relaxed) || !self.asked.swap(false, Ordering::Acquire) {
            return None;
        }
        let mut state = self.lock();
        state.open += 1;
        Some(state.open - 1)
    }

    /// For the worker: ends a round, after it has read the socket until nothing was left.
    pub(crate) fn finish(&self, round: u64) {
        let mut state = self.lock();
        state.undone = round + 1;
        let wakers = mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    //
    #[test]
    fn a_request_during_a_round_waits_for_the_next_round() {
        let reread = Reread::default();
        assert_eq!(reread.begin(), None);
        let early = reread.ask(&cx());

        let round = reread.begin().unwrap();
        let late = reread.ask(&cx());
        assert!(reread.poll(early, &cx()).is_pending());
        reread.finish(round);

        assert!(reread.poll(early, &cx()).is_ready());
        assert!(reread.poll(late, &cx()).is_pending());
        reread.finish(reread.begin().unwrap());
        assert!(reread.poll(late, &cx()).is_ready());
        assert_eq!(reread.begin(), None);
    }
}
