//! The handle of a blocking server.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Addr, Diagnostics, ServerStats, Termination,
    blocking::block_on::{block_on, block_on_until, is_inside_runtime, poll_once},
    handle::termination::Terminating,
};

/// A handle to a [blocking server](super::Server), to shut it down, and to read its stats and diagnostics.
///
/// [`Server::handle`](super::Server::handle) and [`ServerThread::handle`](super::ServerThread::handle) return
/// it. Use it from any thread. It is cheap to clone. It does not keep the server alive: once the server is
/// dropped, all waiting calls return, and [`local_addrs`](Self::local_addrs) is empty.
///
/// # Inside an async runtime
///
/// There the calls that wait (`ready`, `terminate`, `shutdown`, `shutdown_timeout`, `drain`, `stopped`) do what they do
/// elsewhere, but return at once instead of waiting: they must not block the thread of other tasks. This also
/// holds in an `async` handler, a background task or a clean-up of this server, which would wait for their
/// own end. In the closure of [`blocking::handler`](crate::blocking::handler), they return at once too if
/// they are about the server that called it.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, blocking};
///
/// # fn main() -> Result<(), datagrammar::BoxError> {
/// let server = blocking::Server::bind("127.0.0.1:0", Text, async |text: String| text)?;
/// let handle = server.handle();
/// let mut thread = server.spawn()?;
/// assert!(handle.is_serving());
///
/// handle.shutdown();
/// assert!(!handle.is_serving());
/// assert_eq!(handle.stats().received, 0);
/// thread.join()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandle(crate::ServerHandle);

impl ServerHandle {
    pub(super) const fn new(handle: crate::ServerHandle) -> Self {
        Self(handle)
    }

    /// Returns the handle of the async API: for handlers, for [`sender`](crate::ServerHandle::sender), and to change the server
    /// while it serves with [`set_limits`](crate::ServerHandle::set_limits) and
    /// [`set_guard`](crate::ServerHandle::set_guard).
    #[must_use]
    pub const fn as_async(&self) -> &crate::ServerHandle {
        &self.0
    }

    /// Waits until the server [is ready](Self::is_ready), and returns true. Returns false if the server is dropped
    /// before it is ready.
    #[must_use = "it may return false"]
    pub fn ready(&self) -> bool {
        wait(self.0.ready()).unwrap_or(false)
    }

    /// Returns whether a load balancer should send new peers to this server: the handler has started, and no end has
    /// begun. From the first step of any end on, this is false, as for the
    /// [async handle](crate::ServerHandle::is_ready).
    #[doc(alias = "healthy")]
    #[doc(alias = "readiness")]
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// Returns whether the server opens new conversations: the handler has started, and no shutdown or drain
    /// has begun. A lame duck still does.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.0.is_serving()
    }

    /// Returns the addresses that the server is bound to, with the ports that the kernel chose.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<Addr> {
        self.0.local_addrs()
    }

    /// Returns the current values of the counters, summed over all sockets.
    #[doc(alias = "counters")]
    #[doc(alias = "metrics")]
    #[doc(alias = "prometheus")]
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.0.stats()
    }

    /// Returns how the server is set up, which buffer sizes the kernel granted, and how many datagrams the
    /// kernel dropped. Read it to find the cause of lost datagrams or of a high load.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        self.0.diagnostics()
    }

    /// Ends serving and waits until it has ended.
    ///
    /// The server stops reading datagrams. Running conversations may go on for
    /// [`Limits::shutdown_grace`](crate::Limits::shutdown_grace) (750 ms by default). In them `recv` returns
    /// `Closed`, and they can still send a last packet. Conversations that run longer are dropped. A closure
    /// of [`blocking::handler`](crate::blocking::handler) that still runs goes on, and its return value is
    /// dropped. The sockets stay bound, so `serve` can be called again. If the server does not serve,
    /// `shutdown` returns at once.
    #[doc(alias = "graceful")]
    #[doc(alias = "stop")]
    pub fn shutdown(&self) {
        wait(self.0.shutdown());
    }

    /// Ends serving as [`shutdown`](Self::shutdown) does, but waits for at most `timeout`. Returns whether
    /// serving has ended. If it has not, it still ends, a moment later.
    #[doc(alias = "timeout")]
    pub fn shutdown_timeout(&self, timeout: Duration) -> bool {
        if is_inside_runtime() || self.0.is_around() {
            self.0.begin_shutdown();
            return !self.0.in_progress();
        }
        block_on_until(self.0.shutdown(), Instant::now().checked_add(timeout)).is_some()
    }

    /// Ends serving as [`shutdown`](Self::shutdown) does, but does not wait for the end.
    pub fn begin_shutdown(&self) {
        self.0.begin_shutdown();
    }

    /// Waits until a shutdown or a drain begins, the future given to `serve_until` completes, or a socket
    /// fails. If the server does not serve, `stopping` returns at once.
    pub fn stopping(&self) {
        wait(self.0.stopping());
    }

    /// Waits until serving has ended, but does not end it. If the server does not serve, `stopped` returns at
    /// once.
    pub fn stopped(&self) {
        wait(self.0.stopped());
    }

    /// Makes the server [not ready](Self::is_ready), so that load balancers send no new peers to it. It still serves
    /// everybody.
    ///
    /// It cannot be taken back: it lasts until serving has ended. If the server does not serve, nothing happens.
    #[doc(alias = "unready")]
    pub fn begin_lame_duck(&self) {
        self.0.begin_lame_duck();
    }

    /// Ends serving in the two steps of a [`Termination`], and waits until it has ended. Returns the number of aborted
    /// conversations.
    ///
    /// Several calls, and other calls that end the server, may overlap. Each of them can make the end come earlier, and
    /// none can make it later.
    ///
    /// Inside an async runtime, it takes the first step and returns 0. A thread of its own takes the second one.
    #[doc(alias = "graceful")]
    #[doc(alias = "SIGTERM")]
    pub fn terminate(&self, termination: Termination) -> u64 {
        let begun = self.0.begin_termination();
        if !is_inside_runtime() || termination.get_lame_duck().is_zero() {
            return self.end_terminated(begun, termination);
        }
        let handle = self.clone();
        let second_step = move || handle.end_terminated(begun, termination);
        if thread::Builder::new().name("datagrammar".to_owned()).spawn(second_step).is_err() {
            // Without a lame duck, rather than never.
            poll_once(self.0.end_terminated(begun, termination));
        }
        0
    }

    /// Waits for the end of the lame duck, and takes the second step.
    fn end_terminated(&self, begun: Terminating, termination: Termination) -> u64 {
        let lame_duck = termination.get_lame_duck();
        if !lame_duck.is_zero() {
            block_on_until(self.0.not_serving(&begun), Instant::now().checked_add(lame_duck));
        }
        wait(self.0.end_terminated(begun, termination)).unwrap_or(0)
    }

    /// Stops reading datagrams, serves those that were read already, and ends serving when they are served, or
    /// after `within`. Returns the number of aborted conversations.
    ///
    /// What arrives from now on stays in the socket. So if another server has the same socket, because a parent
    /// process or systemd holds it ([`Inherited`](crate::Inherited)) or because it was cloned, a restart loses no
    /// datagram. Conversations that still run after `within` end as in a [`shutdown`](Self::shutdown).
    #[doc(alias = "graceful")]
    #[doc(alias = "restart")]
    pub fn graceful_shutdown(&self, within: Duration) -> u64 {
        wait(self.0.graceful_shutdown(within)).unwrap_or(0)
    }

    /// Waits at most `within` for the running conversations to end. Then it ends serving. Returns the number
    /// of aborted conversations.
    ///
    /// During this time the server still handles datagrams from peers that have a conversation. It drops all
    /// others, and counts them as [`DropReason::ShuttingDown`](crate::DropReason::ShuttingDown).
    /// Conversations that still run after `within` end as in a [`shutdown`](Self::shutdown).
    #[doc(alias = "graceful")]
    pub fn drain(&self, within: Duration) -> u64 {
        wait(self.0.drain(within)).unwrap_or(0)
    }
}

/// Waits for `future`. Inside a runtime it polls the future only once.
fn wait<T>(future: impl Future<Output = T>) -> Option<T> {
    if is_inside_runtime() { poll_once(future) } else { Some(block_on(future)) }
}
