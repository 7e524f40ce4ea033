//! The user's code that serves a peer.

mod boxed;
pub mod function;
mod into_handler;

use std::sync::Arc;

pub use boxed::BoxHandler;
pub use function::{concurrent, no_reply, reply_if, try_reply, with_state};
pub use into_handler::IntoHandler;

use crate::{BoxError, Peer, ServerContext};

/// Serves the peers of a server: one handler object for all of them, one call of
/// [`handle`](Self::handle) per conversation.
///
/// A handler knows packets only. The same handler serves JSON today and another protocol tomorrow,
/// over a real socket or over a network in memory.
///
/// # Functions
///
/// For one request and one response, a function is enough. Each call is a conversation of its own. A server
/// takes functions and closures of these forms, and so does [`BoxHandler::new`]:
///
/// | function | what it does |
/// | --- | --- |
/// | `async fn(Req) -> Res` | answers each request |
/// | `async fn(Req, Addr) -> Res` | the same, with the peer's [address](crate::Addr) |
/// | `async fn(Req) -> Option<Res>` | sends nothing for `None`; see [`reply_if`] |
/// | `async fn(Req) -> Result<Res, E>` | logs the error and sends nothing for `Err`; see [`try_reply`] |
/// | `async fn(Req)` | never answers; see [`no_reply`] |
/// | [`with_state(state, f)`](with_state) | `f` takes a clone of `state` before the request |
/// | [`concurrent(n, f)`](concurrent) | serves up to `n` requests of one peer at once |
///
/// They can be combined: [`concurrent`] is outermost, then one of [`reply_if`], [`try_reply`] and
/// [`no_reply`], then [`with_state`]. So `concurrent(64, try_reply(with_state(pool, lookup)))` takes an
/// `async fn lookup(Pool, Req, Addr) -> Result<Res, E>`. `E` is any type that converts to [`BoxError`], text
/// included.
///
/// If a function returns the protocol's response type, the value is sent as it is. So a protocol that sends
/// `Result`s sends both `Ok` and `Err`. Where the protocol takes its types from the function, as
/// `Json::new()` does, either could be meant. Then the compiler asks for types: name
/// them (`Json::<Req, Res>::new()`), or use [`reply_if`], [`try_reply`] or [`no_reply`]. A protocol that sends
/// `()` needs a type that implements `Handler`.
///
/// Two more things to know:
///
/// - A datagram that does not decode never reaches the function. It is counted
///   ([`decode_errors`](crate::ServerStats::decode_errors)) and logged at DEBUG, and not answered.
/// - One request of a peer is served at a time. While a function waits, for a database perhaps, further
///   requests of the same peer wait in its queue, up to the [limits](crate::Limits). [`concurrent`] changes
///   that. Requests of different peers never wait for each other.
///
/// # What the compiler says
///
/// | it says | it means |
/// | --- | --- |
/// | `X` does not handle requests of `A` with responses of `B` | `X` is neither a `Handler<A, B>` nor a function of a form above. Its argument or its value has another type than the protocol's packets, it is no `async fn`, or its second argument is not `Addr`. |
/// | type annotations needed; multiple `impl`s satisfying `Result<…>: IntoReply<_, _>` | The protocol takes its types from a function that returns a `Result` (or an `Option`, or nothing). See above. |
/// | type annotations needed, at a `collect()`, `into()` or `None` | A closure may return several types, so say which: `async \|text: String\| -> String { … }`. |
/// | async closure does not implement `Fn` because it captures state from its environment; or: this closure only implements `FnOnce` | It moves its state away at the first call. Use [`with_state`]. |
/// | the trait bound `Box<dyn Error + Send + Sync>: From<E>` is not satisfied | The function returns a `Result` whose error type does not convert to `BoxError`. Implement `std::error::Error` for `E`, or return text. |
/// | the trait bound `S: Clone` is not satisfied | [`with_state`] clones the state for each call. Put it into an `Arc`. |
/// | future cannot be sent between threads safely | Something that must stay on its thread lives across an `await`: an `Rc`, or the guard of a `std::sync::Mutex`. Drop it before. |
/// | expected `Result<(), Box<dyn Error + Send + Sync>>`, in `handle` | `handle` returns [`BoxError`]; `?` converts errors of your own to it. |
///
/// # Large packets
///
/// A packet moves by value from the protocol into the handler and back, through up to ten places on the
/// stack. A packet of 192 KiB, such as an array, overflows the 2 MiB stack of a thread of tokio, which ends the
/// process. Box packets of more than 64 KiB. A `Vec`, `String` or `Bytes` is small, however much it holds.
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
    note = "a handler is a type that implements `Handler<{Req}, {Res}>`",
    note = "a function becomes one by `IntoHandler::into_handler`, which a server calls itself"
)]
pub trait Handler<Req, Res>: Send + Sync + 'static {
    /// Prepares for serving. It is called each time serving starts, before the first datagram is received.
    ///
    /// Here the addresses are known, and the handler can start background tasks and register clean-ups.
    /// Datagrams that arrive meanwhile are served afterwards. The default does nothing.
    ///
    /// # Errors
    ///
    /// Serving ends with the error, as [`ServeError::Start`](crate::ServeError::Start).
    fn start(
        &self,
        context: &mut ServerContext,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = context;
        async { Ok(()) }
    }

    /// Serves one conversation, from the datagram that opened it until this returns.
    ///
    /// Write it as `async fn handle`. A peer has at most one conversation at a time; further datagrams of the
    /// peer wait. Datagrams that still wait when this returns open the next conversation.
    ///
    /// A conversation that never waits runs to its end on the thread that received the datagram; one that waits
    /// becomes a task. So do not block the thread: no other peer is served meanwhile.
    ///
    /// # Errors
    ///
    /// An error is logged at ERROR with the peer's address, counts as
    /// [`failed`](crate::ServerStats::failed), and ends this conversation only. Errors that this peer's `recv`
    /// has returned have another level: [`Closed`](crate::RecvError::Closed) and
    /// [`Idle`](crate::RecvError::Idle) are not logged, and [`Decode`](crate::RecvError::Decode), which any
    /// host can cause, is logged at DEBUG. None of them counts as failed, not even as the source of an error of
    /// yours. Errors of another endpoint, such as a client that the handler uses, are failures like all others.
    ///
    /// # Examples
    ///
    /// Code after a loop does not run if the handler panics, or is dropped because it outlives the grace at
    /// shutdown. A guard cleans up however the conversation ends:
    ///
    /// ```
    /// use datagrammar::{Addr, BoxError, Handler, Peer, PeerSender};
    /// use std::{collections::HashMap, sync::Mutex};
    ///
    /// #[derive(Default)]
    /// struct Game {
    ///     players: Mutex<HashMap<Addr, PeerSender<String>>>,
    /// }
    ///
    /// /// A player who is in the game as long as this lives.
    /// struct Joined<'a>(&'a Game, Addr);
    ///
    /// impl Drop for Joined<'_> {
    ///     fn drop(&mut self) {
    ///         self.0.players.lock().unwrap().remove(&self.1);
    ///     }
    /// }
    ///
    /// impl Handler<String, String> for Game {
    ///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
    ///         // Only who can speak the protocol joins.
    ///         let mut word = peer.recv().await?;
    ///         let addr = peer.addr().clone();
    ///         self.players.lock().unwrap().insert(addr.clone(), peer.sender());
    ///         let _joined = Joined(self, addr);
    ///         loop {
    ///             peer.send(&format!("you said {word}")).await?;
    ///             word = peer.recv().await?;
    ///         }
    ///     }
    /// }
    /// ```
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
/// ```compile_fail,E0277
/// datagrammar::Server::builder(datagrammar::Text, async |number: u64| number);
/// ```
///
/// A function with another value:
///
/// ```compile_fail,E0277
/// datagrammar::Server::builder(datagrammar::Text, async |text: String| text.len());
/// ```
///
/// A second argument that is not the address:
///
/// ```compile_fail,E0277
/// datagrammar::Server::builder(datagrammar::Text, async |text: String, _: u8| text);
/// ```
///
/// A function that is not `async`:
///
/// ```compile_fail,E0277
/// datagrammar::Server::builder(datagrammar::Text, |text: String| text);
/// ```
///
/// A function whose future cannot move between threads:
///
/// ```compile_fail
/// datagrammar::Server::builder(datagrammar::Text, async |text: String| {
///     let shared = std::rc::Rc::new(text);
///     tokio::task::yield_now().await;
///     shared.to_string()
/// });
/// ```
///
/// A `Result` where nobody says whether it is the packet, or what is in its `Ok`:
///
/// ```compile_fail,E0283
/// # #[cfg(not(feature = "json"))] compile_error!("it takes the feature");
/// datagrammar::Server::builder(datagrammar::Json::new(), async |text: String| text.parse::<u32>());
/// ```
///
/// ```compile_fail,E0283
/// # #[cfg(not(feature = "json"))] compile_error!("it takes the feature");
/// #[derive(serde::Serialize)]
/// struct NoError;
///
/// datagrammar::Server::builder(datagrammar::Json::new(), async |text: String| text.parse::<u32>().map_err(|_| NoError));
/// ```
///
/// An error that is none:
///
/// ```compile_fail,E0277
/// struct NoError;
///
/// datagrammar::Server::builder(datagrammar::Text, async |text: String| text.parse::<u32>().map(drop).map_err(|_| NoError));
/// ```
///
/// The same with nothing, which JSON can send:
///
/// ```compile_fail,E0283
/// # #[cfg(not(feature = "json"))] compile_error!("it takes the feature");
/// datagrammar::Server::builder(datagrammar::Json::new(), async |_: String| {});
/// ```
///
/// State that a closure moves away at its first call:
///
/// ```compile_fail,E0525
/// let state = String::new();
/// datagrammar::Server::builder(datagrammar::Text, move |text: String| async move { state + &text });
/// ```
///
/// State that cannot be cloned:
///
/// ```compile_fail,E0277
/// struct Pool;
///
/// datagrammar::with_state(Pool, async |_: Pool, text: String| text);
/// ```
#[cfg(doctest)]
struct CompileFail;
