//! Lets the exchanges of a client run one after another, in the order in which they have asked.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::Instant,
};

use crate::lock::locked;

/// What one thread has at a time. The condition variable of `std` does not say which thread runs next: without a line, a
/// thread that asks again and again would take it each time.
#[derive(Debug)]
pub(super) struct Turns<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// `None` while a thread has it.
    free: Option<T>,
    /// The numbers of the threads that wait.
    line: VecDeque<u64>,
    next: u64,
    is_closed: bool,
}

impl<T> Turns<T> {
    pub(super) const fn new(value: T) -> Self {
        let state = State { free: Some(value), line: VecDeque::new(), next: 0, is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for the turn of this thread. Returns `None` if it does not come before `deadline`, or after
    /// [`close`](Self::close).
    pub(super) fn take(&self, deadline: Instant) -> Option<T> {
        let mut state = locked(&self.state);
        let number = state.next;
        state.next += 1;
        state.line.push_back(number);
        let taken = loop {
            if state.is_closed {
                break None;
            }
            if state.line.front() == Some(&number)
                && let Some(value) = state.free.take()
            {
                break Some(value);
            }
            let Some(wait) = deadline.checked_duration_since(Instant::now()) else { break None };
            let woken = self.changed.wait_timeout(state, wait);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        };
        state.line.retain(|other| *other != number);
        drop(state);
        if taken.is_none() {
            // Another one may be the first now.
            self.changed.notify_all();
        }
        taken
    }

    /// Ends the turn of a thread.
    pub(super) fn put_back(&self, value: T) {
        locked(&self.state).free = Some(value);
        self.changed.notify_all();
    }

    /// From now on nobody gets a turn.
    pub(super) fn close(&self) {
        locked(&self.state).is_closed = true;
        self.changed.notify_all();
    }

    /// How many threads wait.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        locked(&self.state).line.len()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// Waits until so many threads wait.
    fn until(turns: &Turns<u8>, waiting: usize) {
        while turns.waiting() < waiting {
            thread::yield_now();
        }
    }

    //
    #[test]
    fn turns_come_in_the_order_in_which_threads_have_asked() {
        let turns = Turns::new(7);
        let value = turns.take(far()).unwrap();
        let (tell, order) = mpsc::channel();
        thread::scope(|scope| {
            for n in 1..=8 {
                let (tell, turns) = (tell.clone(), &turns);
                scope.spawn(move || {
                    let value = turns.take(far()).unwrap();
                    tell.send(n).unwrap();
                    turns.put_back(value);
                });
                until(turns, n);
            }
            turns.put_back(value);
            // This thread asks again at once, and is the last one.
            let value = turns.take(far()).unwrap();
            tell.send(9).unwrap();
            turns.put_back(value);
        });

        assert_eq!(order.try_iter().collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    }

    //
    #[test]
    fn a_thread_that_gives_up_or_is_closed_leaves_the_line() {
        let turns = Turns::new(7);
        let value = turns.take(far()).unwrap();
        assert_eq!(turns.take(Instant::now()), None);
        assert_eq!(turns.waiting(), 0);

        thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.take(far()));
            until(&turns, 1);
            turns.close();
            assert_eq!(waiting.join().unwrap(), None);
        });
        turns.put_back(value);
        assert_eq!((turns.take(far()), turns.waiting()), (None, 0));
    }
}
