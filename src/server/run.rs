//! How a server is run: as a task, or by its caller.

use std::{future::pending, pin::pin};

use tokio::task::JoinHandle;

use super::{endpoint::Server, serve::serve};
use crate::ServeError;
#[cfg(doc)]
use crate::ServerHandle;

impl Server {
    /// Starts [`serve`](Self::serve) as a task of the current runtime, which owns the server from now on.
    ///
    /// Take a [handle](Self::handle) before, to shut the server down: from now on its
    /// [`shutdown`](ServerHandle::shutdown) and [`drain`](ServerHandle::drain) end this serving. Aborting the task
    /// drops the server.
    ///
    /// # Errors
    ///
    /// The task returns what [`serve`](Self::serve) returns.
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
        // It has begun when this returns, so that nobody asks for its end in vain.
        let begun = self.status.begin();
        tokio::spawn(async move { serve(&self, begun, pin!(pending())).await })
    }

    /// Serves until [`ServerHandle::shutdown`] is called. [`spawn`](Self::spawn) does so in a task.
    ///
    /// Datagrams that arrived since the server was bound are served first. Afterwards the sockets stay bound, and
    /// this can be called again; datagrams that arrive in between are dropped.
    ///
    /// The `tracing` span of each conversation is below the one that is current when this is first polled.
    ///
    /// # Errors
    ///
    /// [`ServeError::AlreadyServing`] while another call runs, [`ServeError::Start`] if the handler
    /// could not start, [`ServeError::Io`] if a socket can never receive again.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime; its I/O and time must be enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, as `select!` does, conversations and background tasks are dropped at
    /// their await points and clean-ups do not run; [`serve_until`](Self::serve_until) ends in order.
    ///
    /// The sockets stay bound, and this can be called again. It calls
    /// [`Handler::start`](crate::Handler::start) when all conversations and tasks of the former call are dropped, so that no peer has two conversations at a time. A conversation that
    /// blocks its thread delays the next call, until it returns or awaits.
    pub async fn serve(&self) -> Result<(), ServeError> {
        self.serve_until(pending::<()>()).await
    }

    /// Serves until `until` completes, with any value, or [`ServerHandle::shutdown`] is called. Most programs
    /// pass `tokio::signal::ctrl_c()`.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn serve_until<T>(&self, until: impl Future<Output = T>) -> Result<(), ServeError> {
        let until = async { drop(until.await) };
        serve(self, None, pin!(until)).await
    }
}
