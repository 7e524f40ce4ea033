//! Runs a blocking server on the thread of its caller.

use std::future::pending;

use super::endpoint::Server;
use crate::{ServeError, Termination, blocking::block_on::is_inside_runtime};

impl Server {
    /// Serves until [`ServerHandle::shutdown`](super::ServerHandle::shutdown) is called from another thread.
    /// [`spawn`](Self::spawn) does the same on a thread of its own.
    ///
    /// The server first handles the datagrams that have arrived since it was bound. After `serve` has
    /// returned, the sockets stay bound, and it can be called again. Datagrams that arrive between two calls
    /// are dropped.
    ///
    /// # Errors
    ///
    /// - [`ServeError::AlreadyServing`] while another thread serves. That one goes on.
    /// - [`ServeError::Start`] if [`Handler::start`](crate::Handler::start) returned an error or panicked.
    /// - [`ServeError::Io`] if a socket has failed for good.
    /// - [`ServeError::InsideRuntime`] inside an async runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, blocking};
    /// use std::thread;
    ///
    /// # fn main() -> Result<(), datagrammar::BoxError> {
    /// let server = blocking::Server::bind("127.0.0.1:0", Text, async |text: String| text)?;
    /// let handle = server.handle();
    /// let operator = thread::spawn(move || {
    ///     assert!(handle.ready());
    ///     handle.shutdown();
    /// });
    ///
    /// server.serve()?;
    /// # operator.join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve(&self) -> Result<(), ServeError> {
        self.serve_until(pending::<()>())
    }

    /// Serves until `until` completes, or [`ServerHandle::shutdown`](super::ServerHandle::shutdown) is
    /// called. Then the server shuts down gracefully: conversations have the [grace
    /// period](crate::Limits::shutdown_grace) to end, and clean-ups run.
    ///
    /// The output of `until` is ignored. It runs on this thread, in the runtime of the server, and must not
    /// block. To end the server after a call that blocks, make that call on another thread, and then
    /// `handle.shutdown()`. To serve until Ctrl-C, call [`serve_until_signal`](Self::serve_until_signal).
    ///
    /// # Errors
    ///
    /// The same as [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// Panics if `until` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, blocking};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), datagrammar::BoxError> {
    /// let server = blocking::Server::bind("127.0.0.1:0", Text, async |text: String| text)?;
    /// server.serve_until(async { tokio::time::sleep(Duration::from_millis(10)).await })?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "graceful")]
    pub fn serve_until<T>(&self, until: impl Future<Output = T>) -> Result<(), ServeError> {
        if is_inside_runtime() {
            return Err(ServeError::InsideRuntime);
        }
        self.reactor.runtime().block_on(self.server().serve_until(until))
    }

    /// Serves until the program is asked to end: by SIGTERM, which service managers and containers send, or by Ctrl-C
    /// (SIGINT). Then the server ends as [`Termination::default`] says.
    ///
    /// A second signal shuts the server down at once, as
    /// [`ServerHandle::shutdown`](super::ServerHandle::shutdown) does. On Windows, the signals are Ctrl-C, Ctrl-Break,
    /// and the end of the console or the system.
    ///
    /// From this call on, these signals do not end the process any more, also after it has returned. So the
    /// program should end then. If `main` returns the result, the exit code is 0 after a signal.
    ///
    /// # Errors
    ///
    /// The errors of [`serve`](Self::serve). [`ServeError::Io`] also if the program cannot listen for
    /// signals.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use datagrammar::{BoxError, Text, blocking};
    ///
    /// fn main() -> Result<(), BoxError> {
    ///     let upper = blocking::handler(|text: String| text.to_uppercase());
    ///     blocking::Server::bind("[::]:9000", Text, upper)?.serve_until_signal()?;
    ///     println!("stopped");
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "ctrl_c")]
    #[doc(alias = "graceful")]
    #[doc(alias = "SIGINT")]
    #[doc(alias = "SIGTERM")]
    pub fn serve_until_signal(&self) -> Result<(), ServeError> {
        self.serve_until_signal_with(Termination::default())
    }

    /// Serves until the program is asked to end, as [`serve_until_signal`](Self::serve_until_signal) does. Then the
    /// server ends as `termination` says.
    ///
    /// # Errors
    ///
    /// The same as [`serve_until_signal`](Self::serve_until_signal).
    pub fn serve_until_signal_with(&self, termination: Termination) -> Result<(), ServeError> {
        if is_inside_runtime() {
            return Err(ServeError::InsideRuntime);
        }
        let serving = self.server().serve_until_signal_with(termination);
        self.reactor.runtime().block_on(serving)
    }
}
