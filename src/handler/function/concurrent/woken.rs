//! Records which of several futures that share a task were woken.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
    task::{Context, Wake, Waker},
};

/// The numbers of the futures that were woken since their last poll.
#[derive(Debug, Default)]
pub(super) struct Woken(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    numbers: VecDeque<usize>,
    /// The waker of the task, until it is used.
    task: Option<Waker>,
}

impl Woken {
    /// Registers the waker of `cx` for the next wake, and moves the numbers of the woken futures to
    /// `numbers`.
    pub(super) fn take(&self, cx: &Context<'_>, numbers: &mut VecDeque<usize>) {
        let mut state = self.lock();
        numbers.append(&mut state.numbers);
        match &mut state.task {
            Some(task) => task.clone_from(cx.waker()),
            None => state.task = Some(cx.waker().clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one future.
#[derive(Debug)]
pub(super) struct Bell {
    number: usize,
    /// Whether the number is in the list of woken futures.
    rung: AtomicBool,
    woken: Arc<Woken>,
}

impl Bell {
    /// Makes the waker of a future that was not polled yet.
    pub(super) fn new(number: usize, woken: &Arc<Woken>) -> Arc<Self> {
        Arc::new(Self { number, rung: AtomicBool::new(true), woken: Arc::clone(woken) })
    }

    /// Must be called before the future is polled.
    pub(super) fn reset(&self) {
        self.rung.swap(false, AcqRel);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rung.swap(true, AcqRel) {
            return;
        }
        let mut state = self.woken.lock();
        state.numbers.push_back(self.number);
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}
