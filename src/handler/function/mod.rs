//! The types and traits behind functions that serve requests. Programs rarely name them.
//!
//! The page of [`Handler`](crate::Handler#functions) lists the forms of functions that a server accepts.

mod adapters;
mod call;
mod concurrent;
mod ready;
mod reply;
mod tagged;

use std::{fmt, marker::PhantomData, time::Duration};

pub use adapters::{NoReply, ReplyIf, TryReply, no_reply, reply_if, try_reply};
pub use call::{Call, RequestAndAddr, RequestOnly, State, WithState, with_state};
pub use concurrent::{AtOnce, Concurrent, ConcurrentHandler, concurrent};
pub use ready::NotReady;
pub use reply::{ErrorLogged, IntoReply, NoneSendsNothing, NothingSent, Sent};

use ready::ready_like;
pub use tagged::{ByTag, Responding, tagged};

pub use super::into_handler::{AsItIs, OneByOne};
use crate::{Addr, BoxError, Handler, Peer};

/// A function that serves one request with one response or none. `Form` says which arguments it takes, and
/// how its return value becomes a response.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle requests of `{Req}` with responses of `{Res}`",
    note = "it takes a function like `async fn(request: {Req}) -> {Res}`, and the page of the adapter says \
            what that may return"
)]
pub trait Function<Req, Res, Form> {
    /// What a call needs besides the request: `()`, a [thread](crate::blocking::handler) that is free, or a
    /// [service of tower](crate::tower) that is ready.
    type Permit;

    /// The future that waits for a permit.
    type Wait: Future<Output = Result<Self::Permit, NotReady>>;

    /// The future that the function returns.
    type Future: Future;

    /// The error of a call. It must convert to [`BoxError`].
    type Error;

    /// Returns the permit of a request that has arrived, if there is one at once.
    fn try_ready(&self) -> Option<Self::Permit>;

    /// Waits for the permit of a request that has arrived, and for at most `max_wait`, the
    /// [longest time](crate::Limits::max_queue_time) that it may wait. Without a permit, the request is dropped and not
    /// received.
    fn ready(&self, max_wait: Option<Duration>) -> Self::Wait;

    /// Calls the function with a request from the peer at `addr`.
    fn call(&self, permit: Self::Permit, request: Req, addr: &Addr) -> Self::Future;

    /// Returns the response to send, if there is one.
    ///
    /// # Errors
    ///
    /// Returns the error that the function has returned.
    fn reply(output: <Self::Future as Future>::Output) -> Result<Option<Res>, Self::Error>;
}

impl<Req, Res, F, Args, Output> Function<Req, Res, (Args, Output)> for F
where
    F: Call<Req, Args>,
    <F::Future as Future>::Output: IntoReply<Res, Output>,
{
    type Future = F::Future;
    type Error = <<F::Future as Future>::Output as IntoReply<Res, Output>>::Error;

    ready_like!(self => self);

    #[inline]
    fn call(&self, permit: F::Permit, request: Req, addr: &Addr) -> F::Future {
        Call::call(self, permit, request, addr)
    }

    #[inline]
    fn reply(output: <F::Future as Future>::Output) -> Result<Option<Res>, Self::Error> {
        output.into_reply()
    }
}

/// The handler that a [function](Function) becomes. Each request is a conversation.
pub struct FunctionHandler<F, Form>(F, PhantomData<fn() -> Form>);

impl<F, Form> FunctionHandler<F, Form> {
    pub(super) const fn new(function: F) -> Self {
        Self(function, PhantomData)
    }
}

impl<Req, Res, F, Form> Handler<Req, Res> for FunctionHandler<F, Form>
where
    F: Function<Req, Res, Form> + Send + Sync + 'static,
    F::Permit: Send,
    F::Wait: Send,
    F::Future: Send,
    F::Error: Into<BoxError>,
    Form: 'static,
    Req: Send,
    Res: Send + Sync,
{
    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        let permit = match self.0.try_ready() {
            Some(permit) => permit,
            None => match ready::wait(self.0.ready(peer.max_queue_time()), peer).await {
                Ok(permit) => permit,
                Err(not_ready) => return not_ready.drop_request(peer),
            },
        };
        let Some(request) = peer.recv_request().await? else { return Ok(()) };
        let output = self.0.call(permit, request, peer.addr()).await;
        let Some(response) = F::reply(output).map_err(Into::into)? else { return Ok(()) };
        let sent = peer.reply(&response).await;
        if sent.is_ok() { Ok(()) } else { peer.unless_refused(sent) }
    }
}

impl<F, Form> fmt::Debug for FunctionHandler<F, Form> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionHandler").finish_non_exhaustive()
    }
}
