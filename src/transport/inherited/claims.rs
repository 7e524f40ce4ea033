//! Takes over passed sockets: all that one bind needs, or none.

use std::{
    collections::BTreeSet,
    io, mem,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::Mutex,
};

use socket2::{SockRef, Type};

use super::environment::passed_here;
use crate::{
    error::InheritedError,
    lock::locked,
    transport::{
        config::{Inherited, On, OnUnix, Source, Udp, Unix, Which},
        kernel::inherited as descriptor,
    },
};

/// The first passed descriptor (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// The descriptors that the program has taken, or that a bind is about to take.
static CLAIMED: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// The descriptors that one bind is about to take. It gets duplicates of them, so if it fails, the descriptors
/// are as they were, and can be claimed again.
#[derive(Debug, Default)]
pub(crate) struct Claims(Vec<RawFd>);

impl Claims {
    /// Returns the sockets that `inherited` means, as sockets of the caller.
    pub(crate) fn take(&mut self, inherited: Inherited) -> Result<Vec<Source>, InheritedError> {
        let positions = match inherited.0 {
            Which::Fd(fd) => return owned(&fd).map(|source| vec![source]),
            Which::All => passed_here()?.all(),
            Which::Nth(position) => passed_here()?.nth(position)?,
            Which::Named(name) => passed_here()?.named(&name)?,
        };
        // Each position is below `i32::MAX - FIRST`.
        positions.map(|position| self.claim(FIRST + position as RawFd)).collect()
    }

    /// Does the same for a client, which needs one socket.
    pub(crate) fn take_one(&mut self, inherited: Inherited) -> Result<Source, InheritedError> {
        let sources = self.take(inherited)?;
        <[Source; 1]>::try_from(sources).map(|[source]| source).map_err(|sources| {
            let count = sources.len();
            InheritedError::invalid(format!("{count} sockets were passed, a client has one"))
        })
    }

    /// Closes the claimed descriptors, because their duplicates are in use.
    pub(crate) fn keep(mut self) {
        mem::take(&mut self.0).into_iter().for_each(descriptor::close);
    }

    fn claim(&mut self, fd: RawFd) -> Result<Source, InheritedError> {
        if !locked(&CLAIMED).insert(fd) {
            return Err(InheritedError::taken(fd));
        }
        self.0.push(fd);
        source(fd, descriptor::duplicate(fd)?)
    }
}

impl Inherited {
    /// Takes the socket out, to set options of [`Udp`] on it.
    ///
    /// # Errors
    ///
    /// Fails if there is not exactly one such socket, or if it is not a UDP socket. Then it can be taken again.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Inherited, Udp};
    /// use std::{net::UdpSocket, os::fd::OwnedFd};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let inherited = Inherited::from(OwnedFd::from(UdpSocket::bind("127.0.0.1:0")?));
    /// let udp = Udp::from(inherited.into_udp_socket()?).recv_buffer_size(16 << 20);
    /// # drop(udp);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_udp_socket(self) -> Result<std::net::UdpSocket, InheritedError> {
        self.into_socket("UDP", |source| match source {
            Source::Udp(Udp { on: On::Socket(socket), .. }) => Some(socket.into_std()),
            _ => None,
        })
    }

    /// Takes the socket out, to set options of [`Unix`] on it, such as
    /// [`unnamed_peers`](Unix::unnamed_peers).
    ///
    /// # Errors
    ///
    /// Fails if there is not exactly one such socket, or if it is not a Unix socket. Then it can be taken
    /// again.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BindError, Inherited, Server, Text, Unix, UnnamedPeers};
    ///
    /// /// Serves the socket of a unit with `ListenDatagram=/run/log.sock` and `FileDescriptorName=log`.
    /// async fn serve() -> std::io::Result<Server> {
    ///     let socket = Inherited::named("log").into_unix_datagram()?;
    ///     let unix = Unix::from(socket).unnamed_peers(UnnamedPeers::Serve);
    ///     Ok(Server::bind(unix, Text, async |line: String| println!("{line}")).await?)
    /// }
    /// ```
    pub fn into_unix_datagram(self) -> Result<std::os::unix::net::UnixDatagram, InheritedError> {
        self.into_socket("Unix", |source| match source {
            Source::Unix(Unix { on: OnUnix::Socket(socket), .. }) => Some(socket.into_std()),
            _ => None,
        })
    }

    /// Takes the only socket out, if it is of the kind that `socket` returns.
    fn into_socket<S>(
        self,
        kind: &str,
        socket: impl FnOnce(Source) -> Option<io::Result<S>>,
    ) -> Result<S, InheritedError> {
        let mut claims = Claims::default();
        let wrong =
            || InheritedError::invalid(format!("the inherited socket is not a {kind} socket"));
        let socket = socket(claims.take_one(self)?).ok_or_else(wrong)?;
        let socket = socket.map_err(|error| InheritedError::invalid(error.to_string()))?;
        claims.keep();
        Ok(socket)
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let mut claimed = locked(&CLAIMED);
        for fd in &self.0 {
            claimed.remove(fd);
        }
    }
}

/// The socket that the caller got in another way. The duplicate has close-on-exec.
fn owned(fd: &OwnedFd) -> Result<Source, InheritedError> {
    let number = fd.as_raw_fd();
    source(number, fd.try_clone().map_err(|error| InheritedError::failed(number, &error))?)
}

/// Makes a transport of a duplicate of the descriptor `fd`.
fn source(fd: RawFd, copy: OwnedFd) -> Result<Source, InheritedError> {
    const STREAM: &str =
        "is a stream socket; a socket unit needs ListenDatagram= instead of ListenStream=";

    let socket = SockRef::from(&copy);
    let failed = |error: io::Error| match error.raw_os_error() {
        Some(libc::ENOTSOCK) => InheritedError::unusable(fd, "is not a socket"),
        _ => InheritedError::failed(fd, &error),
    };
    match socket.r#type().map_err(failed)? {
        Type::DGRAM => {}
        Type::STREAM => return Err(InheritedError::unusable(fd, STREAM)),
        _ => return Err(InheritedError::unusable(fd, "is not a datagram socket")),
    }
    let addr = socket.local_addr().map_err(failed)?;
    match i32::from(addr.family()) {
        libc::AF_INET | libc::AF_INET6 => {
            Ok(Source::Udp(Udp::from(std::net::UdpSocket::from(copy))))
        }
        libc::AF_UNIX => Ok(Source::Unix(Unix::from(std::os::unix::net::UnixDatagram::from(copy)))),
        family => {
            let problem =
                format!("is a socket of the address family {family}, not IPv4, IPv6 or Unix");
            Err(InheritedError::unusable(fd, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        net::{TcpListener, UdpSocket},
        os::unix::net::UnixDatagram,
    };

    use super::*;

    fn told(fd: impl Into<OwnedFd>) -> (io::ErrorKind, String) {
        let fd = fd.into();
        let number = fd.as_raw_fd();
        let error = Claims::default().take(Inherited::from(fd)).unwrap_err();
        let text = error.to_string();
        let prefix = format!("the inherited descriptor {number} ");
        (error.kind(), text.strip_prefix(&prefix).expect(&text).to_owned())
    }

    // B-17
    #[test]
    fn a_descriptor_that_cannot_be_served_is_refused_with_the_reason() {
        let (kind, text) = told(TcpListener::bind("127.0.0.1:0").unwrap());
        assert_eq!(kind, io::ErrorKind::InvalidInput);
        assert!(text.starts_with("is a stream socket; "), "{text}");

        #[cfg(target_os = "linux")]
        {
            let netlink = socket2::Socket::new(libc::AF_NETLINK.into(), Type::DGRAM, None).unwrap();
            let (kind, text) = told(netlink);
            assert_eq!(kind, io::ErrorKind::InvalidInput);
            assert_eq!(text, "is a socket of the address family 16, not IPv4, IPv6 or Unix");
        }

        let file = File::open("/dev/null").unwrap();
        assert_eq!(told(file), (io::ErrorKind::InvalidInput, "is not a socket".to_owned()));
    }

    // B-17
    #[test]
    fn a_socket_of_either_kind_can_be_taken_out() {
        let udp = || Inherited::from(OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap()));
        let unix = || Inherited::from(OwnedFd::from(UnixDatagram::unbound().unwrap()));

        assert!(udp().into_udp_socket().unwrap().local_addr().is_ok());
        assert!(unix().into_unix_datagram().unwrap().local_addr().unwrap().is_unnamed());
        let (wrong, other) =
            (udp().into_unix_datagram().unwrap_err(), unix().into_udp_socket().unwrap_err());
        assert_eq!(wrong.to_string(), "the inherited socket is not a Unix socket");
        assert_eq!(other.to_string(), "the inherited socket is not a UDP socket");
    }
}
