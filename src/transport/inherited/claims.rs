//! Takes over passed sockets: all that one bind needs, or none.

use std::{
    collections::BTreeSet,
    mem,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::Mutex,
};

use socket2::{SockRef, Type};

use super::{descriptor, environment::passed_here};
use crate::{
    error::InheritedError,
    lock::locked,
    transport::config::{Inherited, Source, Udp, Which},
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
    let failed = |error: std::io::Error| match error.raw_os_error() {
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
        family => {
            let problem = format!("is a socket of the address family {family}, not IPv4 or IPv6");
            Err(InheritedError::unusable(fd, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io,
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

        let (kind, text) = told(UnixDatagram::unbound().unwrap());
        assert_eq!(kind, io::ErrorKind::InvalidInput);
        assert_eq!(text, "is a socket of the address family 1, not IPv4 or IPv6");

        let file = File::open("/dev/null").unwrap();
        assert_eq!(told(file), (io::ErrorKind::InvalidInput, "is not a socket".to_owned()));
    }

    // B-17
    #[test]
    fn a_client_needs_exactly_one_socket() {
        let fd = || OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap());

        assert!(Claims::default().take_one(Inherited::from(fd())).is_ok());
    }
}
