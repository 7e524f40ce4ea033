//! A request client for programs without async.

use std::{
    borrow::Borrow,
    fmt, io,
    sync::Arc,
    thread::{self, Builder, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::{self, Handle},
    sync::oneshot,
};

use super::block_on::is_inside_runtime;
use crate::{
    Addr, Connect, ConnectError, Correlated, Idempotent, RequestClientBuilder, RequestError,
    RequestStats,
};

/// A client that sends requests and waits for their responses: [`RequestClient`](crate::RequestClient) for programs
/// without async.
///
/// It is cheap to clone, and any number of threads may have requests in flight at the same time. Each client has a
/// thread, named `datagrammar`, which receives responses for all its clones. It ends when the last clone is dropped.
///
/// # Examples
///
/// ```
/// use datagrammar::{Tagged, TaggedServer, Text, blocking, tagged};
///
/// # fn main() -> Result<(), datagrammar::BoxError> {
/// let shout = tagged(async |text: String| text.to_uppercase());
/// let server = blocking::Server::bind("127.0.0.1:0", TaggedServer::new(Text), shout)?;
/// let addr = server.local_addr();
/// let mut thread = server.spawn()?;
///
/// let client = blocking::RequestClient::connect(addr, Tagged::new(Text))?;
/// assert_eq!(client.request("hello".to_owned())?, "HELLO");
/// thread.join()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias("retry", "rpc"))]
pub struct RequestClient<P> {
    client: crate::RequestClient<P>,
    // Dropped after the client, which needs the runtime to close its sockets.
    driver: Arc<Driver>,
}

/// The thread that drives the sockets of a client, and its runtime.
struct Driver {
    handle: Handle,
    /// `None` after it was stopped.
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Driver {
    fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let drive = move || {
            // The sender is dropped to stop it.
            let _ = runtime.block_on(stopped);
        };
        let thread = Builder::new().name("datagrammar".to_owned()).spawn(drive)?;
        Ok(Self { handle, running: Some((stop, thread)) })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let Some((stop, thread)) = self.running.take() else { return };
        drop(stop);
        // The sockets are closed when it has ended. A thread of a runtime must not wait for that.
        if !is_inside_runtime() && thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

impl<P: Correlated + Send + Sync + 'static> RequestClient<P> {
    /// Connects to a server, or to several: each address of a list is one.
    ///
    /// # Errors
    ///
    /// The same as [`RequestClientBuilder::connect_blocking`].
    pub fn connect(transport: impl Connect, protocol: P) -> Result<Self, ConnectError> {
        Self::builder(protocol).connect_blocking(transport)
    }

    /// Returns a builder, to set options before the client is connected. Finish it with
    /// [`connect_blocking`](RequestClientBuilder::connect_blocking).
    pub fn builder(protocol: P) -> RequestClientBuilder<P> {
        crate::RequestClient::builder(protocol)
    }

    /// Sends a request and waits for its response, as
    /// [`RequestClient::request`](crate::RequestClient::request) does.
    ///
    /// # Errors
    ///
    /// The same, and [`RequestError::InsideRuntime`] inside an async runtime.
    pub fn request(&self, request: impl Borrow<P::Outgoing>) -> Result<P::Incoming, RequestError> {
        self.wait(self.client.request(request))
    }

    /// Does the same as [`request`](Self::request), and waits for up to `timeout` in all.
    ///
    /// # Errors
    ///
    /// The same as [`request`](Self::request).
    pub fn request_timeout(
        &self,
        request: impl Borrow<P::Outgoing>,
        timeout: Duration,
    ) -> Result<P::Incoming, RequestError> {
        self.wait(self.client.request_timeout(request, timeout))
    }

    /// Sends a request that may be [hedged](crate::RequestClient::request_hedged).
    ///
    /// # Errors
    ///
    /// The same as [`request`](Self::request).
    pub fn request_hedged(
        &self,
        request: impl Borrow<P::Outgoing>,
    ) -> Result<P::Incoming, RequestError>
    where
        P::Outgoing: Idempotent,
    {
        self.wait(self.client.request_hedged(request))
    }

    /// Sends a packet that needs no response, as [`RequestClient::notify`](crate::RequestClient::notify) does.
    ///
    /// # Errors
    ///
    /// The same, and [`RequestError::InsideRuntime`] inside an async runtime.
    pub fn notify(&self, packet: impl Borrow<P::Outgoing>) -> Result<(), RequestError> {
        self.wait(self.client.notify(packet))
    }

    /// Ends all requests with [`RequestError::Closed`], and closes the sockets. This closes all clones. Any thread
    /// may call it, also inside a runtime.
    pub fn close(&self) {
        self.client.close();
    }

    /// Returns whether the client was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Returns the counters of this client and its clones.
    #[must_use]
    pub fn stats(&self) -> RequestStats {
        self.client.stats()
    }

    /// Returns how many requests may be in flight now.
    #[must_use]
    pub fn in_flight_limit(&self) -> usize {
        self.client.in_flight_limit()
    }

    /// Returns the smoothed round-trip time to each server, if it is known.
    #[must_use]
    pub fn round_trip_times(&self) -> Vec<Option<Duration>> {
        self.client.round_trip_times()
    }

    /// Returns the address of each server. It is empty after [`close`](Self::close).
    #[must_use]
    pub fn server_addrs(&self) -> Vec<Addr> {
        self.client.server_addrs()
    }

    /// Returns the local address of the socket to each server. It is empty after [`close`](Self::close).
    #[must_use]
    pub fn local_addrs(&self) -> Vec<Addr> {
        self.client.local_addrs()
    }

    fn wait<T>(
        &self,
        future: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        if is_inside_runtime() {
            return Err(RequestError::InsideRuntime);
        }
        self.driver.handle.block_on(future)
    }
}

impl<P: Correlated + Send + Sync + 'static> RequestClientBuilder<P> {
    /// Connects a [blocking request client](RequestClient), as [`connect`](Self::connect) does for async programs.
    ///
    /// # Errors
    ///
    /// - The errors of [`connect`](Self::connect).
    /// - [`ConnectError::Io`] if the thread of the client could not be started.
    /// - [`ConnectError::InsideRuntime`] inside an async runtime.
    pub fn connect_blocking(
        self,
        transport: impl Connect,
    ) -> Result<RequestClient<P>, ConnectError> {
        if is_inside_runtime() {
            return Err(ConnectError::InsideRuntime);
        }
        let driver = Driver::start()?;
        let client = driver.handle.block_on(self.connect(transport))?;
        Ok(RequestClient { client, driver: Arc::new(driver) })
    }
}

impl<P> Clone for RequestClient<P> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), driver: Arc::clone(&self.driver) }
    }
}

impl<P> fmt::Debug for RequestClient<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestClient").finish_non_exhaustive()
    }
}
