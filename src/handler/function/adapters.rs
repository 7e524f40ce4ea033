//! Adapters that say what a function returns, for protocols that infer their packet types from the function.

use std::{convert::Infallible, fmt};

use super::{Call, ErrorLogged, Function, IntoReply, NothingSent, ready_like};
use crate::Addr;

/// Makes a handler of a function that returns an `Option`: `Some` is sent, and `None` sends nothing.
///
/// A plain function may return an `Option` too if the protocol names its response type. Use `reply_if` with
/// protocols that infer their packet types from the function, such as `Json::new()`. Then the type inside the
/// `Option` is the packet type.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Server, Text, reply_if};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let pong = reply_if(async |request: String| (request == "ping").then(|| "pong".to_owned()));
/// let server = Server::bind("127.0.0.1:0", Text, pong).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// client.send("hello".to_owned()).await?;
/// client.send("ping".to_owned()).await?;
/// assert_eq!(client.recv().await?, "pong");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub const fn reply_if<F>(function: F) -> ReplyIf<F> {
    ReplyIf(function)
}

/// A function that may return no response; made by [`reply_if`].
#[derive(Clone, Copy)]
pub struct ReplyIf<F>(F);

impl<Req, Res, F, Fut, Args> Function<Req, Res, ReplyIf<Args>> for ReplyIf<F>
where
    F: Call<Req, Args, Future = Fut>,
    Fut: Future<Output = Option<Res>>,
{
    type Future = Fut;
    type Error = Infallible;

    ready_like!(self => &self.0);

    #[inline]
    fn call(&self, permit: F::Permit, request: Req, addr: &Addr) -> Fut {
        self.0.call(permit, request, addr)
    }

    #[inline]
    fn reply(output: Option<Res>) -> Result<Option<Res>, Infallible> {
        Ok(output)
    }
}

/// Makes a handler of a function that returns a `Result`: `Ok` is sent. `Err` is logged with the peer's
/// address, and nothing is sent.
///
/// A plain function may return a `Result` too if the protocol names its response type. Use `try_reply` with
/// protocols that infer their packet types from the function, such as `Json::new()`. Then the type inside the
/// `Ok` is the packet type. The error is any type that converts to [`BoxError`](crate::BoxError), including
/// `String`. It counts as [`failed`](crate::ServerStats::failed).
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "json")] mod example {
/// use datagrammar::{BoxError, Json, Server, try_reply};
///
/// async fn length(path: String) -> Result<u64, BoxError> {
///     Ok(tokio::fs::metadata(path).await?.len())
/// }
///
/// # async fn example() -> std::io::Result<()> {
/// let server = Server::builder(Json::new(), try_reply(length)).bind("127.0.0.1:0").await?;
/// # drop(server);
/// # Ok(())
/// # }
/// # }
/// ```
#[must_use]
pub const fn try_reply<F>(function: F) -> TryReply<F> {
    TryReply(function)
}

/// A function that may fail; made by [`try_reply`].
#[derive(Clone, Copy)]
pub struct TryReply<F>(F);

impl<Req, Res, F, Fut, T, E, Args, Output> Function<Req, Res, TryReply<(Args, Output)>>
    for TryReply<F>
where
    F: Call<Req, Args, Future = Fut>,
    Fut: Future<Output = Result<T, E>>,
    Result<T, E>: IntoReply<Res, ErrorLogged<Output>, Error = E>,
{
    type Future = Fut;
    type Error = E;

    ready_like!(self => &self.0);

    #[inline]
    fn call(&self, permit: F::Permit, request: Req, addr: &Addr) -> Fut {
        self.0.call(permit, request, addr)
    }

    #[inline]
    fn reply(output: Result<T, E>) -> Result<Option<Res>, E> {
        output.into_reply()
    }
}

/// Makes a handler of a function that never answers. The function returns `()`, or a `Result` whose error is
/// logged.
///
/// A plain function may return `()` too if the protocol names another response type.
///
/// # Examples
///
/// A collector of measurements. It never sends a response, so the response type does not matter:
///
/// ```
/// # #[cfg(feature = "json")] mod example {
/// use datagrammar::{Json, Server, no_reply};
///
/// # async fn example() -> std::io::Result<()> {
/// let collect = no_reply(async |celsius: f64| println!("{celsius} °C"));
/// let server = Server::builder(Json::<f64>::new(), collect).bind("127.0.0.1:0").await?;
/// # drop(server);
/// # Ok(())
/// # }
/// # }
/// ```
#[must_use]
pub const fn no_reply<F>(function: F) -> NoReply<F> {
    NoReply(function)
}

/// A function that never answers; made by [`no_reply`].
#[derive(Clone, Copy)]
pub struct NoReply<F>(F);

impl<Req, Res, F, Fut, Args> Function<Req, Res, NoReply<(Args, NothingSent)>> for NoReply<F>
where
    F: Call<Req, Args, Future = Fut>,
    Fut: Future<Output = ()>,
{
    type Future = Fut;
    type Error = Infallible;

    ready_like!(self => &self.0);

    #[inline]
    fn call(&self, permit: F::Permit, request: Req, addr: &Addr) -> Fut {
        self.0.call(permit, request, addr)
    }

    #[inline]
    fn reply((): ()) -> Result<Option<Res>, Infallible> {
        Ok(None)
    }
}

impl<Req, Res, F, Fut, E, Args> Function<Req, Res, NoReply<(Args, ErrorLogged<NothingSent>)>>
    for NoReply<F>
where
    F: Call<Req, Args, Future = Fut>,
    Fut: Future<Output = Result<(), E>>,
{
    type Future = Fut;
    type Error = E;

    ready_like!(self => &self.0);

    #[inline]
    fn call(&self, permit: F::Permit, request: Req, addr: &Addr) -> Fut {
        self.0.call(permit, request, addr)
    }

    #[inline]
    fn reply(output: Result<(), E>) -> Result<Option<Res>, E> {
        output.map(|()| None)
    }
}

impl<F> fmt::Debug for ReplyIf<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyIf").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for TryReply<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryReply").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for NoReply<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoReply").finish_non_exhaustive()
    }
}
