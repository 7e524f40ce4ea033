//! Connects Unix sockets, and takes over sockets of the caller.

use std::{io, os::unix::net::UnixDatagram, path::Path};

use socket2::{SockAddr, SockRef, Type};

use super::{
    OwnPath,
    bind::{self, Binding, name, shown},
};
use crate::{AddrError, transport::options::set_buffers};

/// A connected socket, the address of its peer, and the path that it is bound to.
#[derive(Debug)]
pub(crate) struct Connected {
    /// Dropped first, while the socket is open.
    pub(crate) own_path: Option<OwnPath>,
    pub(crate) socket: UnixDatagram,
    pub(crate) peer: SockAddr,
}

/// Creates a non-blocking socket that is connected to `peer`. It always has a name, so that the peer can
/// answer: `local`, or on Linux an abstract name that the kernel chooses.
pub(crate) fn connect(
    local: Option<&Path>,
    peer: &Path,
    binding: Binding,
) -> Result<Connected, AddrError> {
    let to = name(peer)?;
    let failed = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => ": there is no socket at that path",
            io::ErrorKind::ConnectionRefused => ": nobody serves that socket",
            io::ErrorKind::PermissionDenied => {
                ": no permission to write to the socket, or to search its directory"
            }
            _ if error.raw_os_error() == Some(libc::EPROTOTYPE) => ": it is not a datagram socket",
            _ => "",
        };
        AddrError::caused(format!("cannot connect to {}{hint}", shown(peer)), error)
    };
    if peer.as_os_str().is_empty() {
        let problem = "cannot connect to an empty path".to_owned();
        return Err(AddrError::refused(problem, io::ErrorKind::InvalidInput));
    }
    if local.is_none() && !cfg!(any(target_os = "android", target_os = "linux")) {
        let problem = format!(
            "cannot connect to {}: set a `local_addr`, which this system needs",
            shown(peer)
        );
        return Err(AddrError::refused(problem, io::ErrorKind::InvalidInput));
    }
    let (own_path, socket) = bind::bind(local.unwrap_or_else(|| Path::new("")), binding)?;
    SockRef::from(&socket).connect(&to).map_err(failed)?;
    Ok(Connected { socket, peer: to, own_path })
}

/// Takes over a socket of the caller's, which must be bound.
///
/// # Errors
///
/// Fails with `InvalidInput` if it is not a Unix datagram socket, or has no name.
pub(crate) fn adopt(socket: UnixDatagram, binding: Binding) -> io::Result<UnixDatagram> {
    let refused = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let as_socket = SockRef::from(&socket);
    if as_socket.r#type()? != Type::DGRAM {
        return Err(refused("the socket is not a datagram socket"));
    }
    let local = socket.local_addr().map_err(|_| refused("the socket is not a Unix socket"))?;
    if local.is_unnamed() {
        return Err(refused("the socket is not bound, so no peer could answer"));
    }
    socket.set_nonblocking(true)?;
    set_buffers(&as_socket, binding.buffers);
    if binding.credentials {
        bind::recv_credentials(&as_socket)?;
    }
    Ok(socket)
}

/// Does the same as [`adopt`], for a connected socket.
pub(crate) fn adopt_connected(socket: UnixDatagram, binding: Binding) -> io::Result<Connected> {
    let peer = SockRef::from(&socket).peer_addr()?;
    let socket = adopt(socket, binding)?;
    if !peer.is_unix() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Connected { socket, peer, own_path: None })
}
