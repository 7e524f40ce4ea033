//! A bound server for programs without async.

use std::{fmt, io, net::IpAddr};

use super::handle::ServerHandle;
use crate::{
    Addr, Bind, BindError, DatagramProtocol, Handler, Interface, IntoHandler, ServerBuilder,
    SocketRef, blocking::block_on::is_inside_runtime, engine::dedicated_thread::Reactor,
};

/// A server that exchanges typed packets with many peers, for programs without async. It serves as
/// [`datagrammar::Server`](crate::Server) does, and its calls block the thread.
///
/// [`bind`](Self::bind) makes a server with the default options. For other options, call
/// [`Server::builder`](crate::Server::builder), set them, and finish with
/// [`bind_blocking`](ServerBuilder::bind_blocking).
///
/// The server handles datagrams while [`serve`](Self::serve) runs. [`spawn`](Self::spawn) runs it on a thread
/// of its own. To end it from another thread, take a [`handle`](Self::handle) first.
///
/// # Handlers
///
/// The handlers are those of the async server: a type that implements [`Handler`], or an `async` function.
/// They run on the thread that serves. A function that is not `async` becomes a handler through
/// [`blocking::handler`](crate::blocking::handler), which runs it on threads of its own.
///
/// The server owns a current-thread runtime of tokio. It runs only while the server serves. So a task that a
/// handler starts with `tokio::spawn` stops when serving has ended, and is dropped with the server.
///
/// # Inside an async runtime
///
/// A program with async uses [`datagrammar::Server`](crate::Server). This server refuses to be bound or to
/// serve inside a runtime, because it would block the thread of other tasks; the error is
/// [`BindError::InsideRuntime`] or [`ServeError::InsideRuntime`](crate::ServeError::InsideRuntime). The
/// closure of `tokio::task::spawn_blocking` counts as inside. A thread of `std::thread::spawn` does not.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, blocking};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), datagrammar::BoxError> {
/// let hello = blocking::handler(|name: String| format!("Hello, {name}."));
/// let server = blocking::Server::bind("127.0.0.1:0", Text, hello)?;
/// let addr = server.local_addr();
/// let mut thread = server.spawn()?;
///
/// let client = blocking::Client::connect(addr, Text)?;
/// client.send("world".to_owned())?;
/// assert_eq!(client.recv_timeout(Duration::from_secs(5))?, "Hello, world.");
///
/// thread.join()?;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    /// `None` only while it is dropped.
    server: Option<crate::Server>,
    pub(super) reactor: Reactor,
}

impl Server {
    /// Binds a server with the default options. It encodes and decodes packets with `protocol`, and `handler`
    /// serves its peers.
    ///
    /// `transport` and `handler` are what [`datagrammar::Server::bind`](crate::Server::bind) takes, or a
    /// function that is not `async` in [`blocking::handler`](crate::blocking::handler). The server handles no
    /// datagram before [`serve`](Self::serve) or [`spawn`](Self::spawn) is called.
    ///
    /// # Errors
    ///
    /// The same as [`ServerBuilder::bind_blocking`].
    pub fn bind<P, H, Form>(
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
        crate::Server::builder(protocol, handler).bind_blocking(transport)
    }

    /// Returns the address that the server is bound to, with the port that the kernel chose. If there are
    /// several addresses, this is the first.
    ///
    /// [`ServerHandle::local_addrs`] returns all of them.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.server().local_addr()
    }

    /// Returns a handle to this server. It can be cloned and used from any thread: to shut the server down,
    /// and to read its stats.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(self.server().handle())
    }

    /// Returns the sockets of the server, to set options for which [`Udp`](crate::Udp) has no setter.
    pub fn sockets(&self) -> impl Iterator<Item = SocketRef<'_>> {
        self.server().sockets()
    }

    /// Joins a multicast group, as [`datagrammar::Server::join_multicast`](crate::Server::join_multicast)
    /// does.
    ///
    /// # Errors
    ///
    /// The errors of that method.
    pub fn join_multicast(&self, group: impl Into<IpAddr>, interface: Interface) -> io::Result<()> {
        self.server().join_multicast(group, interface)
    }

    /// Leaves a multicast group, as [`datagrammar::Server::leave_multicast`](crate::Server::leave_multicast)
    /// does.
    ///
    /// # Errors
    ///
    /// The errors of that method.
    pub fn leave_multicast(
        &self,
        group: impl Into<IpAddr>,
        interface: Interface,
    ) -> io::Result<()> {
        self.server().leave_multicast(group, interface)
    }

    pub(super) fn server(&self) -> &crate::Server {
        self.server.as_ref().expect("it is there until it is dropped")
    }
}

impl<P> ServerBuilder<P> {
    /// Binds a [blocking server](Server) to an address, to several addresses, or to other [transports](Bind).
    /// It is [`bind`](Self::bind) for programs without async.
    ///
    /// # Errors
    ///
    /// The errors of [`bind`](Self::bind), and [`BindError::InsideRuntime`] inside an async runtime.
    /// [`BindError::Io`] also if the server cannot make its runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Limits, Server, Text, blocking};
    ///
    /// # fn main() -> Result<(), datagrammar::BindError> {
    /// let server: blocking::Server = Server::builder(Text, async |text: String| text)
    ///     .limits(Limits::default().max_conversations(100))
    ///     .bind_blocking("127.0.0.1:0")?;
    /// assert_ne!(server.local_addr().port(), Some(0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind_blocking(self, transport: impl Bind) -> Result<Server, BindError> {
        if is_inside_runtime() {
            return Err(BindError::InsideRuntime);
        }
        let reactor = Reactor::new()?;
        let server = reactor.runtime().block_on(self.bind(transport))?;
        Ok(Server { server: Some(server), reactor })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // As in an async program, a destructor of the handler may start tasks. They are dropped at once.
        let _entered = self.reactor.runtime().enter();
        self.server = None;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addrs", &self.server().handle().local_addrs())
            .finish_non_exhaustive()
    }
}
