//! Unix datagrams with options, for servers and clients.

use std::path::{Path, PathBuf};

use crate::{
    OptionError, UnnamedPeers,
    transport::{
        kernel::unix::CREDENTIALS,
        options::BUFFER,
        unix::{Options, bind::Binding},
    },
};

/// Unix datagrams, with options. Pass it to [`Server::bind`](crate::Server::bind) or
/// [`Client::connect`](crate::Client::connect). Only programs on the same host can use them. Linux and other
/// Unix systems have them.
///
/// [`Unix::new`](Self::new) makes it from a path. `Unix::from` makes it from your own socket
/// (`std::os::unix::net::UnixDatagram` or `tokio::net::UnixDatagram`). For a server the socket must be bound,
/// for a client bound and connected.
///
/// # Differences to UDP
///
/// - The kernel drops no datagram. If a peer does not read, [`Peer::send`](crate::Peer::send) to that peer waits,
///   for up to [`Limits::idle_timeout`](crate::Limits::idle_timeout). The queue of a socket is short: on Linux the
///   default is 11 datagrams (`net.unix.max_dgram_qlen`). A peer that is connected to the server may leave more
///   unread, up to half of the [send buffer](Self::send_buffer_size).
/// - If a peer has closed its socket, `send` returns [`SendError::Io`](crate::SendError::Io).
/// - A datagram can be longer than 64 KiB. To receive such datagrams, set
///   [`Limits::max_datagram_size`](crate::Limits::max_datagram_size).
/// - A peer may have no name, so that nothing can be sent to it; see
///   [`unnamed_peers`](Self::unnamed_peers).
/// - Peers can pass file descriptors ([`fd_passing`](Self::fd_passing)), and prove their user
///   ([`recv_credentials`](Self::recv_credentials)).
///
/// # The path
///
/// The path exists while the server is bound, and is removed when the server is dropped. If somebody else has
/// replaced the file in the meantime, it stays. A process that is killed leaves its path behind; see
/// [`replace_stale`](Self::replace_stale). The permissions of the file, and of its directory, decide who can
/// send: the umask applies, or the [`mode`](Self::mode).
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Server, Text, Unix};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let directory = std::env::temp_dir().join(format!("datagrammar-unix-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # #[cfg(not(target_os = "linux"))] return Ok(());
/// let path = directory.join("greetings.sock");
/// let handler = async |name: String| format!("Hello, {name}.");
/// let server = Server::bind(Unix::new(&path).mode(0o600), Text, handler).await?;
/// server.spawn();
///
/// let client = Client::connect(Unix::new(&path), Text).await?;
/// client.send("world".to_owned()).await?;
/// assert_eq!(client.recv().await?, "Hello, world.");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it is for `Server::bind` or `Client::connect`"]
pub struct Unix {
    pub(crate) on: OnUnix,
    pub(crate) local_addr: Option<PathBuf>,
    mode: Option<u32>,
    replace_stale: Option<bool>,
    unnamed_peers: Option<UnnamedPeers>,
    fd_passing: Option<bool>,
    recv_credentials: Option<bool>,
    ancillary_buffer_size: Option<usize>,
    recv_buffer_size: Option<usize>,
    send_buffer_size: Option<usize>,
    batch_io: Option<bool>,
}

/// The path or the socket of a transport.
#[derive(Debug)]
pub(crate) enum OnUnix {
    Path(PathBuf),
    Socket(CallerSocket),
}

/// A socket of the caller.
#[derive(Debug)]
pub(crate) enum CallerSocket {
    Std(std::os::unix::net::UnixDatagram),
    Tokio(tokio::net::UnixDatagram),
}

/// How many bytes of ancillary data a datagram may have by default.
const ANCILLARY: usize = 8 * 1024;

impl Unix {
    /// Makes a transport with the default options, from the path of a socket. A server creates the path. A
    /// client connects to it.
    ///
    /// On Linux, a path that begins with a zero byte is an abstract name, which is not in the file system
    /// (`"\0name"`). With an empty path, the kernel chooses an abstract name for a server;
    /// [`Server::local_addr`](crate::Server::local_addr) returns it.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::on(OnUnix::Path(path.as_ref().to_owned()))
    }

    fn on(on: OnUnix) -> Self {
        Self {
            on,
            local_addr: None,
            mode: None,
            replace_stale: None,
            unnamed_peers: None,
            fd_passing: None,
            recv_credentials: None,
            ancillary_buffer_size: None,
            recv_buffer_size: None,
            send_buffer_size: None,
            batch_io: None,
        }
    }

    /// Sets the permissions of the path, such as `0o600`. The path never has wider permissions, not even for a
    /// moment. The default is `0o777` without the bits of the umask. It needs Linux. A client sets it for its
    /// [`local_addr`](Self::local_addr).
    ///
    /// A program needs write permission to send to the socket.
    #[doc(alias = "chmod")]
    #[doc(alias = "permissions")]
    pub const fn mode(mut self, permissions: u32) -> Self {
        self.mode = Some(permissions);
        self
    }

    /// Sets whether a socket at the path that no process uses is replaced. The default is false: then
    /// [`bind`](crate::Server::bind) fails if the path exists. A socket in use, and any other kind of file, is
    /// never replaced.
    ///
    /// A process that was killed leaves such a socket behind.
    #[doc(alias = "unlink")]
    #[doc(alias = "SO_REUSEADDR")]
    pub const fn replace_stale(mut self, enabled: bool) -> Self {
        self.replace_stale = Some(enabled);
        self
    }

    /// Sets the path that a client is bound to, so that the server can answer. On Linux the default is an
    /// abstract name that the kernel chooses. Other systems need a path. For clients only.
    ///
    /// The path is removed when the client is closed or dropped.
    pub fn local_addr(mut self, path: impl AsRef<Path>) -> Self {
        self.local_addr = Some(path.as_ref().to_owned());
        self
    }

    /// Sets what a server does with datagrams from peers that have no name. By default they are dropped. For
    /// servers only.
    pub const fn unnamed_peers(mut self, action: UnnamedPeers) -> Self {
        self.unnamed_peers = Some(action);
        self
    }

    /// Sets whether file descriptors can be passed with datagrams, in both directions: with
    /// [`Peer::recv_with_fds`](crate::Peer::recv_with_fds) and
    /// [`Peer::send_with_fds`](crate::Peer::send_with_fds), and with the same methods of a
    /// [`Client`](crate::Client). The default is false: then descriptors that a peer sends never enter this
    /// process.
    ///
    /// Descriptors that the program does not ask for are closed.
    #[doc(alias = "SCM_RIGHTS")]
    #[doc(alias = "ancillary")]
    pub const fn fd_passing(mut self, enabled: bool) -> Self {
        self.fd_passing = Some(enabled);
        self
    }

    /// Sets whether [`Peer::credentials`](crate::Peer::credentials) returns the process, user and group of the
    /// sender. The default is false, because reading them takes time for each datagram. It needs Linux. For
    /// servers only.
    #[doc(alias = "SO_PASSCRED")]
    #[doc(alias = "SCM_CREDENTIALS")]
    pub const fn recv_credentials(mut self, enabled: bool) -> Self {
        self.recv_credentials = Some(enabled);
        self
    }

    /// Sets how many bytes of ancillary data one datagram may have, from 1. The default is 8 KiB, which is
    /// enough for all descriptors that Linux passes with one datagram (253). It has an effect with
    /// [`fd_passing`](Self::fd_passing) only.
    ///
    /// If a datagram has more, [`Peer::recv_with_fds`](crate::Peer::recv_with_fds) returns an error, and the
    /// descriptors are closed.
    pub const fn ancillary_buffer_size(mut self, bytes: usize) -> Self {
        self.ancillary_buffer_size = Some(bytes);
        self
    }

    /// Requests a receive buffer of this many bytes. The default is 4 MiB. Linux does not use it for Unix
    /// datagrams.
    pub const fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.recv_buffer_size = Some(bytes);
        self
    }

    /// Requests a send buffer of this many bytes. The default is 4 MiB. The kernel may grant less. It holds all
    /// datagrams that peers have not read yet, and limits the length of one datagram. While half of it is in use,
    /// a server on Linux sends nothing more to peers that have unread datagrams. While it is full, sends to all
    /// peers wait.
    pub const fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.send_buffer_size = Some(bytes);
        self
    }

    /// Sets whether one system call receives many datagrams (`recvmmsg`). The default is true. It has an effect
    /// on Linux only; other systems always make one call for each datagram, as `false` does.
    pub const fn batch_io(mut self, enabled: bool) -> Self {
        self.batch_io = Some(enabled);
        self
    }

    /// Returns an error for options with which no server can be bound.
    pub(crate) fn check_server(&self) -> Result<(), OptionError> {
        if self.local_addr.is_some() {
            return Err(OptionError::invalid("local_addr", "is for clients"));
        }
        self.check()
    }

    /// Returns an error for options with which no client can be connected.
    pub(crate) fn check_client(&self) -> Result<(), OptionError> {
        let for_servers = [
            ("unnamed_peers", self.unnamed_peers.is_some()),
            ("recv_credentials", self.recv_credentials.is_some()),
        ];
        if let Some((name, _)) = for_servers.iter().find(|(_, set)| *set) {
            return Err(OptionError::invalid(name, "is for servers"));
        }
        if matches!(self.on, OnUnix::Socket(_)) && self.local_addr.is_some() {
            let problem = "is for new sockets, this one is bound";
            return Err(OptionError::invalid("local_addr", problem));
        }
        if matches!(self.on, OnUnix::Path(_))
            && self.local_addr.is_none()
            && let Some(name) = self.of_paths()
        {
            return Err(OptionError::invalid(name, "is set, but there is no `local_addr`"));
        }
        self.check()
    }

    fn check(&self) -> Result<(), OptionError> {
        if self.ancillary_buffer_size == Some(0) {
            let problem = "is 0, the minimum is 1";
            return Err(OptionError::invalid("ancillary_buffer_size", problem));
        }
        if let Some(mode) = self.mode.filter(|mode| *mode > 0o7777) {
            let problem = format!("is {mode:#o}, the range is 0 to 0o7777");
            return Err(OptionError::invalid("mode", problem));
        }
        match self.of_paths() {
            Some(name) if matches!(self.on, OnUnix::Socket(_)) => {
                Err(OptionError::invalid(name, "is for new sockets, this one is bound"))
            }
            _ => Ok(()),
        }
    }

    /// The name of an option that is set and has a meaning for new paths only.
    fn of_paths(&self) -> Option<&'static str> {
        let mode = self.mode.map(|_| "mode");
        mode.or_else(|| self.replace_stale.map(|_| "replace_stale"))
    }

    /// Whether this is for `path`. Each empty path is another name, which the kernel chooses.
    pub(crate) fn has_path(&self, path: &Path) -> bool {
        matches!(&self.on, OnUnix::Path(this) if this == path && !path.as_os_str().is_empty())
    }

    /// Whether both have the same options.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.binding() == other.binding()
            && self.options() == other.options()
            && self.requested() == other.requested()
    }

    pub(crate) fn binding(&self) -> Binding {
        Binding {
            mode: self.mode,
            replace_stale: self.replace_stale == Some(true),
            buffers: self.requested(),
            credentials: self.recv_credentials == Some(true),
        }
    }

    /// The requested sizes of the receive buffer and the send buffer, in bytes.
    pub(crate) fn requested(&self) -> [Option<usize>; 2] {
        let sizes = [self.recv_buffer_size, self.send_buffer_size];
        match self.on {
            OnUnix::Path(_) => sizes.map(|size| size.or(Some(BUFFER))),
            OnUnix::Socket(_) => sizes,
        }
    }

    pub(crate) fn options(&self) -> Options {
        let fds = self.fd_passing == Some(true);
        let control = if fds {
            self.ancillary_buffer_size.unwrap_or(ANCILLARY)
        } else if self.recv_credentials == Some(true) {
            // The kernel writes them first. With more space, it would open descriptors of the peer too.
            CREDENTIALS
        } else {
            0
        };
        Options {
            unnamed_peers: self.unnamed_peers.unwrap_or_default(),
            fds,
            control,
            batch_io: self.batch_io != Some(false),
        }
    }
}

impl From<std::os::unix::net::UnixDatagram> for Unix {
    fn from(socket: std::os::unix::net::UnixDatagram) -> Self {
        Self::on(OnUnix::Socket(CallerSocket::Std(socket)))
    }
}

impl From<tokio::net::UnixDatagram> for Unix {
    fn from(socket: tokio::net::UnixDatagram) -> Self {
        Self::on(OnUnix::Socket(CallerSocket::Tokio(socket)))
    }
}

impl CallerSocket {
    pub(crate) fn into_std(self) -> std::io::Result<std::os::unix::net::UnixDatagram> {
        match self {
            Self::Std(socket) => Ok(socket),
            Self::Tokio(socket) => socket.into_std(),
        }
    }
}
