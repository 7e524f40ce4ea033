//! The user's code that serves a peer.

mod boxed;
mod function;

use std::sync::Arc;

pub use boxed::BoxHandler;
pub use function::{ReplyIf, reply_if};

use crate::{BoxError, Peer, ServerContext};

/// Serves the peers of a server: one handler object for all of them, one call of
/// [`handle`](Self::handle) per conversation.
///
/// A handler knows packets only. The same handler serves JSON today and another protocol tomorrow,
/// over a real socket or over a network in memory.
///
/// A plain `async fn(Request) -> Response` is a handler too: it answers each datagram in a
/// conversation of its own, and is silent toward what is not a packet. [`reply_if`] lets such a
/// function leave requests unanswered.
///
/// # Large packets
///
/// A packet moves by value from the protocol into the handler and back, through up to ten places on the
/// stack. One of 192 KiB, such as an array, runs over the 2 MiB that a thread of tokio has, which ends the
/// process. Box what is larger than some 64 KiB; a `Vec`, `String` or `Bytes` is small, whatever it guards.
///
/// # Examples
///
/// A conversation of several requests, with a timeout:
///
/// ```
/// use datagrammar::{BoxError, Handler, Peer, RecvError};
/// use std::time::Duration;
///
/// struct Greeter;
///
/// impl Handler<String, String> for Greeter {
///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
///         let greeting = peer.recv().await?;
///         peer.send(&format!("{greeting} to you. What is your name?")).await?;
///         match peer.recv_timeout(Duration::from_secs(30)).await {
///             Ok(name) => peer.send(&format!("Welcome, {name}.")).await?,
///             Err(RecvError::TimedOut) => peer.send(&"Another time, then.".to_owned()).await?,
///             Err(error) => return Err(error.into()),
///         }
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle conversations of `{Req}` and `{Res}`",
    label = "this is not a `Handler<{Req}, {Res}>`",
    note = "a handler is a type that implements `Handler<{Req}, {Res}>`, or a function like \
            `async fn(request: {Req}) -> {Res}` whose future is `Send`",
    note = "its packet types must be those of the protocol"
)]
pub trait Handler<Req, Res>: Send + Sync + 'static {
    /// Sets the service up: called once each time serving starts, before the first datagram.
    ///
    /// Here the addresses are known, background tasks are started and clean-ups registered. What
    /// arrives meanwhile is served afterwards. By default there is nothing to do.
    ///
    /// # Errors
    ///
    /// What this returns is what serving returns, as [`ServeError::Start`](crate::ServeError::Start).
    fn start(
        &self,
        context: &mut ServerContext,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = context;
        async { Ok(()) }
    }

    /// ServeGuards one conversation, from the datagram that opened it until this returns.
    ///
    /// It is written as `async fn handle`. A peer has at most one conversation at a time; what else
    /// it sends waits. What still waits when this returns opens the next conversation. A
    /// conversation that never has to wait runs to its end where the datagram was received; one that
    /// waits becomes a task. So do not block the thread: nobody else is served meanwhile.
    ///
    /// # Errors
    ///
    /// An error is logged with the peer's address and ends this conversation only.
    /// [`RecvError::Closed`](crate::RecvError::Closed) and
    /// [`RecvError::Idle`](crate::RecvError::Idle) are no news, so they are not logged.
    fn handle(
        &self,
        peer: &mut Peer<Req, Res>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

impl<Req, Res, H> Handler<Req, Res> for Arc<H>
where
    Req: Send,
    Res: Send,
    H: Handler<Req, Res>,
{
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        (**self).start(context).await
    }

    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        (**self).handle(peer).await
    }
}

/// What the compiler refuses.
///
/// A type that is no handler:
///
/// ```compile_fail,E0277
/// struct Greeter;
///
/// datagrammar::Server::builder(datagrammar::Text, Greeter);
/// ```
///
/// A handler of other packets than the protocol's:
///
/// ```compile_fail,E0277
/// use datagrammar::{BoxError, Handler, Peer, Text, Server};
///
/// struct Counter;
///
/// impl Handler<u64, u64> for Counter {
///     async fn handle(&self, _: &mut Peer<u64, u64>) -> Result<(), BoxError> {
///         Ok(())
///     }
/// }
///
/// Server::builder(Text, Counter);
/// ```
///
/// A conversation that cannot move between threads:
///
/// ```compile_fail
/// use datagrammar::{BoxError, Handler, Peer};
/// use std::rc::Rc;
///
/// struct Local;
///
/// impl Handler<String, String> for Local {
///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
///         let shared = Rc::new(peer.recv().await?);
///         Ok(peer.send(&shared).await?)
///     }
/// }
/// ```
///
/// A function of another packet:
///
/// ```compile_fail,E0631
/// datagrammar::Server::builder(datagrammar::Text, async |number: u64| number);
/// ```
#[cfg(doctest)]
struct CompileFail;
