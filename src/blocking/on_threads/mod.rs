//! Functions that block their thread, as handlers.

mod line;
mod pool;

use std::{
    fmt,
    marker::PhantomData,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use tokio::sync::oneshot::Receiver;

pub use self::line::{ThreadPermit, WaitsForThread};
use self::{
    line::Line,
    pool::{Pool, Prepared},
};
use crate::{
    Addr,
    function::{Call, RequestAndAddr, RequestOnly},
    inside,
};

/// Makes a handler of a function that is not `async` and may block its thread: it reads files, waits for a
/// database or computes for a long time. Its calls run on threads of their own, so they delay neither the
/// server nor other peers. It works in [blocking servers](super::Server) and in [async ones](crate::Server).
///
/// The function takes a request and, if it wants, the peer's [`Addr`]. It may return what an `async` function
/// may return: a response, an `Option`, a `Result` or nothing; see the [forms](crate::Handler#functions).
/// [`reply_if`](crate::reply_if), [`try_reply`](crate::try_reply), [`no_reply`](crate::no_reply) and
/// [`concurrent`](crate::concurrent) go around it: `try_reply(blocking::handler(f))`. State that the calls
/// share is captured by a closure, or is in an `Arc`.
///
/// # Threads
///
/// A thread starts when a call finds no idle one, up to [`max_threads`](OnThreads::max_threads), 64 by
/// default. An idle thread ends after 10 seconds, and all idle threads end when the handler is dropped.
///
/// While all are busy, requests wait, in order. They wait in the queues of their peers, where all
/// [limits](crate::Limits) hold, and are not decoded. Each peer whose request waits takes one of
/// [`Limits::max_conversations`](crate::Limits::max_conversations). A request that waits for longer than
/// [`Limits::max_queue_time`](crate::Limits::max_queue_time), which is 1 second with a
/// [guard](crate::Guard::max_queue_time), is dropped, and counts as [`DropReason::Late`](crate::DropReason::Late).
/// With this limit, an overloaded server gives its threads to the requests that came last: with ten times as many
/// requests as it can answer, 94 % of its answers were in time in a bench, and none without the limit.
///
/// With a [reply store](crate::ReplyStore), a request has its thread while the store is asked, for up to
/// [`store_timeout`](crate::ReplyCache::store_timeout). So choose more threads if the store is far away.
///
/// The threads do not belong to a runtime. So the function can use a [blocking client](super::Client), and
/// what a runtime forbids, such as `block_on`.
///
/// # The end of serving
///
/// A call cannot be interrupted. If it runs longer than the [grace period](crate::Limits::shutdown_grace),
/// its conversation ends without it, and nothing is sent. The call itself goes on, and then its thread ends.
/// A shutdown drops the requests that wait for a thread, and a
/// [graceful one](crate::ServerHandle::graceful_shutdown) serves them.
///
/// # Panics
///
/// If the function panics, its conversation panics: nothing is sent, and the panic is logged and counted as
/// in [`Handler::handle`](crate::Handler::handle). The thread goes on. The same happens if the system cannot
/// start the first thread.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, blocking};
/// use std::{collections::HashMap, sync::Mutex, time::Duration};
///
/// # fn main() -> Result<(), datagrammar::BoxError> {
/// let visits = Mutex::new(HashMap::new());
/// let visit = blocking::handler(move |name: String| {
///     let mut visits = visits.lock().unwrap();
///     let count = visits.entry(name).and_modify(|count| *count += 1).or_insert(1);
///     count.to_string()
/// });
/// let server = blocking::Server::bind("127.0.0.1:0", Text, visit.max_threads(4))?;
/// let client = blocking::Client::connect(server.local_addr(), Text)?;
/// let _serving = server.spawn()?;
///
/// client.send("Ada".to_owned())?;
/// assert_eq!(client.recv_timeout(Duration::from_secs(5))?, "1");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "spawn_blocking")]
#[doc(alias = "thread pool")]
#[must_use]
pub fn handler<F>(function: F) -> OnThreads<F> {
    OnThreads::new(Arc::new(function), MAX_THREADS)
}

/// How many threads a handler has at most by default.
const MAX_THREADS: usize = 64;

/// A function whose calls run on threads of their own; made by [`handler`].
pub struct OnThreads<F> {
    function: Arc<F>,
    line: Arc<Line>,
    pool: Pool,
}

impl<F> OnThreads<F> {
    fn new(function: Arc<F>, threads: usize) -> Self {
        Self { function, line: Line::new(threads), pool: Pool::new(threads) }
    }

    /// Sets how many threads the function has at most. The default is 64. More requests than that wait until a
    /// thread is free.
    ///
    /// # Panics
    ///
    /// Panics if `threads` is zero.
    pub fn max_threads(self, threads: usize) -> Self {
        assert!(threads > 0, "`max_threads` of 0 would run no call");
        Self::new(self.function, threads)
    }
}

/// The arguments of a function whose calls run on threads of their own: `Args` are those of the function.
pub struct OnThread<Args>(PhantomData<fn() -> Args>);

/// A call needs a thread that is free.
macro_rules! ready_if_a_thread_is_free {
    () => {
        type Permit = ThreadPermit;
        type Wait = WaitsForThread;

        fn try_ready(&self) -> Option<ThreadPermit> {
            self.line.try_enter()
        }

        fn ready(&self, max_wait: Option<Duration>) -> WaitsForThread {
            self.line.enter(max_wait)
        }
    };
}

impl<Req, F, Out> Call<Req, OnThread<RequestOnly>> for OnThreads<F>
where
    F: Fn(Req) -> Out + Send + Sync + 'static,
    Req: Send + 'static,
    Out: Send + 'static,
{
    type Future = Returned<Out>;

    ready_if_a_thread_is_free!();

    fn call(&self, permit: ThreadPermit, request: Req, _: &Addr) -> Returned<Out> {
        let function = Arc::clone(&self.function);
        Returned::new(self.pool.prepare(permit, move || function(request)))
    }
}

impl<Req, F, Out> Call<Req, OnThread<RequestAndAddr>> for OnThreads<F>
where
    F: Fn(Req, Addr) -> Out + Send + Sync + 'static,
    Req: Send + 'static,
    Out: Send + 'static,
{
    type Future = Returned<Out>;

    ready_if_a_thread_is_free!();

    fn call(&self, permit: ThreadPermit, request: Req, addr: &Addr) -> Returned<Out> {
        let (function, addr) = (Arc::clone(&self.function), addr.clone());
        Returned::new(self.pool.prepare(permit, move || function(request, addr)))
    }
}

/// The future of a call that runs on a thread of its own. Its output is the return value of the function, and
/// it panics if the function has panicked.
pub struct Returned<Out> {
    /// `None` once a thread has it.
    call: Option<Prepared>,
    polled: bool,
    receiver: Receiver<thread::Result<Out>>,
}

impl<Out> Returned<Out> {
    fn new((call, receiver): (Prepared, Receiver<thread::Result<Out>>)) -> Self {
        Self { call: Some(call), polled: false, receiver }
    }
}

impl<Out> Future for Returned<Out> {
    type Output = Out;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Out> {
        // A worker polls a new conversation once, and then makes it a task. Only the task is marked with the
        // number of its server, which the call needs so that it does not wait for the end of that server.
        if inside::current() == 0 && !self.polled {
            self.polled = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(call) = self.call.take() {
            call.start(inside::current());
        }
        let ended = ready!(Pin::new(&mut self.receiver).poll(cx));
        let returned = ended.expect("no thread can be started for the call");
        Poll::Ready(returned.unwrap_or_else(|payload| resume_unwind(payload)))
    }
}

impl<F> fmt::Debug for OnThreads<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnThreads").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<Args> fmt::Debug for OnThread<Args> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnThread").finish()
    }
}

impl<Out> fmt::Debug for Returned<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").finish_non_exhaustive()
    }
}
