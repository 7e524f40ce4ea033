//! Runs a server: as a task, or in the task of its caller.

use std::{future::pending, pin::pin};

use tokio::task::JoinHandle;

use super::{endpoint::Server, serve::serve};
use crate::ServeError;
#[cfg(doc)]
use crate::ServerHandle;

impl Server {
    /// Runs [`serve`](Self::serve) as a task of the current runtime. The task owns the server.
    ///
    /// To shut the server down later, take a [handle](Self::handle) before you call `spawn`. Once `spawn` has
    /// returned, [`shutdown`](ServerHandle::shutdown) and [`drain`](ServerHandle::drain) of that handle end
    /// the task, even if it has not run yet. Aborting the task drops the server.
    ///
    /// # Errors
    ///
    /// The task returns the result of [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    /// let serving = server.spawn();
    ///
    /// assert!(handle.ready().await);
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn(self) -> JoinHandle<Result<(), ServeError>> {
        // Serving has begun when this returns, so that a `shutdown` that follows at once is not lost.
        let begun = self.status.begin();
        tokio::spawn(async move { serve(&self, begun, pin!(pending())).await })
    }

    /// Serves until [`ServerHandle::shutdown`] is called. [`spawn`](Self::spawn) does the same in a task.
    ///
    /// The server first handles the datagrams that have arrived since it was bound. After `serve` has
    /// returned, the sockets stay bound, and it can be called again. Datagrams that arrive between two calls
    /// are dropped.
    ///
    /// The `tracing` span of each conversation is a child of the span that is current when this future is
    /// first polled.
    ///
    /// # Errors
    ///
    /// - [`ServeError::AlreadyServing`] while another call runs.
    /// - [`ServeError::Start`] if [`Handler::start`](crate::Handler::start) returned an error or panicked.
    /// - [`ServeError::Io`] if a socket has failed for good.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime. I/O and time must be enabled in the runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, as `select!` does, then conversations and background tasks are dropped at
    /// their await points, and clean-ups do not run. To end gracefully, use
    /// [`serve_until`](Self::serve_until) or [`ServerHandle::shutdown`].
    ///
    /// The sockets stay bound, and `serve` can be called again. The next call waits until all conversations
    /// and tasks of the previous one are dropped, and then calls [`Handler::start`](crate::Handler::start).
    /// So no peer has two conversations at a time. A conversation that blocks its thread delays the next call
    /// until the conversation returns or awaits.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    ///
    /// let operator = async {
    ///     assert!(handle.ready().await);
    ///     handle.shutdown().await;
    /// };
    /// let (served, ()) = tokio::join!(server.serve(), operator);
    /// served?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn serve(&self) -> Result<(), ServeError> {
        self.serve_until(pending::<()>()).await
    }

    /// Serves until `until` completes, or [`ServerHandle::shutdown`] is called. Then the server shuts down
    /// gracefully: conversations have the [grace period](crate::Limits::shutdown_grace) to end, and clean-ups
    /// run.
    ///
    /// The output of `until` is ignored. Most programs pass `tokio::signal::ctrl_c()`. A future that awaits
    /// [`ServerHandle::graceful_shutdown`] as well makes the server serve first what it has read.
    ///
    /// # Errors
    ///
    /// The same as [`serve`](Self::serve).
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
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::bind("[::]:9000", Text, async |text: String| text).await?;
    /// server.serve_until(tokio::signal::ctrl_c()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "graceful")]
    #[doc(alias = "ctrl_c")]
    pub async fn serve_until<T>(&self, until: impl Future<Output = T>) -> Result<(), ServeError> {
        let until = async { drop(until.await) };
        serve(self, None, pin!(until)).await
    }
}
