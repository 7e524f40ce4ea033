//! A bound server.

use std::{any::Any, fmt, sync::Arc};

#[cfg(doc)]
use crate::Bind;
#[cfg(unix)]
use crate::handover::intake::Predecessor;
#[cfg(unix)]
use crate::transport::unix::OwnPath;
use crate::{
    Addr, ServerHandle, SocketRef,
    engine::Engine,
    events::Events,
    handle::{control::Control, status::Status, watch::SocketWatch},
    socket::SocketState,
    stats::Counters,
    tasks::Tasks,
};

/// A server that exchanges typed packets with many peers, over UDP, Unix sockets and other [transports](Bind).
///
/// [`bind`](Self::bind) makes a server with the default options, and [`builder`](Self::builder) sets others.
/// The server handles datagrams while [`serve`](Self::serve) runs; [`spawn`](Self::spawn) runs it as a task.
///
/// Dropping a server closes its sockets, and removes the paths that it has bound. If `serve` has already
/// returned, the ports are free at once. If the future of `serve` was dropped instead, for example because its
/// task was aborted, conversations hold the sockets open until the runtime has dropped these conversations too.
/// [`ServerHandle::stopped`] waits for that.
///
/// A program without async uses [`blocking::Server`](crate::blocking::Server) (feature `blocking`).
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
#[doc(alias = "UdpFramed")]
#[doc(alias = "UdpSocket")]
pub struct Server {
    // Dropped first, while the sockets are open.
    #[cfg(unix)]
    pub(super) own_paths: Vec<OwnPath>,
    /// The process that had the sockets before, until this one serves.
    #[cfg(unix)]
    pub(super) predecessor: std::sync::Mutex<Option<Predecessor>>,
    pub(super) sockets: Vec<Arc<SocketState>>,
    pub(super) engine: Box<dyn Engine>,
    pub(super) counters: Arc<Counters>,
    pub(super) events: Arc<Events>,
    pub(super) tasks: Arc<Tasks>,
    pub(super) encoder: Arc<dyn Any + Send + Sync>,
    pub(super) control: Arc<Control>,
    pub(super) status: Arc<Status>,
    pub(super) watch: Arc<SocketWatch>,
    pub(super) local_addr: Addr,
    // Dropped last: the sockets must be closed before the handles are notified.
    pub(super) _life: Life,
}

impl Server {
    /// Returns the address that the server is bound to, with the port that the kernel chose. If there are
    /// several addresses, this is the first.
    ///
    /// [`ServerHandle::local_addrs`] returns all of them.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.local_addr.clone()
    }

    /// Returns a handle to this server. It can be cloned and used from any task or thread: to shut the server
    /// down, to read its stats, and to send to peers.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(
            Arc::clone(&self.status),
            Arc::clone(&self.counters),
            Arc::clone(&self.events),
            Arc::clone(&self.watch),
            Arc::clone(&self.encoder),
            Arc::clone(&self.control),
        )
    }

    /// Returns the sockets of the server, to set options for which [`Udp`](crate::Udp) has no setter. A
    /// network in memory has no such sockets.
    pub fn sockets(&self) -> impl Iterator<Item = SocketRef<'_>> {
        self.sockets.iter().filter_map(|socket| socket.outbox.transport().socket())
    }

    /// Counts the datagrams that the kernel has dropped so far, and logs their number.
    pub(super) fn count_kernel_drops(&self) {
        self.handle().count_kernel_drops();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        #[cfg(unix)]
        if self.status.succession.has_handed_over() {
            self.own_paths.iter_mut().for_each(|path| path.set_kept(true));
        }
        self.watch.gone(&self.counters);
    }
}

/// Notifies all handles when the server is dropped.
pub(super) struct Life(pub(super) Arc<Status>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.gone();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addrs", &self.status.local_addrs())
            .finish_non_exhaustive()
    }
}
