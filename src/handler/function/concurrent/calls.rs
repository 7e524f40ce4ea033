//! Calls of a function that run at the same time, in one task.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::woken::{Bell, Woken};
use crate::panic::{self, Panicked};

/// The calls that run. Only those that were woken are polled.
pub(super) struct Calls<'a, F> {
    slots: Vec<Slot<'a, F>>,
    /// The slots where no call runs.
    free: Vec<usize>,
    woken: Arc<Woken>,
    /// The slots that must be polled.
    due: VecDeque<usize>,
}

/// A slot for calls, one after the other.
struct Slot<'a, F> {
    call: Place<'a, F>,
    runs: bool,
    bell: Arc<Bell>,
    waker: Waker,
}

enum Place<'a, F> {
    /// The first call, which is usually the only one.
    Lent(Pin<&'a mut Option<F>>),
    Own(Pin<Box<Option<F>>>),
}

impl<F: Future> Place<'_, F> {
    fn call(&mut self) -> Option<Pin<&mut F>> {
        match self {
            Self::Lent(call) => call.as_mut().as_pin_mut(),
            Self::Own(call) => call.as_mut().as_pin_mut(),
        }
    }
}

impl<'a, F: Future> Calls<'a, F> {
    /// Starts with one call, which has been polled before with another waker.
    pub(super) fn new(first: Pin<&'a mut Option<F>>) -> Self {
        let mut calls = Self {
            slots: Vec::new(),
            free: Vec::new(),
            woken: Arc::default(),
            due: VecDeque::new(),
        };
        calls.add(Place::Lent(first));
        calls
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Adds a call. It runs at the next poll.
    pub(super) fn start(&mut self, call: F) {
        let Some(number) = self.free.pop() else {
            return self.add(Place::Own(Box::pin(Some(call))));
        };
        let slot = &mut self.slots[number];
        match &mut slot.call {
            Place::Own(place) => place.set(Some(call)),
            place @ Place::Lent(_) => *place = Place::Own(Box::pin(Some(call))),
        }
        slot.runs = true;
        self.due.push_back(number);
    }

    fn add(&mut self, call: Place<'a, F>) {
        let number = self.slots.len();
        let bell = Bell::new(number, &self.woken);
        let waker = Waker::from(Arc::clone(&bell));
        self.slots.push(Slot { call, runs: true, bell, waker });
        self.due.push_back(number);
    }

    /// Completes with the output of a call that has completed.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<F::Output, Panicked>> {
        self.woken.take(cx, &mut self.due);
        while let Some(number) = self.due.pop_front() {
            let slot = &mut self.slots[number];
            slot.bell.reset();
            // A waker of an earlier call may still wake its slot.
            let Some(call) = slot.call.call().filter(|_| slot.runs) else { continue };
            let Poll::Ready(output) = panic::poll(call, &mut Context::from_waker(&slot.waker))
            else {
                continue;
            };
            slot.runs = false;
            self.free.push(number);
            let dropped = self.clear(number);
            // A panic of the destructors is reported only if the call itself did not panic.
            return Poll::Ready(output.and_then(|output| dropped.map(|()| output)));
        }
        Poll::Pending
    }

    fn clear(&mut self, number: usize) -> Result<(), Panicked> {
        match &mut self.slots[number].call {
            Place::Own(place) => panic::catch(|| place.set(None)),
            Place::Lent(place) => panic::catch(|| place.set(None)),
        }
    }
}

impl<F> Drop for Calls<'_, F> {
    fn drop(&mut self) {
        for slot in &mut self.slots {
            // Each panic is caught separately, because two panics at the same time would abort the process.
            let _ = match &mut slot.call {
                Place::Own(place) => panic::catch(|| place.set(None)),
                Place::Lent(place) => panic::catch(|| place.set(None)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    // D-28
    #[test]
    fn only_calls_that_were_woken_are_polled_and_each_waker_wakes_its_own() {
        let wakers = std::cell::RefCell::new(vec![None::<Waker>; 3]);
        let polls = [const { AtomicUsize::new(0) }; 3];
        let done = [const { AtomicUsize::new(0) }; 3];
        let call = |n: usize| {
            let (wakers, polls, done) = (&wakers, &polls, &done);
            poll_fn(move |cx| {
                polls[n].fetch_add(1, Relaxed);
                wakers.borrow_mut()[n] = Some(cx.waker().clone());
                if done[n].load(Relaxed) > 0 { Poll::Ready(n) } else { Poll::Pending }
            })
        };
        let polled = || polls.each_ref().map(|polls| polls.load(Relaxed));
        let mut first = pin!(Some(call(0)));
        let task = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&task));
        let cx = Context::from_waker(&waker);
        let mut calls = Calls::new(first.as_mut());
        calls.start(call(1));
        calls.start(call(2));

        assert!(calls.poll(&cx).is_pending());
        assert!(calls.poll(&cx).is_pending());
        assert_eq!((polled(), calls.len()), ([1, 1, 1], 3));

        done[1].store(1, Relaxed);
        let wake = |n: usize| wakers.borrow()[n].as_ref().unwrap().wake_by_ref();
        wake(1);
        wake(1);
        wake(2);
        assert_eq!(task.0.load(Relaxed), 1);
        assert!(matches!(calls.poll(&cx), Poll::Ready(Ok(1))));
        assert!(calls.poll(&cx).is_pending());
        assert_eq!((polled(), calls.len()), ([1, 2, 2], 2));

        // The waker of a completed call wakes no other call.
        wake(1);
        assert!(calls.poll(&cx).is_pending());
        assert_eq!(polled(), [1, 2, 2]);
        done[0].store(1, Relaxed);
        wake(0);
        assert!(matches!(calls.poll(&cx), Poll::Ready(Ok(0))));
        assert_eq!(calls.len(), 1);
    }
}
