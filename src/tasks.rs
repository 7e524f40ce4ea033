//! The background tasks of a server.

use std::{
    collections::HashMap,
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{runtime::Handle, sync::Notify, task::AbortHandle};

use crate::{
    BoxError, SpawnError,
    events::{self, Scope},
    limits::LiveLimits,
    panic::{self, Panicked},
    serve_guard::ServeGuard,
};

/// Starts background tasks of a server, from any task or thread, while the server serves.
///
/// [`ServerContext::spawner`](crate::ServerContext::spawner) returns it. It is cheap to clone. Its tasks end
/// with the server, unlike tasks of `tokio::spawn`: a shutdown drops each task at its await point, after the
/// conversations have ended and before the clean-ups run. A spawner does not keep the server alive. It works
/// again when the server serves again.
///
/// # Examples
///
/// A handler that answers at once and does the work later:
///
/// ```
/// use datagrammar::{BoxError, Handler, Peer, ServerContext, Spawner};
/// use std::{sync::OnceLock, time::Duration};
///
/// #[derive(Default)]
/// struct Jobs(OnceLock<Spawner>);
///
/// impl Handler<String, String> for Jobs {
///     async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
///         self.0.get_or_init(|| context.spawner());
///         Ok(())
///     }
///
///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
///         let job = peer.recv().await?;
///         let sender = peer.sender();
///         let begun = self.0.get().expect("it has started").spawn(async move {
///             tokio::time::sleep(Duration::from_secs(1)).await;
///             Ok(sender.send(format!("{job} is done")).await?)
///         });
///         let answer = if begun.is_ok() { "accepted" } else { "busy" };
///         Ok(peer.send(answer.to_owned()).await?)
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Spawner(pub(crate) Arc<Tasks>);

impl Spawner {
    /// Runs `task` in the background until it completes or serving ends.
    ///
    /// The task runs on the runtime that called `serve`. A shutdown drops it at its await point.
    /// If the task returns an error or panics, that is logged, and serving goes on.
    ///
    /// # Errors
    ///
    /// If `spawn` returns an error, `task` does not run and is dropped.
    ///
    /// - [`SpawnError::Closed`] while the server does not serve.
    /// - [`SpawnError::TooMany`] if [`Limits::max_tasks`](crate::Limits::max_tasks) tasks run already.
    pub fn spawn(
        &self,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Result<(), SpawnError> {
        self.0.spawn(task)
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

/// The background tasks of a server, over all its runs.
#[derive(Debug)]
pub(crate) struct Tasks {
    state: Mutex<State>,
    /// Notified when the last task has ended.
    none: Notify,
    limits: Arc<LiveLimits>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` while no task may be started.
    open: Option<Open>,
    /// The tasks that have not ended; `None` for a moment while one begins.
    running: HashMap<u64, Option<AbortHandle>>,
    /// How many of them count towards the limit.
    counted: usize,
    begun: u64,
}

#[derive(Clone, Debug)]
struct Open {
    runtime: Handle,
    /// The span in which errors and panics of tasks are logged.
    scope: Arc<Scope>,
    guard: ServeGuard,
}

impl Tasks {
    /// At most [`Limits::max_tasks`](crate::Limits::max_tasks) of the counted tasks run at the same time.
    pub(crate) fn new(limits: Arc<LiveLimits>) -> Self {
        Self { state: Mutex::default(), none: Notify::new(), limits }
    }

    /// Allows tasks to be started, on the current runtime.
    pub(crate) fn open(&self, guard: ServeGuard) {
        let scope = Arc::new(Scope::current());
        let open = Open { runtime: Handle::current(), scope, guard };
        self.lock().open = Some(open);
    }

    /// Starts a task that counts towards the limit.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Result<(), SpawnError> {
        self.begin(task, Some(self.limits.max_tasks()))
    }

    /// Starts a task that does not count towards the limit.
    pub(crate) fn spawn_beside(
        self: &Arc<Self>,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Result<(), SpawnError> {
        self.begin(task, None)
    }

    fn begin(
        self: &Arc<Self>,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
        limit: Option<usize>,
    ) -> Result<(), SpawnError> {
        let (open, entry) = self.enter(limit)?;
        let number = entry.number;
        let Open { runtime, scope, guard } = open;
        // Not under the lock: if the runtime has shut down, this drops the task.
        let task =
            runtime.spawn(Task { task: Some(Box::pin(task)), scope, _entry: entry, _hold: guard });
        let mut state = self.lock();
        let open = state.open.is_some();
        if let Some(abort) = state.running.get_mut(&number) {
            *abort = Some(task.abort_handle());
            drop(state);
            if !open {
                task.abort();
            }
        }
        Ok(())
    }

    fn enter(self: &Arc<Self>, limit: Option<usize>) -> Result<(Open, Entry), SpawnError> {
        let mut state = self.lock();
        let open = state.open.clone().ok_or(SpawnError::Closed)?;
        if let Some(max) = limit.filter(|limit| state.counted >= *limit) {
            return Err(SpawnError::TooMany { max });
        }
        let (number, counts) = (state.begun, limit.is_some());
        state.begun += 1;
        state.counted += usize::from(counts);
        state.running.insert(number, None);
        Ok((open, Entry { tasks: Arc::clone(self), number, counts }))
    }

    /// Cancels all tasks, and refuses new ones.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        let open = state.open.take();
        let running: Vec<_> = state.running.values().flatten().cloned().collect();
        drop(state);
        // Not under the lock: aborting may drop a task here, and dropping the guard wakes other tasks.
        running.iter().for_each(AbortHandle::abort);
        drop(open);
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(&self) {
        loop {
            let mut none = pin!(self.none.notified());
            none.as_mut().enable();
            if self.lock().running.is_empty() {
                return;
            }
            none.await;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().running.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that was started.
struct Task {
    /// `None` when it has ended.
    task: Option<Work>,
    scope: Arc<Scope>,
    // Dropped after the task.
    _entry: Entry,
    _hold: ServeGuard,
}

type Work = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(task) = &mut self.task else { return Poll::Ready(()) };
        let ended = ready!(panic::poll(task.as_mut(), cx));
        self.end(ended);
        Poll::Ready(())
    }
}

impl Task {
    /// Drops the task and logs its error or panic.
    fn end(&mut self, ended: Result<Result<(), BoxError>, Panicked>) {
        let Some(task) = self.task.take() else { return };
        let dropped = panic::catch(|| drop(task));
        // A panic of the destructors is logged only if the task itself did not fail.
        self.scope.run(|| match (ended, dropped) {
            (Ok(Err(error)), _) => events::task_failed(error),
            (Err(panicked), _) | (Ok(Ok(())), Err(panicked)) => {
                events::task_failed(panicked.into());
            }
            (Ok(Ok(())), Ok(())) => {}
        });
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.end(Ok(Ok(())));
    }
}

/// The entry of a task in the list of running tasks, removed when it is dropped.
struct Entry {
    tasks: Arc<Tasks>,
    number: u64,
    counts: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.tasks.lock();
        state.counted -= usize::from(self.counts);
        // Its `AbortHandle` may hold the last reference to the task, so it is not dropped under the lock.
        let _abort = state.running.remove(&self.number);
        let none = state.running.is_empty();
        drop(state);
        if none {
            self.tasks.none.notify_waiters();
        }
    }
}
