//! The server: one protocol and one handler, on one socket or several.

mod bind;
mod builder;
mod multicast;
mod serve;

use std::{any::Any, fmt, future::pending, pin::pin, sync::Arc};

pub use builder::ServerBuilder;
use tokio::task::JoinHandle;

use crate::{
    Addr, Bind, BindError, DatagramProtocol, Handler, IntoHandler, ServeError, ServerHandle,
    SocketRef,
    engine::Engine,
    events::Events,
    handle::{status::Status, watch::SocketWatch},
    socket::SocketState,
    stats::Counters,
    tasks::Tasks,
};

/// A server that holds typed conversations with its peers, over UDP and other [transports](Bind).
///
/// It is [bound](Self::bind), with options by its [builder](Self::builder), and serves while
/// [`serve`](Self::serve) runs. Dropping
/// it closes its sockets. If `serve` has returned before, their ports are free at once. If its future was
/// dropped instead, as by an aborted task, conversations share them until the runtime has dropped them too:
/// [`ServerHandle::stopped`] waits for that.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, Client, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let handler = async |name: String| format!("Hello, {name}.");
/// let server = Server::bind("127.0.0.1:0", Text, handler).await?;
/// let (addr, handle) = (server.local_addr(), server.handle());
/// let serving = server.spawn();
///
/// let client = Client::connect(addr, Text).await?;
/// client.send("world".to_owned()).await?;
/// assert_eq!(client.recv().await?, "Hello, world.");
///
/// handle.shutdown().await;
/// serving.await??;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    sockets: Vec<Arc<SocketState>>,
    engine: Box<dyn Engine>,
    counters: Arc<Counters>,
    events: Arc<Events>,
    tasks: Arc<Tasks>,
    encoder: Arc<dyn Any + Send + Sync>,
    status: Arc<Status>,
    watch: Arc<SocketWatch>,
    local_addr: Addr,
    // Dropped last: who hears of the end finds the sockets closed.
    _life: Life,
}

impl Server {
    /// Binds a server with the default options: it speaks `protocol`, and `handler` serves its peers.
    ///
    /// `transport` is an address, several, or any other [transport](Bind). A handler is a [`Handler`], or a
    /// function of one of the forms on [its page](Handler#functions).
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::bind`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing stays bound.
    pub async fn bind<P, H, Form>(
        transport: impl Bind,
        protocol: P,
        handler: H,
    ) -> Result<Self, BindError>
    where
        P: DatagramProtocol + Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
        H: IntoHandler<P::Incoming, P::Outgoing, Form>,
        H::Handler: Handler<P::Incoming, P::Outgoing>,
    {
        Self::builder(protocol, handler).bind(transport).await
    }

    /// Begins a server with options: it speaks `protocol`, and `handler` serves its peers.
    ///
    /// A handler is a [`Handler`], or a function of one of the forms on [its page](Handler#functions).
    pub fn builder<P, H, Form>(protocol: P, handler: H) -> ServerBuilder
    where
        P: DatagramProtocol + Send + Sync + 'static,
        P::Incoming: Send + 'static,
        P::Outgoing: Send + 'static,
        H: IntoHandler<P::Incoming, P::Outgoing, Form>,
        H::Handler: Handler<P::Incoming, P::Outgoing>,
    {
        ServerBuilder::new(protocol, handler.into_handler())
    }

    /// Returns the address that is bound, with the port the kernel chose; of several, the first.
    ///
    /// [`ServerHandle::local_addrs`] has all of them.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.local_addr.clone()
    }

    /// Returns the handle of this server, to be used from anywhere.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(
            Arc::clone(&self.status),
            Arc::clone(&self.counters),
            Arc::clone(&self.events),
            Arc::clone(&self.watch),
            Arc::clone(&self.encoder),
        )
    }

    /// Returns the sockets of the server, for options that its [builder](Self::builder) has no setter
    /// for. A network in memory has none.
    pub fn sockets(&self) -> impl Iterator<Item = SocketRef<'_>> {
        self.sockets.iter().filter_map(|socket| socket.outbox.transport().socket())
    }

    /// Starts [`serve`](Self::serve) as a task of the current runtime, which owns the server from now on.
    ///
    /// Take a [handle](Self::handle) before, to shut the server down. Aborting the task drops the server.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    /// let serving = server.spawn();
    ///
    /// assert!(handle.ready().await);
    /// handle.shutdown().await;
    /// serving.await??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn(self) -> JoinHandle<Result<(), ServeError>> {
        tokio::spawn(async move { self.serve().await })
    }

    /// Serves until [`ServerHandle::shutdown`] is called.
    ///
    /// What arrived since the server was bound is served first. Afterwards the sockets stay bound, so
    /// that this can be called again; what arrives in between is dropped.
    ///
    /// The `tracing` span of each conversation is below the one that is current when this is first polled.
    ///
    /// # Errors
    ///
    /// [`ServeError::AlreadyServing`] while another call runs, [`ServeError::Start`] if the handler
    /// could not start, [`ServeError::Io`] if a socket can never receive again.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime; its I/O and time must be enabled.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, as `select!` does, conversations and background tasks are dropped at
    /// their await points and clean-ups do not run; [`serve_until`](Self::serve_until) ends in order. The
    /// sockets stay bound, and this can be called again: serving begins, with the start hook, when all of
    /// them are gone. So no peer has two conversations at a time; and a conversation that blocks its thread
    /// holds up the next serving, until it returns or awaits.
    pub async fn serve(&self) -> Result<(), ServeError> {
        self.serve_until(pending::<()>()).await
    }

    /// Serves until `until` completes, with whatever, or [`ServerHandle::shutdown`] is called.
    ///
    /// What it is given most often is `tokio::signal::ctrl_c()`.
    ///
    /// # Errors
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// As [`serve`](Self::serve).
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn serve_until<T>(&self, until: impl Future<Output = T>) -> Result<(), ServeError> {
        let until = async { drop(until.await) };
        serve::serve(self, pin!(until)).await
    }
}

impl Server {
    /// Counts what the kernel has dropped up to now, and tells of it.
    fn count_kernel_drops(&self) {
        self.handle().count_kernel_drops();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.watch.gone(&self.counters);
    }
}

/// Tells all who hold a handle when the server is gone.
struct Life(Arc<Status>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.gone();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.status.local_addrs())
            .finish_non_exhaustive()
    }
}
