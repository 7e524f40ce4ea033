//! Handlers: the user's code that serves peers.

mod boxed;
pub mod function;
mod into_handler;

use std::sync::Arc;

pub use boxed::BoxHandler;
pub use function::{concurrent, no_reply, reply_if, tagged, try_reply, with_state};
pub use into_handler::IntoHandler;

use crate::{BoxError, Peer, ServerContext};

/// Your code that serves the [peers](Peer) of a server. One handler serves all peers, and the server calls
/// [`handle`](Self::handle) once for each conversation.
///
/// A handler only sees typed packets. So the same handler works with every protocol that has these packets,
/// over UDP, over Unix sockets and over a network in memory.
///
/// # Functions
///
/// If each request has one response, a function is enough. Each call is a conversation.
/// [`Server::bind`](crate::Server::bind), [`Server::builder`](crate::Server::builder) and [`BoxHandler::new`]
/// accept functions and closures in these forms:
///
/// | function | what it does |
/// | --- | --- |
/// | `async fn(Req) -> Res` | answers each request with a response |
/// | `async fn(Req, Addr) -> Res` | the same, and also gets the peer's [address](crate::Addr) |
/// | `async fn(Req) -> Option<Res>` | sends nothing for `None`; see [`reply_if`] |
/// | `async fn(Req) -> Result<Res, E>` | logs the error and sends nothing for `Err`; see [`try_reply`] |
/// | `async fn(Req)` | never answers; see [`no_reply`] |
/// | [`tagged(f)`](tagged) | gets the packets of [`TaggedServer`](crate::TaggedServer) without their tags |
/// | [`with_state(state, f)`](with_state) | calls `f` with a clone of `state` as its first argument: `async fn(State, Req) -> Res` |
/// | [`tower::service(s)`](crate::tower::service) | calls a service of tower (feature `tower`) |
/// | [`concurrent(n, f)`](concurrent) | serves up to `n` requests from one peer at the same time |
///
/// These can be combined. [`concurrent`] is the outermost, then [`tagged`], then one of [`reply_if`],
/// [`try_reply`] and [`no_reply`], then [`with_state`]. For example `concurrent(64, try_reply(with_state(pool, lookup)))`
/// accepts `async fn lookup(Pool, Req, Addr) -> Result<Res, E>`. `E` is any type that converts to
/// [`BoxError`], including `String` and `&str`.
///
/// If a function returns the response type of the protocol, the server sends that value unchanged. So if the
/// response type is a `Result`, both `Ok` and `Err` are sent. `Json::new()` and similar protocols infer their
/// types from the function. A returned `Result` could then be the response itself, or a response that may
/// fail. So the compiler asks for types. Name them (`Json::<Req, Res>::new()`), or use [`reply_if`],
/// [`try_reply`] or [`no_reply`]. A function that returns `()` does not compile if the response type is `()`
/// too: implement `Handler`.
///
/// Four rules are important:
///
/// - If a datagram does not decode, the server does not call the function and sends no answer. It counts the
///   datagram in [`decode_errors`](crate::ServerStats::decode_errors) and logs it at DEBUG.
/// - The server serves one request from a peer at a time. While a function waits, for a database for example,
///   more requests from the same peer wait in its queue. Requests beyond the [limits](crate::Limits) are
///   dropped. [`concurrent`] changes that. Requests from different peers never wait for each other.
/// - If the peer of a Unix socket cannot get the answer, because it has closed its socket or has no name, the
///   server logs that at WARN and counts it in [`send_errors`](crate::ServerStats::send_errors).
/// - If a function panics, nothing is sent for that request. The panic is logged at ERROR with the peer's
///   address, and counted in [`panicked`](crate::ServerStats::panicked). The server goes on, and the next
///   request from that peer is served as usual. A `std::sync::Mutex` that the function held is poisoned.
///
/// # Shared state
///
/// All calls share one handler. A struct that implements `Handler` has its state in its fields. A function
/// gets state, such as a database pool, from [`with_state`]. A closure that moves its state into an `async`
/// block does not compile; see the next section.
///
/// ```
/// use datagrammar::{Client, Server, Text, with_state};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering::Relaxed}};
///
/// async fn count(total: Arc<AtomicU64>, text: String) -> String {
///     format!("{text} {}", total.fetch_add(1, Relaxed) + 1)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let total = Arc::new(AtomicU64::new(0));
/// let server = Server::bind("127.0.0.1:0", Text, with_state(total.clone(), count)).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// client.send("request".to_owned()).await?;
/// assert_eq!(client.recv().await?, "request 1");
/// assert_eq!(total.load(Relaxed), 1);
/// # Ok(())
/// # }
/// ```
///
/// A task that the handler starts with [`ServerContext::spawn`] or [`Peer::spawn`] must be `'static`, so it
/// cannot borrow from the handler. Put the state that both use into an `Arc`, and clone the `Arc` before the
/// `async move` block. The example of [`ServerContext::spawn`] shows it. To send one packet to many peers,
/// keep a set of [`PeerSender`](crate::PeerSender)s: its page has an example, and says how to encode the
/// packet only once.
///
/// # What the compiler says, and what it means
///
/// | the compiler says | what it means |
/// | --- | --- |
/// | `X` does not handle requests of `A` with responses of `B`; or: `X` does not handle conversations of `A` and `B` | `X` is not a `Handler<A, B>`, and not a function in one of the forms above. Perhaps its argument or its return value has another type than the protocol's packets, it is not `async`, or its second argument is not `Addr`. |
/// | type annotations needed; multiple `impl`s satisfying `Result<…>: IntoReply<_, _>` | The protocol infers its types from a function that returns a `Result`, an `Option` or nothing. Name the types of the protocol, or use [`try_reply`], [`reply_if`] or [`no_reply`]. |
/// | type annotations needed, at a `collect()`, `into()` or `None` | The compiler does not know the closure's return type. Write it: `async \|text: String\| -> String { … }`. |
/// | async closure does not implement `Fn` because it captures state from its environment; or: this closure only implements `FnOnce` | The closure's state moves away at the first call. Use [`with_state`], which clones it for each call. |
/// | the trait bound `Box<dyn Error + Send + Sync>: From<E>` is not satisfied | The function returns a `Result` whose error type does not convert to `BoxError`. Implement `std::error::Error` for `E`, or return a `String` as the error. |
/// | the trait bound `S: Clone` is not satisfied | [`with_state`] clones the state for each call. Put the state into an `Arc`. |
/// | future (or: `MutexGuard<…>`) cannot be sent between threads safely | A value that must stay on its thread is alive across an `await`: an `Rc`, or the guard of a `std::sync::Mutex`. Drop it before the `await`. The error of `mutex.lock()?` contains such a guard too; use `lock().unwrap()`. |
/// | expected `Result<(), Box<dyn Error + Send + Sync>>`, in `handle` | The error type of `handle` is always [`BoxError`]. Inside, `?` converts your own errors to it. |
/// | borrowed data escapes outside of method, or: argument requires that `'1` must outlive `'static` | A task borrows from `self` or `peer`. See [Shared state](#shared-state). |
///
/// # Large packets
///
/// A packet moves by value from the protocol to the handler and back, through up to ten places on the stack.
/// So a packet type of 192 KiB, such as a large array, overflows the 2 MiB stack of a tokio thread, which
/// ends the process. Put packets of more than 64 KiB into a `Box`. A `Vec`, a `String` and `Bytes` are small
/// types: their content is not on the stack.
///
/// # Examples
///
/// A conversation with several requests and a timeout:
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
///         peer.send(format!("{greeting} to you. What is your name?")).await?;
///         match peer.recv_timeout(Duration::from_secs(30)).await {
///             Ok(name) => peer.send(format!("Welcome, {name}.")).await?,
///             Err(RecvError::TimedOut) => peer.send("Another time, then.".to_owned()).await?,
///             Err(error) => return Err(error.into()),
///         }
///         Ok(())
///     }
/// }
/// ```
#[doc(alias = "session")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle conversations of `{Req}` and `{Res}`",
    label = "this is not a `Handler<{Req}, {Res}>`",
    note = "a handler is a type that implements `Handler<{Req}, {Res}>`",
    note = "a function becomes one by `IntoHandler::into_handler`, which a server calls itself"
)]
pub trait Handler<Req, Res>: Send + Sync + 'static {
    /// Prepares for serving. The server calls it each time serving begins, before it receives the first
    /// datagram.
    ///
    /// Here a handler can read the bound addresses, start background tasks and register clean-ups. Datagrams
    /// that arrive meanwhile are served afterwards. The default does nothing.
    ///
    /// # Errors
    ///
    /// If it returns an error, serving ends with [`ServeError::Start`](crate::ServeError::Start).
    fn start(
        &self,
        context: &mut ServerContext,
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = context;
        async { Ok(()) }
    }

    /// Serves one conversation. It begins with a datagram from the peer, and ends when `handle` returns.
    ///
    /// Write it as `async fn handle`. A peer has at most one conversation at a time, and more datagrams from
    /// the peer wait in its queue. If datagrams still wait when `handle` returns, the first of them opens the
    /// next conversation.
    ///
    /// A conversation that never waits runs to its end on the thread that received the datagram. A
    /// conversation that waits becomes a task. So do not block the thread: a blocked thread serves no other
    /// peer.
    ///
    /// # Errors
    ///
    /// An error ends this conversation only. It is logged at ERROR with the peer's address, and counted in
    /// [`failed`](crate::ServerStats::failed). The error type is always [`BoxError`]: `?` converts your own
    /// errors.
    ///
    /// Errors that this peer's `recv` has returned are different. [`Closed`](crate::RecvError::Closed) and
    /// [`Idle`](crate::RecvError::Idle) are not logged. [`Decode`](crate::RecvError::Decode), which any host
    /// can cause, is logged at DEBUG. None of these counts as failed. The same holds for your own error if
    /// one of these is among its sources, or if it passes one through (`#[error(transparent)]` in thiserror).
    ///
    /// The errors of [`Peer::exchange`](crate::Peer::exchange) are treated in the same way, and its
    /// [`TimedOut`](crate::PeerExchangeError::TimedOut) like `Idle`.
    ///
    /// The [`TimedOut`](crate::RecvError::TimedOut) of `recv_timeout` is an ordinary error: logged at ERROR and counted as failed.
    /// A [`SendError::Closed`](crate::SendError::Closed) after serving has ended is logged at WARN, and does
    /// not count as failed. Errors of another endpoint, such as a client that the handler uses, are failures.
    ///
    /// # Panics
    ///
    /// If `handle` panics, only this conversation ends. The panic is logged at ERROR with the peer's address,
    /// and counted in [`panicked`](crate::ServerStats::panicked). The next datagram from that peer opens a
    /// conversation.
    ///
    /// # Examples
    ///
    /// Clean up with a guard that implements `Drop`. It also runs if the handler panics, returns early with
    /// `?`, or is dropped because it runs longer than the grace period at shutdown. Code after a loop does
    /// not run then.
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
    /// /// Removes the player from the game when it is dropped.
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
    ///         // A peer joins only after a datagram that decodes.
    ///         let mut word = peer.recv().await?;
    ///         let addr = peer.addr().clone();
    ///         self.players.lock().unwrap().insert(addr.clone(), peer.sender());
    ///         let _joined = Joined(self, addr);
    ///         loop {
    ///             peer.send(format!("you said {word}")).await?;
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

/// Programs that must not compile.
///
/// A type that does not implement `Handler`:
///
/// ```compile_fail,E0277
/// struct Greeter;
///
/// datagrammar::Server::builder(datagrammar::Text, Greeter);
/// ```
///
/// A handler whose packets are not the protocol's packets:
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
/// A function that takes another request type:
///
/// ```compile_fail,E0277
/// datagrammar::Server::builder(datagrammar::Text, async |number: u64| number);
/// ```
///
/// A function that returns another response type:
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
/// A `Result` that may be the packet itself, or contain the packet in its `Ok`:
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
/// An error type that does not convert to `BoxError`:
///
/// ```compile_fail,E0277
/// struct NoError;
///
/// datagrammar::Server::builder(datagrammar::Text, async |text: String| text.parse::<u32>().map(drop).map_err(|_| NoError));
/// ```
///
/// The same with `()`, which JSON can send:
///
/// ```compile_fail,E0283
/// # #[cfg(not(feature = "json"))] compile_error!("it takes the feature");
/// datagrammar::Server::builder(datagrammar::Json::new(), async |_: String| {});
/// ```
///
/// Also if the types are named:
///
/// ```compile_fail,E0283
/// # #[cfg(not(feature = "json"))] compile_error!("it takes the feature");
/// datagrammar::Server::builder(datagrammar::Json::<String, ()>::new(), async |_: String| {});
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
