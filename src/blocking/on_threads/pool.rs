//! A pool of threads that are started when they are needed, up to a bound.

use std::{
    collections::VecDeque,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, Builder},
    time::Duration,
};

use tokio::sync::oneshot::{self, Receiver};

use crate::{events::Scope, inside::inside, lock::locked, panic};

/// Threads that run calls, in the order of the calls. Dropping it ends the idle threads; the others end after
/// their calls.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    max_threads: usize,
    state: Mutex<State>,
    /// Notified when a call was added, or the pool was dropped.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Job>,
    threads: usize,
    /// How many threads run no call: they wait for one, or have just started.
    idle: usize,
    closed: bool,
}

/// It does not unwind.
type Job = Box<dyn FnOnce() + Send>;

/// How long an idle thread waits for a call before it ends.
const KEPT: Duration = Duration::from_secs(10);

impl Pool {
    pub(super) fn new(max_threads: usize) -> Self {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { max_threads, state, changed }))
    }

    /// Prepares `call`. Returns it, and the receiver of what it returns, or of its panic. If the receiver is
    /// dropped before the call begins, it does not run. Its thread is free again when `permit` is dropped.
    pub(super) fn prepare<T: Send + 'static>(
        &self,
        permit: impl Send + 'static,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> (Prepared, Receiver<thread::Result<T>>) {
        let (sender, receiver) = oneshot::channel();
        let scope = Scope::current();
        let call = Box::new(move |server| {
            // The second `catch` is for destructors: of a call that does not run, and of a value that nobody
            // receives.
            let _ = panic::catch(|| {
                if sender.is_closed() {
                    return;
                }
                let call = || catch_unwind(AssertUnwindSafe(call));
                let returned = scope.run(|| inside(server, call));
                drop(permit);
                let _ = sender.send(returned);
            });
        });
        (Prepared { shared: Arc::clone(&self.0), call }, receiver)
    }
}

/// A call that no thread knows yet.
pub(super) struct Prepared {
    shared: Arc<Shared>,
    call: Box<dyn FnOnce(u64) + Send>,
}

impl Prepared {
    /// Runs the call on a thread, as a part of the server with this number.
    ///
    /// # Panics
    ///
    /// Panics if there is no thread, and none can be started.
    pub(super) fn start(self, server: u64) {
        let Self { shared, call } = self;
        shared.add(Box::new(move || call(server)));
    }
}

impl Shared {
    fn add(self: &Arc<Self>, call: Job) {
        let Self { max_threads, state, changed } = &**self;
        let mut state = locked(state);
        state.calls.push_back(call);
        if state.idle >= state.calls.len() || state.threads == *max_threads {
            drop(state);
            changed.notify_one();
            return;
        }
        state.threads += 1;
        state.idle += 1;
        drop(state);
        let shared = Arc::clone(self);
        let thread = Builder::new().name("datagrammar-fn".to_owned()).spawn(move || shared.work());
        let Err(error) = thread else { return };
        let mut state = locked(&self.state);
        state.threads -= 1;
        state.idle -= 1;
        if state.threads == 0 {
            let calls = mem::take(&mut state.calls);
            drop(state);
            drop(calls);
            panic!("no thread can be started: {error}");
        }
    }

    /// Runs calls until there was none for a while, or the pool was dropped.
    fn work(&self) {
        let mut state = locked(&self.state);
        loop {
            if let Some(call) = state.calls.pop_front() {
                state.idle -= 1;
                drop(state);
                call();
                state = locked(&self.state);
                state.idle += 1;
                continue;
            }
            if state.closed {
                break;
            }
            let waited = self.changed.wait_timeout(state, KEPT);
            let (again, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = again;
            if waited.timed_out() && state.calls.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        state.idle -= 1;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = locked(&self.0.state);
        state.closed = true;
        // No conversation exists any more, so nobody waits for these.
        let calls = mem::take(&mut state.calls);
        drop(state);
        self.0.changed.notify_all();
        for call in calls {
            // A destructor of the user's.
            let _ = panic::catch(|| drop(call));
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("max_threads", &self.0.max_threads).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Barrier, mpsc},
        time::Instant,
    };

    use super::*;
    use crate::blocking::block_on::block_on;

    fn run<T: Send + 'static>(
        pool: &Pool,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Receiver<thread::Result<T>> {
        let (call, receiver) = pool.prepare((), call);
        call.start(0);
        receiver
    }

    fn counts(pool: &Pool) -> (usize, usize) {
        let state = locked(&pool.0.state);
        (state.threads, state.idle)
    }

    /// Waits until the pool has so many threads, and so many idle ones.
    fn until(pool: &Pool, expected: (usize, usize)) {
        let begun = Instant::now();
        while counts(pool) != expected {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", counts(pool));
            thread::yield_now();
        }
    }

    #[test]
    fn threads_are_started_when_none_is_idle_up_to_the_bound() {
        let pool = Pool::new(2);
        let barrier = Arc::new(Barrier::new(3));
        assert_eq!(counts(&pool), (0, 0));

        for _ in 0..3 {
            assert_eq!(block_on(run(&pool, || 42)).unwrap().unwrap(), 42);
            until(&pool, (1, 1));
        }
        let both = [(); 2].map(|()| {
            let barrier = Arc::clone(&barrier);
            run(&pool, move || barrier.wait())
        });
        until(&pool, (2, 0));
        let third = run(&pool, || 43);
        assert_eq!(counts(&pool), (2, 0));
        barrier.wait();

        for call in both {
            block_on(call).unwrap().unwrap();
        }
        assert_eq!(block_on(third).unwrap().unwrap(), 43);
        until(&pool, (2, 2));
    }

    #[test]
    fn calls_wait_in_order_and_one_that_nobody_waits_for_does_not_run() {
        let pool = Pool::new(1);
        let (release, released) = mpsc::channel::<()>();
        let (log, logged) = mpsc::channel();
        let first = run(&pool, move || released.recv());
        let call = |n| {
            let log = log.clone();
            run(&pool, move || log.send(n).unwrap())
        };
        let (second, dropped, fourth) = (call(2), call(3), call(4));

        drop(dropped);
        release.send(()).unwrap();

        block_on(first).unwrap().unwrap().unwrap();
        for call in [second, fourth] {
            block_on(call).unwrap().unwrap();
        }
        drop(log);
        assert_eq!(logged.into_iter().take(2).collect::<Vec<_>>(), [2, 4]);
    }

    // H-3
    #[test]
    fn a_panic_is_received_and_the_thread_goes_on() {
        let pool = Pool::new(1);

        let panicked = block_on(run(&pool, || panic!("on purpose"))).unwrap();

        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
        assert_eq!(block_on(run(&pool, || 42)).unwrap().unwrap(), 42);
        assert_eq!(counts(&pool).0, 1);
    }

    #[test]
    fn idle_threads_end_when_the_pool_is_dropped_and_busy_ones_after_their_calls() {
        let pool = Pool::new(2);
        let (release, released) = mpsc::channel::<()>();
        let busy = run(&pool, move || released.recv());
        assert_eq!(block_on(run(&pool, || 42)).unwrap().unwrap(), 42);
        let shared = Arc::downgrade(&pool.0);

        drop(pool);

        while shared.strong_count() > 1 {
            thread::yield_now();
        }
        release.send(()).unwrap();
        block_on(busy).unwrap().unwrap().unwrap();
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
