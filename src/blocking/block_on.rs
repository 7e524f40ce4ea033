//! Waits for a future on a thread without a runtime.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

use tokio::runtime::Handle;

/// Waits for `future`. It must not need a runtime.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let output = block_on_until(future, None);
    output.unwrap_or_else(|| unreachable!("without a deadline it waits for the output"))
}

/// Waits for `future` until `deadline`, and then drops it. It is polled at least once.
pub(super) fn block_on_until<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        // A thread may be unparked without a reason, so the clock decides.
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(left) if left.is_zero() => return None,
            Some(left) => thread::park_timeout(left),
        }
    }
}

/// Polls `future` once, and then drops it.
pub(super) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Whether this thread belongs to an async runtime. It must not be blocked then, because other tasks may
/// need it.
pub(super) fn is_inside_runtime() -> bool {
    Handle::try_current().is_ok()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use tokio::sync::oneshot;

    use super::*;

    // T-1
    #[test]
    fn a_future_that_another_thread_completes_wakes_the_thread_that_waits() {
        let (sender, receiver) = oneshot::channel();
        let waiting = thread::spawn(|| block_on(receiver));

        sender.send(42).unwrap();

        assert_eq!(waiting.join().unwrap(), Ok(42));
    }

    // T-2
    #[test]
    fn a_wait_ends_at_its_deadline_and_not_before() {
        let deadline = Instant::now() + Duration::from_millis(10);

        thread::current().unpark();
        assert_eq!(block_on_until(pending::<()>(), Some(deadline)), None);

        assert!(Instant::now() >= deadline);
        assert_eq!(block_on_until(async { 42 }, Some(deadline)), Some(42));
    }

    // T-1
    #[tokio::test]
    async fn a_task_and_the_closure_of_spawn_blocking_are_inside_a_runtime() {
        assert!(is_inside_runtime());
        assert!(tokio::task::spawn_blocking(is_inside_runtime).await.unwrap());
        assert!(!thread::spawn(is_inside_runtime).join().unwrap());
    }
}
