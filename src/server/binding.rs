//! The future that binds a server with the default options.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::endpoint::Server;
use crate::BindError;

/// The future that [`Server::bind`] returns. Its output is the bound server.
///
/// It is a named type, not an `async fn`, so that the compiler reports a mistake in a handler once, and not a
/// second time at `.await`.
///
/// # Examples
///
/// ```
/// use datagrammar::{Binding, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let binding: Binding = Server::bind("127.0.0.1:0", Text, async |text: String| text);
/// let server = binding.await?;
/// assert!(server.local_addr().ip().is_some_and(|ip| ip.is_loopback()));
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing unless it is awaited"]
pub struct Binding(pub(super) Pin<Box<dyn Future<Output = Result<Server, BindError>> + Send>>);

impl Future for Binding {
    type Output = Result<Server, BindError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").finish_non_exhaustive()
    }
}
