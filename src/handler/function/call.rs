//! The arguments of a function: the request, the address of the peer, and state that all calls share.

use std::{fmt, marker::PhantomData, time::Duration};

use super::ready::{NotReady, always_ready};
use crate::Addr;

/// A function that takes a request. `Args` says which other arguments it takes. It may return any future.
pub trait Call<Req, Args> {
    /// What a call needs besides the request: `()`, or a [thread](crate::blocking::handler) that is free.
    type Permit;

    /// The future that waits for a permit.
    type Wait: Future<Output = Result<Self::Permit, NotReady>>;

    /// The future that the function returns.
    type Future: Future;

    /// As [`Function::try_ready`](super::Function::try_ready).
    fn try_ready(&self) -> Option<Self::Permit>;

    /// As [`Function::ready`](super::Function::ready).
    fn ready(&self, max_wait: Option<Duration>) -> Self::Wait;

    /// Calls the function with a request from the peer at `addr`.
    fn call(&self, permit: Self::Permit, request: Req, addr: &Addr) -> Self::Future;
}

/// The arguments of `async fn(Req)`.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum RequestOnly {}

impl<Req, F, Fut> Call<Req, RequestOnly> for F
where
    F: Fn(Req) -> Fut,
    Fut: Future,
{
    type Future = Fut;

    always_ready!();

    #[inline]
    fn call(&self, (): (), request: Req, _: &Addr) -> Fut {
        self(request)
    }
}

/// The arguments of `async fn(Req, Addr)`.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum RequestAndAddr {}

impl<Req, F, Fut> Call<Req, RequestAndAddr> for F
where
    F: Fn(Req, Addr) -> Fut,
    Fut: Future,
{
    type Future = Fut;

    always_ready!();

    #[inline]
    fn call(&self, (): (), request: Req, addr: &Addr) -> Fut {
        self(request, addr.clone())
    }
}

/// Makes a handler of a function and state that all its calls share.
///
/// The function takes the state, the request and, if it wants, the peer's [`Addr`], in this order. It may
/// return what a function without state may return: a response, an `Option`, a `Result` or nothing; see the
/// [forms](crate::Handler#functions).
///
/// Each call gets a clone of the state. So put state that is not cheap to clone into an
/// [`Arc`](std::sync::Arc). Database pools and clients are usually cheap to clone.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Server, Text, with_state};
/// use std::{collections::HashMap, sync::{Arc, Mutex}};
///
/// type Visits = Arc<Mutex<HashMap<String, u32>>>;
///
/// async fn visit(visits: Visits, name: String) -> String {
///     let mut visits = visits.lock().unwrap();
///     let count = visits.entry(name).or_default();
///     *count += 1;
///     count.to_string()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let visits = Visits::default();
/// let server = Server::bind("127.0.0.1:0", Text, with_state(visits.clone(), visit)).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// client.send("Ada".to_owned()).await?;
/// assert_eq!(client.recv().await?, "1");
/// assert_eq!(visits.lock().unwrap()["Ada"], 1);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "state")]
#[must_use]
pub const fn with_state<S, F>(state: S, function: F) -> WithState<S, F>
where
    S: Clone + Send + Sync + 'static,
{
    WithState { state, function }
}

/// A function with state; made by [`with_state`].
#[derive(Clone, Copy)]
pub struct WithState<S, F> {
    state: S,
    function: F,
}

/// The arguments of a function with state: first the state, then `Args`.
pub struct State<Args>(PhantomData<fn() -> Args>);

impl<Req, S, F, Fut> Call<Req, State<RequestOnly>> for WithState<S, F>
where
    S: Clone,
    F: Fn(S, Req) -> Fut,
    Fut: Future,
{
    type Future = Fut;

    always_ready!();

    #[inline]
    fn call(&self, (): (), request: Req, _: &Addr) -> Fut {
        (self.function)(self.state.clone(), request)
    }
}

impl<Req, S, F, Fut> Call<Req, State<RequestAndAddr>> for WithState<S, F>
where
    S: Clone,
    F: Fn(S, Req, Addr) -> Fut,
    Fut: Future,
{
    type Future = Fut;

    always_ready!();

    #[inline]
    fn call(&self, (): (), request: Req, addr: &Addr) -> Fut {
        (self.function)(self.state.clone(), request, addr.clone())
    }
}

impl<S, F> fmt::Debug for WithState<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithState").finish_non_exhaustive()
    }
}

impl<Args> fmt::Debug for State<Args> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish()
    }
}
