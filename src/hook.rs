//! Futures of the user's code whose panics are caught.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    events,
    panic::{self, Panicked},
};

/// A future of the user's code whose panics are caught, both when it is polled and when it is dropped.
pub(crate) struct Hook<'a, T> {
    future: Option<Pin<Box<dyn Future<Output = T> + Send + 'a>>>,
    /// The text to log if it panics when it is dropped. No code may wait for its result then.
    failed: &'static str,
}

impl<'a, T> Hook<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'a, failed: &'static str) -> Self {
        Self { future: Some(Box::pin(future)), failed }
    }
}

impl<T> Future for Hook<'_, T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut().expect("a future is not polled after its end");
        let output = ready!(panic::poll(future.as_mut(), cx));
        let future = self.future.take();
        let dropped = panic::catch(|| drop(future));
        Poll::Ready(output.and_then(|output| dropped.map(|()| output)))
    }
}

impl<T> Drop for Hook<'_, T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take()
            && let Err(panicked) = panic::catch(|| drop(future))
        {
            events::hook_failed(self.failed, &panicked);
        }
    }
}

impl<T> fmt::Debug for Hook<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
