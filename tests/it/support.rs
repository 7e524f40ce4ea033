//! Servers and peers for tests, over every transport.

use std::{
    net::{SocketAddr, UdpSocket},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use datagrammar::{
    Addr, AnyTransport, Bind, BindError, BoxError, Client, ClientRecvError, Connect, ConnectError,
    DatagramProtocol, Handler, IntoHandler, Limits, Peer, Raw, ServeError, Server, ServerBuilder,
    ServerHandle, Udp,
    testing::{Conditions, Network},
};
#[cfg(target_os = "linux")]
use datagrammar::{ClientBuilder, Unix};
use futures_util::FutureExt;
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};

#[cfg(target_os = "linux")]
pub use crate::paths::temporary_path;

/// The transport of a server under test.
#[derive(Clone, Debug)]
pub enum Net {
    /// A perfect network in memory, under tokio's paused clock.
    Memory(Network),
    /// The kernel's loopback, over this address, with the fastest I/O of this system.
    Loopback(&'static str),
    /// The same with `batch_io(false)`, which works on every system.
    Portable(&'static str),
    /// The same with two workers, if the system supports several.
    Workers(&'static str),
    /// The same with each worker on a dedicated thread.
    Threads(&'static str),
    /// Unix datagrams: an abstract name of the kernel's choice, with the fastest I/O of this system.
    #[cfg(target_os = "linux")]
    Unix,
    /// Unix datagrams between paths, with `batch_io(false)` and with descriptors.
    #[cfg(target_os = "linux")]
    UnixPaths,
}

const WORKERS: usize =
    if cfg!(all(target_os = "linux", not(datagrammar_portable))) { 2 } else { 1 };

impl Net {
    pub fn memory() -> Self {
        Self::Memory(Network::new(1, Conditions::default()))
    }

    /// A bound socket for a server.
    pub fn socket(&self) -> AnyTransport {
        match self {
            Self::Memory(network) => AnyTransport::new(network.bind("10.0.0.1:0").unwrap()),
            Self::Loopback(ip) | Self::Portable(ip) | Self::Workers(ip) | Self::Threads(ip) => {
                AnyTransport::new(UdpSocket::bind((*ip, 0)).unwrap())
            }
            #[cfg(target_os = "linux")]
            Self::Unix => AnyTransport::new(Unix::new("")),
            #[cfg(target_os = "linux")]
            Self::UnixPaths => AnyTransport::new(Unix::new(temporary_path()).batch_io(false)),
        }
    }

    /// Whether datagrams are lost when nobody reads them. Over Unix sockets, `send` waits instead.
    pub const fn loses(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unix | Self::UnixPaths => false,
            _ => true,
        }
    }

    /// Binds a server.
    pub fn bind<P>(&self, builder: ServerBuilder<P>) -> Server {
        let threads = matches!(self, Self::Threads(_));
        let udp = match self {
            Self::Memory(_) => return builder.bind_now(self.socket()).unwrap(),
            Self::Loopback(ip) => Udp::new((*ip, 0)),
            Self::Portable(ip) => Udp::new((*ip, 0)).batch_io(false),
            Self::Workers(ip) | Self::Threads(ip) => Udp::new((*ip, 0)).workers(WORKERS),
            #[cfg(target_os = "linux")]
            Self::Unix => return builder.bind_now(Unix::new("")).unwrap(),
            #[cfg(target_os = "linux")]
            Self::UnixPaths => {
                let unix = Unix::new(temporary_path()).batch_io(false).fd_passing(true);
                return builder.bind_now(unix).unwrap();
            }
        };
        builder.dedicated_threads(threads).bind_now(udp).unwrap()
    }

    /// Starts serving and waits until the server serves.
    pub async fn serve<P>(&self, builder: ServerBuilder<P>) -> Running {
        Running::start(self.bind(builder)).await
    }

    /// Serves text under the default limits.
    pub async fn serve_text<Form>(
        &self,
        handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
    ) -> Running {
        self.serve_text_within(Limits::default(), handler).await
    }

    pub async fn serve_text_within<Form>(
        &self,
        limits: Limits,
        handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
    ) -> Running {
        self.serve(Server::builder(datagrammar::Text, handler).limits(limits)).await
    }

    /// A peer of that server that sends and receives bytes.
    pub async fn peer_of(&self, server: &ServerHandle) -> Bytes {
        let addr = server.local_addrs().swap_remove(0);
        match self {
            Self::Memory(network) => {
                let addr = addr.socket_addr().unwrap();
                let socket = network.connect("10.0.0.2:0", addr).unwrap();
                Bytes(client_on(socket, Raw).unwrap())
            }
            #[cfg(target_os = "linux")]
            Self::UnixPaths => {
                let unix = Unix::new(addr.as_pathname().unwrap()).local_addr(temporary_path());
                Bytes(long_client().connect(unix.batch_io(false)).await.unwrap())
            }
            #[cfg(target_os = "linux")]
            Self::Unix => Bytes(long_client().connect(addr).await.unwrap()),
            _ => Bytes(Client::connect(addr, Raw).await.unwrap()),
        }
    }
}

/// The options of a client that receives the longest Unix datagrams.
#[cfg(target_os = "linux")]
fn long_client() -> ClientBuilder<Raw> {
    Client::builder(Raw).max_datagram_size(4 << 20)
}

/// The length of the longest datagram that a server with the default options can send to `to`.
pub fn longest_to(to: &Addr) -> usize {
    match to.socket_addr() {
        Some(SocketAddr::V4(_)) => 65_507,
        Some(SocketAddr::V6(_)) => 65_527,
        None => longest_of_unix(),
    }
}

#[cfg(target_os = "linux")]
fn longest_of_unix() -> usize {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None).unwrap();
    socket.set_send_buffer_size(4 << 20).unwrap();
    (socket.send_buffer_size().unwrap() - 32).min(4 << 20)
}

#[cfg(not(target_os = "linux"))]
fn longest_of_unix() -> usize {
    unreachable!("the tests use no other addresses here")
}

/// Binds without waiting, because no name has to be resolved.
pub trait BindNow {
    fn bind_now(self, transport: impl Bind) -> Result<Server, BindError>;
}

impl<P> BindNow for ServerBuilder<P> {
    fn bind_now(self, transport: impl Bind) -> Result<Server, BindError> {
        self.bind(transport).now_or_never().expect("no name has to be resolved")
    }
}

/// A client on a socket.
pub fn client_on<P: DatagramProtocol>(
    socket: impl Connect,
    protocol: P,
) -> Result<Client<P>, ConnectError> {
    Client::connect(socket, protocol).now_or_never().expect("no name has to be resolved")
}

/// A server that serves in a task.
pub struct Running {
    pub handle: ServerHandle,
    pub serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub async fn start(server: Server) -> Self {
        let handle = server.handle();
        let serving = tokio::spawn(async move { server.serve().await });
        assert!(within_deadline(handle.ready()).await);
        Self { handle, serving }
    }

    /// Shuts the server down; it must end without an error.
    pub async fn stop(self) {
        within_deadline(self.handle.shutdown()).await;
        within_deadline(self.serving).await.unwrap().unwrap();
    }
}

/// How many bytes a datagram that waits counts in addition to its own.
pub const OVERHEAD: usize = 160;

/// A peer of a server, without a protocol.
#[derive(Clone, Debug)]
pub struct Bytes(pub Client<Raw>);

impl Bytes {
    pub async fn send(&self, datagram: impl AsRef<[u8]>) {
        self.0.send(&datagram.as_ref().to_vec().into()).await.unwrap();
    }

    pub async fn send_all(&self, datagrams: impl IntoIterator<Item = String>) {
        let packets = datagrams.into_iter().map(<Raw as DatagramProtocol>::Outgoing::from);
        self.0.send_all(packets).await.unwrap();
    }

    /// Returns the next datagram, which must come within the deadline.
    pub async fn recv(&self) -> Vec<u8> {
        within_deadline(self.0.recv()).await.unwrap().to_vec()
    }

    pub async fn recv_text(&self) -> String {
        String::from_utf8(self.recv().await).unwrap()
    }

    pub async fn ask(&self, datagram: &str) -> String {
        self.send(datagram).await;
        self.recv_text().await
    }

    /// Whether there is nothing to receive now. First wait for an effect that comes later than the unwanted
    /// datagram would: a counter, or the answer to another peer.
    pub async fn hears_nothing(&self) -> bool {
        matches!(self.0.recv_timeout(Duration::ZERO).await, Err(ClientRecvError::TimedOut))
    }

    pub fn addr(&self) -> Addr {
        self.0.local_addr()
    }
}

/// Awaits `future`; panics if it does not complete within 20 s.
pub async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("the future did not complete within 20 s")
}

/// Waits until `condition` holds; panics if that takes longer than the deadline.
pub async fn until(condition: impl Fn() -> bool) {
    within_deadline(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Handlers wait at it until it is opened.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Lets one handler pass.
    pub fn open_once(&self) {
        self.0.add_permits(1);
    }

    pub async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// A handler made of a closure; see [`conversing`].
pub struct Conversing<F>(F);

type Conversation<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

pub fn handler_of<F>(handle: F) -> Conversing<F>
where
    F: for<'a> Fn(&'a mut Peer<String, String>) -> Conversation<'a> + Send + Sync + 'static,
{
    Conversing(handle)
}

impl<F> Handler<String, String> for Conversing<F>
where
    F: for<'a> Fn(&'a mut Peer<String, String>) -> Conversation<'a> + Send + Sync + 'static,
{
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        (self.0)(peer).await
    }
}

/// A handler of text conversations: `conversing!(|peer| { ... Ok(()) })`. Variables that the block uses
/// are listed before it, and cloned for each conversation: `conversing!([gate, log] |peer| { ... })`.
macro_rules! conversing {
    ($([$($captured:ident),+])? |$peer:ident| $body:block) => {{
        $($(let $captured = $captured.clone();)+)?
        $crate::support::handler_of(move |$peer| {
            $($(let $captured = $captured.clone();)+)?
            Box::pin(async move $body)
        })
    }};
}
pub(crate) use conversing;

/// Runs a test over memory with a paused clock, and over the kernel's loopback: with IPv4 and IPv6, on a
/// current-thread and on a multi-thread runtime, with two workers, and with two workers on dedicated
/// threads.
macro_rules! everywhere {
    ($($(#[$attr:meta])* async fn $name:ident($net:ident) $body:block)+) => {
        $($(#[$attr])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn test($net: $crate::support::Net) $body

            #[tokio::test(start_paused = true)]
            async fn over_memory() {
                test($crate::support::Net::memory()).await;
            }

            #[tokio::test]
            async fn over_ipv4() {
                test($crate::support::Net::Loopback("127.0.0.1")).await;
            }

            #[tokio::test]
            async fn over_portable_ipv4() {
                test($crate::support::Net::Portable("127.0.0.1")).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn over_ipv6_with_threads() {
                test($crate::support::Net::Workers("::1")).await;
            }

            #[tokio::test]
            async fn over_ipv4_with_workers_on_their_own_threads() {
                test($crate::support::Net::Threads("127.0.0.1")).await;
            }

            #[cfg(target_os = "linux")]
            #[tokio::test]
            async fn over_unix() {
                test($crate::support::Net::Unix).await;
            }

            // U-11
            #[cfg(target_os = "linux")]
            #[tokio::test]
            async fn over_unix_paths_with_descriptors() {
                test($crate::support::Net::UnixPaths).await;
            }
        })+
    };
}
pub(crate) use everywhere;
