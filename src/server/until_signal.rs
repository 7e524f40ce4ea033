//! Runs a server until its program is asked to end.

use super::endpoint::Server;
use crate::{ServeError, Termination, signals::Signals};

impl Server {
    /// Serves until the program is asked to end: by SIGTERM, which service managers and containers send, or by Ctrl-C
    /// (SIGINT). Then the server ends as [`Termination::default`] says. It needs the feature `signal`.
    ///
    /// A second signal shuts the server down at once, as [`ServerHandle::shutdown`](crate::ServerHandle::shutdown)
    /// does. On Windows, the signals are Ctrl-C, Ctrl-Break, and the end of the console or the system.
    ///
    /// From this call on, these signals do not end the process any more, also after it has returned. So the program
    /// should end then. If `main` returns the result, the exit code is 0 after a signal.
    ///
    /// # Errors
    ///
    /// The errors of [`serve`](Self::serve). [`ServeError::Io`] also if the program cannot listen for signals.
    ///
    /// # Panics
    ///
    /// The same as [`serve`](Self::serve).
    ///
    /// # Cancel safety
    ///
    /// The same as [`serve`](Self::serve).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use datagrammar::{BoxError, Server, Text};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), BoxError> {
    ///     let server = Server::bind("[::]:9000", Text, async |text: String| text).await?;
    ///     Ok(server.serve_until_signal().await?)
    /// }
    /// ```
    #[doc(alias = "ctrl_c")]
    #[doc(alias = "graceful")]
    #[doc(alias = "SIGINT")]
    #[doc(alias = "SIGTERM")]
    pub async fn serve_until_signal(&self) -> Result<(), ServeError> {
        self.serve_until_signal_with(Termination::default()).await
    }

    /// Serves until the program is asked to end, as [`serve_until_signal`](Self::serve_until_signal) does. Then the
    /// server ends as `termination` says. It needs the feature `signal`.
    ///
    /// # Errors
    ///
    /// The same as [`serve_until_signal`](Self::serve_until_signal).
    ///
    /// # Panics
    ///
    /// The same as [`serve`](Self::serve).
    ///
    /// # Cancel safety
    ///
    /// The same as [`serve`](Self::serve).
    ///
    /// # Examples
    ///
    /// Behind a load balancer:
    ///
    /// ```no_run
    /// use datagrammar::{BoxError, Server, Termination, Text};
    /// use std::time::Duration;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), BoxError> {
    ///     let server = Server::bind("[::]:9000", Text, async |text: String| text).await?;
    ///     let termination = Termination::default().lame_duck(Duration::from_secs(5));
    ///     Ok(server.serve_until_signal_with(termination).await?)
    /// }
    /// ```
    pub async fn serve_until_signal_with(
        &self,
        termination: Termination,
    ) -> Result<(), ServeError> {
        let mut signals = Signals::listen().map_err(ServeError::Io)?;
        let handle = self.handle();
        self.serve_until(async move {
            signals.next().await;
            tokio::select! {
                _ = handle.terminate(termination) => {}
                () = signals.next() => {}
            }
        })
        .await
    }
}
