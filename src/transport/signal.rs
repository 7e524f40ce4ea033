//! A signal that wakes the worker of a socket.

use std::{
    sync::{Mutex, PoisonError},
    task::{Context, Waker},
};

/// Wakes the one task that drives a socket.
#[derive(Debug, Default)]
pub(crate) struct Signal(Mutex<Option<Waker>>);

impl Signal {
    /// The next [`wake`](Self::wake) wakes the task of `cx`. The caller must look for work after this call,
    /// otherwise it can miss a wake-up.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut waker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
