//! Functions that serve several requests from one peer at the same time.

mod calls;
mod woken;

use std::{fmt, future::poll_fn, marker::PhantomData, pin::pin, task::Poll};

use calls::Calls;

use super::Function;
use crate::{
    BoxError, Handler, IntoHandler, Peer, RecvError,
    panic::{self, Panicked},
};

/// Makes a handler that serves up to `limit` requests from one peer at the same time. Use it for a function
/// that waits for something, such as a database.
///
/// Without it, the server serves one request from a peer at a time, and the next ones wait in the peer's queue.
/// Different peers are always served at the same time. With it, requests wait in that queue only while
/// `limit` of them are being served. A response is sent when its call completes, so the responses may be in
/// another order than the requests. A client that sends several requests at once needs an id in its packets.
///
/// All calls for a peer are part of one conversation and run in its task. So a function that blocks its
/// thread still serves one request at a time. If a call fails or panics, that call is logged and counted, and
/// the others go on. When a shutdown begins, calls have the [grace period](crate::Limits::shutdown_grace) to
/// complete, and are dropped after it.
///
/// # Panics
///
/// Panics if `limit` is zero.
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Client, Server, Text, concurrent, with_state};
///
/// # #[derive(Clone)] struct Pool;
/// # impl Pool { async fn lookup(&self, key: &str) -> Result<String, BoxError> { Ok(key.to_owned()) } }
/// async fn lookup(pool: Pool, key: String) -> Result<String, BoxError> {
///     Ok(pool.lookup(&key).await?)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let pool = Pool;
/// let handler = concurrent(64, with_state(pool, lookup));
/// let server = Server::bind("127.0.0.1:0", Text, handler).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// client.send_all(["one".to_owned(), "two".to_owned()]).await?;
/// let mut answers = [client.recv().await?, client.recv().await?];
/// answers.sort(); // They may come in another order than the requests.
/// assert_eq!(answers, ["one", "two"]);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub const fn concurrent<F>(limit: usize, function: F) -> Concurrent<F> {
    assert!(limit > 0, "`concurrent` with a limit of 0 would serve no request");
    Concurrent { limit, function }
}

/// A function that serves several requests from one peer at the same time; made by [`concurrent`].
#[derive(Clone, Copy)]
pub struct Concurrent<F> {
    limit: usize,
    function: F,
}

/// The form of a function that serves several requests from one peer at the same time. `Form` says which
/// arguments it takes and what it returns.
pub struct AtOnce<Form>(PhantomData<fn() -> Form>);

#[diagnostic::do_not_recommend]
impl<Req, Res, F, Form> IntoHandler<Req, Res, AtOnce<Form>> for Concurrent<F>
where
    F: Function<Req, Res, Form>,
{
    type Handler = ConcurrentHandler<F, Form>;

    fn into_handler(self) -> Self::Handler {
        ConcurrentHandler { limit: self.limit, function: self.function, form: PhantomData }
    }
}

/// The handler that a [`Concurrent`] function becomes.
pub struct ConcurrentHandler<F, Form> {
    limit: usize,
    function: F,
    form: PhantomData<fn() -> Form>,
}

impl<Req, Res, F, Form> Handler<Req, Res> for ConcurrentHandler<F, Form>
where
    F: Function<Req, Res, Form> + Send + Sync + 'static,
    F::Future: Send,
    F::Error: Into<BoxError>,
    <F::Future as Future>::Output: Send,
    Form: 'static,
    Req: Send,
    Res: Send + Sync,
{
    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        let Some(request) = peer.recv_request().await? else { return Ok(()) };
        let mut first = pin!(self.function.call(request, peer.addr()));
        // A call that completes at its first poll ends here, as without `concurrent`.
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await {
            let Some(response) = F::reply(output).map_err(Into::into)? else { return Ok(()) };
            let sent = peer.reply(&response).await;
            return peer.unless_refused(sent);
        }
        let mut calls = Calls::new(first);
        let mut open = true;
        while !calls.is_empty() {
            let room = calls.len() < self.limit;
            match next(&mut calls, peer, open && room).await {
                Event::Completed(output) => {
                    // A panic here must not end the other calls.
                    if let Err(panicked) = reply::<_, _, F, Form>(peer, output).await {
                        peer.panicked(panicked);
                    }
                }
                Event::Received(Ok(request)) => {
                    match panic::catch(|| self.function.call(request, peer.addr())) {
                        Ok(call) => calls.start(call),
                        Err(panicked) => peer.panicked(panicked),
                    }
                }
                Event::Received(Err(error @ RecvError::Decode(_))) => peer.log_undecodable(&error),
                // The peer is not idle: it waits for our responses.
                Event::Received(Err(RecvError::Idle)) => {}
                Event::Received(Err(_)) => open = false,
            }
        }
        Ok(())
    }
}

enum Event<Req, Output> {
    Received(Result<Req, RecvError>),
    Completed(Result<Output, Panicked>),
}

/// Waits until a call has completed or, with `receive`, a request was received.
async fn next<Req, Res, Fut: Future>(
    calls: &mut Calls<'_, Fut>,
    peer: &mut Peer<Req, Res>,
    receive: bool,
) -> Event<Req, Fut::Output> {
    // Dropping this future loses no request.
    let mut request = pin!(receive.then(|| peer.recv()));
    poll_fn(|cx| {
        if let Poll::Ready(output) = calls.poll(cx) {
            return Poll::Ready(Event::Completed(output));
        }
        match request.as_mut().as_pin_mut() {
            Some(request) => request.poll(cx).map(Event::Received),
            None => Poll::Pending,
        }
    })
    .await
}

/// Sends the response of a call, or logs its error.
///
/// # Errors
///
/// Returns an error if the user's code panics: the function, the conversion of its error, or the protocol.
async fn reply<Req, Res, F, Form>(
    peer: &mut Peer<Req, Res>,
    output: Result<<F::Future as Future>::Output, Panicked>,
) -> Result<(), Panicked>
where
    F: Function<Req, Res, Form>,
    F::Error: Into<BoxError>,
{
    let output = output?;
    match panic::catch(|| F::reply(output).map_err(Into::into))? {
        Ok(None) => Ok(()),
        Ok(Some(response)) => {
            let mut send = pin!(peer.reply(&response));
            let sent = poll_fn(|cx| panic::poll(send.as_mut(), cx)).await?;
            panic::catch(|| {
                if let Err(error) = peer.unless_refused(sent) {
                    peer.fail(error);
                }
            })
        }
        // It cannot be an error of the peer's `recv`, because functions never see these.
        Err(error) => panic::catch(|| peer.failed(error)),
    }
}

impl<F> fmt::Debug for Concurrent<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrent").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<F, Form> fmt::Debug for ConcurrentHandler<F, Form> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrentHandler").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<Form> fmt::Debug for AtOnce<Form> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtOnce").finish()
    }
}
