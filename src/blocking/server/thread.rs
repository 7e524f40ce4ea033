//! A blocking server on a thread of its own.

use std::{
    fmt,
    thread::{self, Builder, JoinHandle},
};

use super::{endpoint::Server, handle::ServerHandle};
use crate::{
    ServeError,
    blocking::block_on::is_inside_runtime,
    panic::{self, Panicked},
};

impl Server {
    /// Runs [`serve`](Self::serve) on a thread of its own, and returns when the server serves. The thread
    /// owns the server. It is named `datagrammar`.
    ///
    /// # Errors
    ///
    /// After an error no thread is left, and the server is dropped.
    ///
    /// - [`ServeError::Start`] if [`Handler::start`](crate::Handler::start) returned an error or panicked.
    /// - [`ServeError::Io`] if the thread could not be started.
    /// - [`ServeError::InsideRuntime`] inside an async runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, blocking};
    ///
    /// # fn main() -> Result<(), datagrammar::BoxError> {
    /// let server = blocking::Server::bind("127.0.0.1:0", Text, async |text: String| text)?;
    /// let mut thread = server.spawn()?;
    /// assert!(thread.handle().is_serving());
    /// thread.join()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn(self) -> Result<ServerThread, ServeError> {
        if is_inside_runtime() {
            return Err(ServeError::InsideRuntime);
        }
        let handle = self.handle();
        let thread = Builder::new().name("datagrammar".to_owned()).spawn(move || run(self));
        let thread = Some(thread.map_err(ServeError::Io)?);
        let mut thread = ServerThread { handle, thread };
        // If it does not get ready, the thread has dropped the server.
        if !thread.handle.ready() {
            thread.join()?;
        }
        Ok(thread)
    }
}

/// Serves, and drops the server.
fn run(server: Server) -> Result<(), ServeError> {
    let served = server.serve();
    let dropped = panic::catch(|| drop(server));
    served.and_then(|()| dropped.map_err(|panicked| ServeError::Panicked(panicked.into())))
}

/// A blocking server that serves on a thread of its own; made by [`Server::spawn`].
///
/// Dropping it shuts the server down and waits for the end of the thread, as [`join`](Self::join) does. So
/// keep it as long as the server should serve.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, blocking};
///
/// # fn main() -> Result<(), datagrammar::BoxError> {
/// let server = blocking::Server::bind("127.0.0.1:0", Text, async |text: String| text)?;
/// let addr = server.local_addr();
/// {
///     let thread = server.spawn()?;
///     assert_eq!(thread.handle().local_addrs(), [addr.clone()]);
/// }
/// // The port is free again.
/// std::net::UdpSocket::bind(addr)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "the server is shut down when this is dropped"]
pub struct ServerThread {
    handle: ServerHandle,
    /// `None` after it was joined.
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl ServerThread {
    /// Returns a handle to the server. Clone it to keep it.
    #[must_use]
    pub const fn handle(&self) -> &ServerHandle {
        &self.handle
    }

    /// Returns whether the thread has ended. Then [`join`](Self::join) returns at once.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Shuts the server down, as [`ServerHandle::shutdown`] does, and waits until the thread has ended and
    /// the ports are free. A second `join` returns `Ok` at once.
    ///
    /// To wait for the end without causing it, call [`ServerHandle::stopped`] first.
    ///
    /// # Errors
    ///
    /// The reason why serving has ended, if that is not a shutdown:
    ///
    /// - [`ServeError::Io`] if a socket has failed for good.
    /// - [`ServeError::Panicked`] if the thread panicked, for example in a destructor of the handler.
    /// - [`ServeError::InsideRuntime`] inside an async runtime, and on the thread of the server itself. The
    ///   shutdown has begun then, and `join` can be called again on another thread.
    pub fn join(&mut self) -> Result<(), ServeError> {
        self.handle.begin_shutdown();
        let is_own = |thread: &JoinHandle<_>| thread.thread().id() == thread::current().id();
        if self.thread.as_ref().is_some_and(is_own) || is_inside_runtime() {
            return Err(ServeError::InsideRuntime);
        }
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let panicked = |payload| ServeError::Panicked(Panicked::new(payload).into());
        thread.join().unwrap_or_else(|payload| Err(panicked(payload)))
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        // A program that drops it does not want to know the reason of the end.
        let _ = self.join();
    }
}

impl fmt::Debug for ServerThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerThread")
            .field("local_addrs", &self.handle.local_addrs())
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
