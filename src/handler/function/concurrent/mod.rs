//! Functions that serve several requests from one peer at the same time.

mod calls;
mod woken;

use std::{
    fmt,
    future::{pending, poll_fn},
    marker::PhantomData,
    pin::{Pin, pin},
    task::Poll,
};

use calls::Calls;

use super::{Function, NotReady, ready};
use crate::{
    BoxError, DropReason, Handler, IntoHandler, Peer, RecvError,
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
    F::Permit: Send,
    F::Wait: Send,
    F::Future: Send,
    F::Error: Into<BoxError>,
    <F::Future as Future>::Output: Send,
    Form: 'static,
    Req: Send,
    Res: Send + Sync,
{
    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        let permit = match self.function.try_ready() {
            Some(permit) => permit,
            None => match ready::wait(self.function.ready(peer.max_queue_time()), peer).await {
                Ok(permit) => permit,
                Err(not_ready) => return not_ready.drop_request(peer),
            },
        };
        let Some(request) = peer.recv_request().await? else { return Ok(()) };
        let mut first = pin!(Some(self.function.call(permit, request, peer.addr())));
        let polled = poll_fn(|cx| Poll::Ready(first.as_mut().as_pin_mut().map(|f| f.poll(cx))));
        // A call that completes at its first poll ends here, as without `concurrent`.
        if let Some(Poll::Ready(output)) = polled.await {
            // It may keep a place of a service until it is dropped.
            first.set(None);
            let Some(response) = F::reply(output).map_err(Into::into)? else { return Ok(()) };
            let sent = peer.reply(&response).await;
            return peer.unless_refused(sent);
        }
        let mut calls = Calls::new(first);
        let mut open = true;
        let mut wait = pin!(None);
        // A request that waits keeps its place in the line.
        while !calls.is_empty() || wait.is_some() {
            let event = if open && calls.len() < self.limit {
                let wait = wait.as_mut();
                next(&mut calls, receive::<_, _, F, Form>(&self.function, peer, wait)).await
            } else {
                next(&mut calls, pending()).await
            };
            match event {
                Event::Completed(output) => {
                    // A panic here must not end the other calls.
                    if let Err(panicked) = reply::<_, _, F, Form>(peer, output).await {
                        peer.panicked(panicked);
                    }
                }
                Event::Received(Ok((permit, request))) => {
                    match panic::catch(|| self.function.call(permit, request, peer.addr())) {
                        Ok(call) => calls.start(call),
                        Err(panicked) => peer.panicked(panicked),
                    }
                }
                Event::Received(Err(error @ RecvError::Decode(_))) => {
                    peer.log_undecodable(&error);
                }
                // The peer is not idle: it waits for our responses.
                Event::Received(Err(RecvError::Idle)) => {}
                Event::Received(Err(_)) => open = false,
                Event::Lost => {}
                Event::NotReady(Ok(not_ready)) => {
                    let failed = not_ready.drop_request(peer);
                    let logged = panic::catch(|| failed.unwrap_or_else(|error| peer.failed(error)));
                    if let Err(panicked) = logged {
                        peer.panicked(panicked);
                    }
                }
                Event::NotReady(Err(panicked)) => {
                    peer.drop_next(DropReason::Unread);
                    peer.panicked(panicked);
                }
            }
        }
        Ok(())
    }
}

enum Event<Req, Permit, Output> {
    Received(Result<(Permit, Req), RecvError>),
    /// The request that has waited was dropped, because it was late, or because the reply store knows it.
    Lost,
    /// The next request must be dropped.
    NotReady(Result<NotReady, Panicked>),
    Completed(Result<Output, Panicked>),
}

/// Waits until a call has completed, or for `received`.
async fn next<Req, Permit, Fut: Future>(
    calls: &mut Calls<'_, Fut>,
    received: impl Future<Output = Event<Req, Permit, Fut::Output>>,
) -> Event<Req, Permit, Fut::Output> {
    // Dropping this future loses no request.
    let mut received = pin!(received);
    poll_fn(|cx| match calls.poll(cx) {
        Poll::Ready(output) => Poll::Ready(Event::Completed(output)),
        Poll::Pending => received.as_mut().poll(cx),
    })
    .await
}

/// Receives a request, with a permit. It asks for a permit only while a request waits, so that no peer keeps one for later. The
/// `wait` for a permit goes on while calls complete.
async fn receive<Req, Res, F, Form>(
    function: &F,
    peer: &mut Peer<Req, Res>,
    mut wait: Pin<&mut Option<F::Wait>>,
) -> Event<Req, F::Permit, <F::Future as Future>::Output>
where
    F: Function<Req, Res, Form>,
{
    let permit = poll_fn(|cx| {
        match peer.poll_next(cx) {
            Poll::Ready(true) => {}
            Poll::Ready(false) => return Poll::Ready(Err(Event::Received(Err(RecvError::Closed)))),
            Poll::Pending if wait.is_some() => return Poll::Ready(Err(Event::Lost)),
            Poll::Pending => return Poll::Pending,
        }
        let permit = panic::catch(|| {
            if wait.is_none() {
                if let Some(permit) = function.try_ready() {
                    return Poll::Ready(Ok(permit));
                }
                wait.set(Some(function.ready(peer.max_queue_time())));
            }
            wait.as_mut().as_pin_mut().map_or(Poll::Pending, |wait| wait.poll(cx))
        });
        match permit {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(permit))) => Poll::Ready(Ok(permit)),
            Ok(Poll::Ready(Err(not_ready))) => Poll::Ready(Err(Event::NotReady(Ok(not_ready)))),
            Err(panicked) => Poll::Ready(Err(Event::NotReady(Err(panicked)))),
        }
    });
    let permit = permit.await;
    if let Err(panicked) = panic::catch(|| wait.set(None)) {
        peer.panicked(panicked);
    }
    match permit {
        Ok(permit) => match peer.recv_next().await {
            Some(request) => Event::Received(request.map(|request| (permit, request))),
            None => Event::Lost,
        },
        Err(event) => event,
    }
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
