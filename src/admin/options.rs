//! What the endpoint is about, and where it listens.

#[cfg(unix)]
use std::path::Path;
use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    time::Duration,
};

use super::{listener::Listener, pages::Pages, targets::Target, thread::AdminThread};
use crate::{ServerHandle, Termination};

/// The options of an admin endpoint. See [the module](super) for its pages.
///
/// # Examples
///
/// Two servers under one endpoint, which an operator can drain:
///
/// ```
/// use datagrammar::{Server, Termination, Text, admin::Admin};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), datagrammar::BoxError> {
/// let upper = Server::bind("127.0.0.1:0", Text, async |text: String| text.to_uppercase()).await?;
/// let lower = Server::bind("127.0.0.1:0", Text, async |text: String| text.to_lowercase()).await?;
///
/// let admin = Admin::new()
///     .server("upper", upper.handle())
///     .server("lower", lower.handle())
///     .drain(Termination::default().lame_duck(Duration::from_secs(5)))
///     .bind("127.0.0.1:0")?;
/// assert!(admin.local_addr().is_some_and(|addr| addr.ip().is_loopback()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Admin {
    targets: Vec<Target>,
    termination: Option<Termination>,
    remote: bool,
    blocked_after: Duration,
}

impl Default for Admin {
    fn default() -> Self {
        Self::new()
    }
}

impl Admin {
    /// Returns an endpoint without a server.
    #[must_use]
    pub const fn new() -> Self {
        let blocked_after = Duration::from_secs(1);
        Self { targets: Vec::new(), termination: None, remote: false, blocked_after }
    }

    /// Adds a server under a name, which is in the answers and in the paths, as `/ready/NAME`.
    ///
    /// For a [blocking](crate::blocking) server, pass
    /// [`handle.as_async().clone()`](crate::blocking::ServerHandle::as_async).
    #[must_use]
    pub fn server(mut self, name: impl Into<String>, handle: ServerHandle) -> Self {
        self.targets.push(Target::new(name.into(), handle));
        self
    }

    /// Allows `POST /drain`, which [terminates](ServerHandle::terminate) the servers with these times. By default, it is
    /// refused.
    ///
    /// Everybody who reaches the endpoint can end the servers then. Browsers cannot: requests with an `Origin` are
    /// refused. The termination goes on when the endpoint has ended.
    #[must_use]
    pub const fn drain(mut self, termination: Termination) -> Self {
        self.termination = Some(termination);
        self
    }

    /// Sets whether the endpoint may listen at an address that other hosts reach. By default, it may not, and
    /// [`bind`](Self::bind) refuses such an address.
    ///
    /// The pages tell much about the servers, and nothing is encrypted. So let a firewall or a network policy limit which
    /// hosts reach the endpoint.
    #[must_use]
    pub const fn allow_remote(mut self, remote: bool) -> Self {
        self.remote = remote;
        self
    }

    /// Sets how long `/live` waits for a worker before it counts as blocked. The default is 1 s, as for the event that
    /// the server logs.
    ///
    /// The timeout of the probe must be longer than that, or the answer comes too late.
    #[must_use]
    pub const fn blocked_after(mut self, time: Duration) -> Self {
        self.blocked_after = time;
        self
    }

    /// Listens at a TCP address, and starts the thread of the endpoint.
    ///
    /// # Errors
    ///
    /// - `InvalidInput` if the address is no loopback address and [`allow_remote`](Self::allow_remote) is not set, if
    ///   there is no server, or if two have the same name.
    /// - Errors of the system, such as `AddrInUse`.
    pub fn bind(self, addr: impl ToSocketAddrs) -> io::Result<AdminThread> {
        self.check()?;
        let addrs: Vec<SocketAddr> = addr.to_socket_addrs()?.collect();
        if let Some(addr) = addrs.iter().find(|addr| !self.remote && !addr.ip().is_loopback()) {
            return Err(refused(format!(
                "{addr} is no loopback address: `allow_remote` allows it"
            )));
        }
        let listener = TcpListener::bind(&*addrs)?;
        listener.set_nonblocking(true)?;
        let local_addr = listener.local_addr()?;
        AdminThread::start(Listener::Tcp(listener), Some(local_addr), self.into_pages())
    }

    /// Listens at the path of a Unix socket, and starts the thread of the endpoint. Every process that may write
    /// to the path can use the endpoint. The path is removed when the endpoint ends. A path that nobody serves any more
    /// is replaced.
    ///
    /// # Errors
    ///
    /// - `InvalidInput` if there is no server, or if two have the same name.
    /// - Errors of the system, such as `AddrInUse`.
    ///
    /// # Examples
    ///
    /// `curl --unix-socket /run/echo/admin http://localhost/ready` asks it.
    #[cfg(unix)]
    pub fn bind_unix(self, path: impl AsRef<Path>) -> io::Result<AdminThread> {
        self.check()?;
        let (path, listener) = crate::transport::unix::listen(path.as_ref())
            .map_err(|error| io::Error::new(error.kind(), error))?;
        AdminThread::start(Listener::Unix(path, listener), None, self.into_pages())
    }

    fn check(&self) -> io::Result<()> {
        if self.targets.is_empty() {
            return Err(refused("an admin endpoint needs a server".to_owned()));
        }
        for (n, target) in self.targets.iter().enumerate() {
            if self.targets[..n].iter().any(|other| other.name == target.name) {
                return Err(refused(format!("two servers have the name {:?}", target.name)));
            }
        }
        Ok(())
    }

    fn into_pages(self) -> Pages {
        let Self { targets, termination, blocked_after, .. } = self;
        Pages { targets, termination, blocked_after }
    }
}

fn refused(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}
