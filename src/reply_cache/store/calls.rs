//! The calls of a reply store: their timeouts, their failures, and those that nobody waits for.

use std::{
    error::Error,
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};

use super::{
    super::ReplyCache,
    StoredRequest,
    erased::{AnyStore, Call, Claim},
};
use crate::{
    Addr, BoxError,
    events::Events,
    lock::locked,
    panic::{self, Panicked},
    stats::{Counters, add},
    tasks::Tasks,
};

/// The reply store of a server, and what it costs at most.
pub(crate) struct Storing {
    store: Box<dyn AnyStore>,
    /// How long a call may take.
    limit: Duration,
    /// How many calls may run in the background.
    most: usize,
    counters: Arc<Counters>,
    events: Arc<Events>,
    tasks: Arc<Tasks>,
    /// How many calls run in the background.
    running: AtomicUsize,
    /// Notified when none runs any more.
    idle: Notify,
    told: Mutex<Told>,
}

/// What of the failures is in the log.
#[derive(Debug, Default)]
struct Told {
    /// When one was logged last.
    at: Option<Instant>,
    /// How many were not logged since then.
    untold: u64,
}

/// The shortest time between two events in the log about a store that fails.
const TOLD_EVERY: Duration = Duration::from_secs(1);

impl Storing {
    pub(crate) fn new(
        store: Box<dyn AnyStore>,
        options: &ReplyCache,
        counters: Arc<Counters>,
        events: Arc<Events>,
        tasks: Arc<Tasks>,
    ) -> Self {
        Self {
            store,
            limit: options.get_store_timeout(),
            most: options.get_max_store_writes(),
            counters,
            events,
            tasks,
            running: AtomicUsize::new(0),
            idle: Notify::new(),
            told: Mutex::default(),
        }
    }

    /// Makes the claim to a request; returns `None` if the store panics.
    pub(in crate::reply_cache) fn claim(
        &self,
        peer: &Addr,
        id: u64,
        datagram: &[u8],
    ) -> Option<Arc<dyn Claim>> {
        let request = StoredRequest::new(peer, id, datagram);
        panic::catch(|| self.store.claim(&request))
            .map_err(|panicked| self.panicked(&panicked))
            .ok()
    }

    /// Makes a call of the store, within its time; returns `None` if it fails.
    pub(in crate::reply_cache) fn call<T: Send + 'static>(
        self: &Arc<Self>,
        call: Call<T>,
    ) -> impl Future<Output = Option<T>> + Send + use<T> {
        let this = Arc::clone(self);
        async move {
            match timeout(this.limit, call).await {
                Ok(Ok(Ok(answer))) => return Some(answer),
                Ok(Ok(Err(error))) => this.failed(error),
                Ok(Err(panicked)) => this.panicked(&panicked),
                Err(_) => this.timed_out(),
            }
            None
        }
    }

    /// Makes a call in a task, and brings its answer. If serving has ended, there is none.
    pub(in crate::reply_cache) fn call_in_task<T: Send + 'static>(
        self: &Arc<Self>,
        call: Call<T>,
    ) -> oneshot::Receiver<Option<T>> {
        let (tell, answer) = oneshot::channel();
        let call = self.call(call);
        // A task that is refused drops its half, and so does one that is aborted.
        let _ = self.tasks.spawn_beside(async move {
            // The request may have been dropped meanwhile.
            let _ = tell.send(call.await);
            Ok(())
        });
        answer
    }

    /// Makes a call that nobody waits for.
    pub(in crate::reply_cache) fn call_in_background<T: Send + 'static>(
        self: &Arc<Self>,
        call: Call<T>,
    ) {
        let call = self.call(call);
        self.run_in_background(async move { drop(call.await) });
    }

    /// Runs calls that nobody waits for. If too many run already, or serving has ended, it counts that.
    pub(in crate::reply_cache) fn run_in_background(
        self: &Arc<Self>,
        calls: impl Future<Output = ()> + Send + 'static,
    ) {
        let one_more = |running: usize| Some(running + 1).filter(|sum| *sum <= self.most);
        if self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_err() {
            let most = self.most;
            self.skipped(&*BoxError::from(format!("{most} calls of the store run already")));
            return;
        }
        let place = Place { storing: Arc::clone(self), is_done: false };
        // If it is refused or aborted, its place counts it.
        let _ = self.tasks.spawn_beside(async move {
            calls.await;
            place.done();
            Ok(())
        });
    }

    /// Waits until no call runs in the background.
    pub(crate) async fn is_idle(&self) {
        loop {
            let mut idle = pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.running.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }

    fn failed(&self, error: BoxError) {
        add(&self.counters.store_errors, 1);
        self.tell(&*error);
        // The error has a type of the user's, so it may panic when it is dropped.
        if let Err(panicked) = panic::catch(|| drop(error)) {
            self.tell(&panicked);
        }
    }

    pub(in crate::reply_cache) fn panicked(&self, panicked: &Panicked) {
        add(&self.counters.store_errors, 1);
        self.tell(panicked);
    }

    fn timed_out(&self) {
        add(&self.counters.store_timeouts, 1);
        self.tell(&*BoxError::from(format!("no answer within {:?}", self.limit)));
    }

    fn skipped(&self, why: &(dyn Error + 'static)) {
        add(&self.counters.store_skipped, 1);
        self.tell(why);
    }

    /// Logs a failure, unless another one was logged a moment ago.
    fn tell(&self, error: &(dyn Error + 'static)) {
        let mut told = locked(&self.told);
        let now = Instant::now();
        if told.at.is_some_and(|at| now - at < TOLD_EVERY) {
            told.untold += 1;
            return;
        }
        let Told { untold, .. } = std::mem::replace(&mut *told, Told { at: Some(now), untold: 0 });
        drop(told);
        self.events.store_failed(error, untold);
    }
}

impl fmt::Debug for Storing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storing").field("running", &self.running).finish_non_exhaustive()
    }
}

/// The place of calls in the background, until they are done or dropped.
struct Place {
    storing: Arc<Storing>,
    is_done: bool,
}

impl Place {
    fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_done {
            self.storing.skipped(&*BoxError::from("serving has ended before a call of the store"));
        }
        if self.storing.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.storing.idle.notify_waiters();
        }
    }
}
