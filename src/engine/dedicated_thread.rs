//! A thread for one worker, and the runtime that wakes it.

use std::{fmt, io, panic::resume_unwind, sync::Arc, thread};

use tokio::{
    runtime::{Builder, EnterGuard, Runtime},
    sync::oneshot,
};

/// The thread of one worker while it serves, and the runtime that wakes it when its socket is ready.
pub(crate) struct DedicatedThread {
    name: String,
    reactor: Arc<Reactor>,
}

impl DedicatedThread {
    /// Prepares the thread for the worker with this number.
    pub(crate) fn new(number: usize) -> io::Result<Self> {
        let reactor = Arc::new(Reactor::new()?);
        Ok(Self { name: format!("datagrammar-{number}"), reactor })
    }

    /// While the guard lives, new sockets are registered with this runtime.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.reactor.runtime().enter()
    }

    /// Runs `worker` on the thread, and returns a future that waits for its end. If you drop that future, the
    /// thread drops `worker` at its await point.
    pub(crate) fn run<W>(&self, worker: W) -> impl Future<Output = io::Result<()>> + Send + use<W>
    where
        W: Future<Output = io::Result<()>> + Send + 'static,
    {
        let (abandon, abandoned) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let reactor = Arc::clone(&self.reactor);
        let thread = thread::Builder::new().name(self.name.clone()).spawn(move || {
            let result = reactor.runtime().block_on(async {
                tokio::select! {
                    biased;
                    _ = abandoned => Ok(()),
                    result = worker => result,
                }
            });
            drop(reactor);
            // If the future was dropped, nothing receives the result.
            let _ = end.send(result);
        });
        async move {
            let _abandon = abandon;
            let thread = thread?;
            let result = ended.await;
            // The thread has nothing left to do, so joining takes no time. When `serve` returns, the thread
            // has ended.
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            result.unwrap_or_else(|_| unreachable!("a thread that does not panic tells its end"))
        }
    }
}

impl fmt::Debug for DedicatedThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedicatedThread").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A current-thread runtime that may be dropped anywhere, even in asynchronous code.
pub(crate) struct Reactor(Option<Runtime>);

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Some(Builder::new_current_thread().enable_all().build()?)))
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
