//! A service of tower as a handler: each request gets a clone, which is ready before the request is received.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::{Pin, pin},
    sync::Mutex,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    task::unconstrained,
    time::{Sleep, sleep},
};
use tower_service::Service;

use super::Request;
use crate::{
    Addr, BoxError,
    function::{Function, IntoReply, NotReady},
    lock::locked,
};

/// Makes a handler of a service whose requests are the packets of the protocol.
///
/// The [page of the module](super) says what happens while the service is not ready, and when it fails. The response is a
/// packet, or an `Option`: `None` sends nothing. As with functions, protocols that infer their packet types from the
/// handler, such as `Json::new()`, cannot know which of both is meant by an `Option`: name their types.
///
/// # Examples
///
/// A service of your own:
///
/// ```
/// use datagrammar::{BoxError, Client, Server, Text, tower::service};
/// use std::{future::{Ready, ready}, task::{Context, Poll}};
/// use tower_service::Service;
///
/// #[derive(Clone)]
/// struct Greeter {
///     greeting: &'static str,
/// }
///
/// impl Service<String> for Greeter {
///     type Response = String;
///     type Error = BoxError;
///     type Future = Ready<Result<String, BoxError>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, name: String) -> Self::Future {
///         ready(Ok(format!("{}, {name}", self.greeting)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let greeter = service(Greeter { greeting: "Hello" });
/// let server = Server::bind("127.0.0.1:0", Text, greeter).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// client.send("Ada".to_owned()).await?;
/// assert_eq!(client.recv().await?, "Hello, Ada");
/// # Ok(())
/// # }
/// ```
#[doc(alias("middleware", "layer", "readiness", "load_shed"))]
#[must_use]
pub const fn service<S>(service: S) -> ServiceHandler<S, Packet> {
    ServiceHandler::new(service)
}

/// Makes a handler of a service whose requests are [`Request`]s: they have the address of the peer.
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Client, Server, Text, tower::{Request, service_with_addr}};
///
/// async fn who(request: Request<String>) -> Result<String, BoxError> {
///     Ok(format!("{} says {}", request.addr(), request.get_ref()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let who = service_with_addr(tower::service_fn(who));
/// let server = Server::bind("127.0.0.1:0", Text, who).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// client.send("hello".to_owned()).await?;
/// assert_eq!(client.recv().await?, format!("{} says hello", client.local_addr()));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ConnectInfo")]
#[must_use]
pub const fn service_with_addr<S>(service: S) -> ServiceHandler<S, PacketAndAddr> {
    ServiceHandler::new(service)
}

/// A service as a handler; made by [`service`] and [`service_with_addr`]. `In` says which of both.
pub struct ServiceHandler<S, In> {
    /// In a lock, because most services cannot be used by several threads at once. It is only cloned.
    service: Mutex<S>,
    ready_timeout: Duration,
    input: PhantomData<fn() -> In>,
}

impl<S, In> ServiceHandler<S, In> {
    const fn new(service: S) -> Self {
        const READY_TIMEOUT: Duration = Duration::from_millis(100);

        Self { service: Mutex::new(service), ready_timeout: READY_TIMEOUT, input: PhantomData }
    }

    /// Sets how long a request waits for the service to be ready. The default is 100 ms. With zero, a request is dropped at
    /// once if the service is not ready.
    ///
    /// A request that has waited for so long is dropped, and counted as [`DropReason::Busy`](crate::DropReason::Busy).
    /// Each peer whose request waits takes one of [`Limits::max_conversations`](crate::Limits::max_conversations).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Server, Text, tower::service};
    /// use std::time::Duration;
    ///
    /// # async fn example() -> Result<(), BoxError> {
    /// let echo = tower::service_fn(async |text: String| Ok::<_, BoxError>(text));
    /// let handler = service(echo).ready_timeout(Duration::from_millis(500));
    /// let server = Server::bind("127.0.0.1:0", Text, handler).await?;
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }
}

impl<S: Clone, In> Clone for ServiceHandler<S, In> {
    fn clone(&self) -> Self {
        Self {
            service: Mutex::new(self.get()),
            ready_timeout: self.ready_timeout,
            input: PhantomData,
        }
    }
}

impl<S: Clone, In> ServiceHandler<S, In> {
    /// A clone of the service. A service that panics while it is cloned leaves nothing behind here.
    fn get(&self) -> S {
        locked(&self.service).clone()
    }
}

/// What a service gets as its request.
pub trait Input<Req> {
    /// The request of the service.
    type Request;

    /// Makes the request of a packet, and the address of the peer that has sent it.
    fn request(packet: Req, addr: &Addr) -> Self::Request;
}

/// The service gets packets.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum Packet {}

impl<Req> Input<Req> for Packet {
    type Request = Req;

    #[inline]
    fn request(packet: Req, _: &Addr) -> Req {
        packet
    }
}

/// The service gets [`Request`]s.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum PacketAndAddr {}

impl<Req> Input<Req> for PacketAndAddr {
    type Request = Request<Req>;

    #[inline]
    fn request(packet: Req, addr: &Addr) -> Request<Req> {
        Request::new(packet, addr.clone())
    }
}

/// The form of a service. `Output` is the form of its response.
pub struct OfService<Output>(PhantomData<fn() -> Output>);

impl<Req, Res, S, In, Output> Function<Req, Res, OfService<Output>> for ServiceHandler<S, In>
where
    In: Input<Req>,
    S: Service<In::Request> + Clone,
    S::Response: IntoReply<Res, Output, Error = Infallible>,
    S::Error: Into<BoxError>,
{
    type Permit = S;
    type Wait = WaitsForService<S, In::Request>;
    type Future = S::Future;
    type Error = S::Error;

    /// Only a poll tells whether a service is ready.
    fn try_ready(&self) -> Option<S> {
        None
    }

    fn ready(&self, max_wait: Option<Duration>) -> Self::Wait {
        WaitsForService {
            service: Some(self.get()),
            ready_timeout: self.ready_timeout,
            max_wait,
            timer: None,
            request: PhantomData,
        }
    }

    /// Calls the service that is ready.
    fn call(&self, mut service: S, packet: Req, addr: &Addr) -> S::Future {
        service.call(In::request(packet, addr))
    }

    fn reply(output: Result<S::Response, S::Error>) -> Result<Option<Res>, S::Error> {
        let Ok(reply) = output?.into_reply();
        Ok(reply)
    }
}

/// The future that waits for a service to be ready, with a time limit.
pub struct WaitsForService<S, Request> {
    service: Option<S>,
    ready_timeout: Duration,
    max_wait: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    request: PhantomData<fn(Request)>,
}

/// The service is never pinned.
impl<S, Request> Unpin for WaitsForService<S, Request> {}

impl<S, Request> Future for WaitsForService<S, Request>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S, NotReady>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // It stays there while it is polled: if it panics, it is not dropped before the panic is caught.
        let service = this.service.as_mut().expect("it is not polled after it has completed");
        // One task of a worker polls many services. A semaphore that ends the turn of this task, because it has done much
        // already, is no sign of load.
        let ready = pin!(unconstrained(poll_fn(|cx| service.poll_ready(cx)))).poll(cx);
        match ready {
            Poll::Ready(Ok(())) => {
                return Poll::Ready(Ok(this.service.take().expect("it was polled just now")));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(NotReady::Failed(error.into()))),
            Poll::Pending => {}
        }
        // The shorter one of both times ends the wait.
        let (timeout, not_ready) = match this.max_wait {
            Some(max_wait) if max_wait < this.ready_timeout => (max_wait, NotReady::Late),
            _ => (this.ready_timeout, NotReady::Busy),
        };
        if !timeout.is_zero() {
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(Err(not_ready))
    }
}

impl<S, In> fmt::Debug for ServiceHandler<S, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandler")
            .field("ready_timeout", &self.ready_timeout)
            .finish_non_exhaustive()
    }
}

impl<S, Request> fmt::Debug for WaitsForService<S, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitsForService")
            .field("ready_timeout", &self.ready_timeout)
            .finish_non_exhaustive()
    }
}

impl<Output> fmt::Debug for OfService<Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfService").finish()
    }
}
