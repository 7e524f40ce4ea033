use std::{
    io::{self, Read},
    net::UdpSocket,
    sync::Arc,
};

use socket2::{SockAddr, SockRef, Socket};

use crate::{
    BoundSocket, PeerAddr, SocketRef,
    transport::{
        max_len,
        socket::{self, Kind},
    },
};

/// The connected socket of a client.
#[derive(Debug)]
pub(super) struct Link {
    socket: Connected,
    pub(super) local_addr: PeerAddr,
    pub(super) peer_addr: PeerAddr,
}

#[derive(Debug)]
enum Connected {
    /// Shared with whoever sets options on it.
    Udp(Arc<tokio::net::UdpSocket>),
    #[cfg(feature = "testing")]
    Memory(crate::transport::memory::MemorySocket),
}

impl Link {
    /// Takes a connected socket over.
    pub(super) fn new(socket: BoundSocket) -> io::Result<Self> {
        match socket.0 {
            Kind::Udp(socket) => Self::udp(socket),
            #[cfg(feature = "testing")]
            Kind::Memory(socket) => {
                let local_addr = socket.addr().clone();
                let peer_addr = socket.peer().cloned().ok_or(io::ErrorKind::NotConnected)?;
                Ok(Self { socket: Connected::Memory(socket), local_addr, peer_addr })
            }
        }
    }

    fn udp(socket: UdpSocket) -> io::Result<Self> {
        let local_addr = socket::check(&socket)?.into();
        let peer_addr = socket.peer_addr()?.into();
        socket.set_nonblocking(true)?;
        skip_strangers(&SockRef::from(&socket), &peer_addr);
        let socket = Connected::Udp(Arc::new(tokio::net::UdpSocket::from_std(socket)?));
        Ok(Self { socket, local_addr, peer_addr })
    }

    /// The socket of the operating system, if there is one.
    pub(super) fn socket(&self) -> Option<SocketRef<'static>> {
        match &self.socket {
            Connected::Udp(socket) => Some(SocketRef::shared(Arc::clone(socket))),
            #[cfg(feature = "testing")]
            Connected::Memory(_) => None,
        }
    }

    /// The longest datagram that can be sent, in octets.
    pub(super) fn max_len(&self) -> usize {
        max_len(&self.peer_addr)
    }

    /// Receives a datagram if one is there. With `ask_kernel` it looks into the socket, whatever tokio
    /// knows of it: that finds also what arrived since the runtime looked last.
    pub(super) fn try_recv(&self, room: &mut [u8], ask_kernel: bool) -> io::Result<usize> {
        match &self.socket {
            Connected::Udp(socket) => {
                let received = if ask_kernel {
                    (&*SockRef::from(&**socket)).read(room)
                } else {
                    socket.try_recv(room)
                };
                match received {
                    // Windows says so of a datagram that did not fit.
                    #[cfg(windows)]
                    Err(error) if error.raw_os_error() == Some(10_040) => Ok(room.len()),
                    received => received,
                }
            }
            #[cfg(feature = "testing")]
            Connected::Memory(socket) => socket.take(room).map(|(len, _)| len.min(room.len())),
        }
    }

    /// Completes when `try_recv` is worth trying.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match &self.socket {
            Connected::Udp(socket) => socket.readable().await,
            #[cfg(feature = "testing")]
            Connected::Memory(socket) => {
                socket.readable().await;
                Ok(())
            }
        }
    }

    /// Sends one datagram, whole or not at all.
    pub(super) fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        match &self.socket {
            Connected::Udp(socket) => {
                socket.try_send(datagram)?;
                // Where the peer is on this host, the kernel knows by now that nobody is there. The
                // error belongs to this datagram, not to whatever is done with the socket next.
                socket.take_error()?.map_or(Ok(()), Err)
            }
            #[cfg(feature = "testing")]
            Connected::Memory(socket) => {
                use crate::transport::Transport;
                Transport::try_send(socket, &self.peer_addr.clone().into(), datagram)
            }
        }
    }

    /// Completes when `try_send` is worth trying.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match &self.socket {
            Connected::Udp(socket) => socket.writable().await,
            #[cfg(feature = "testing")]
            Connected::Memory(socket) => {
                socket.writable().await;
                Ok(())
            }
        }
    }
}

/// Drops what others had sent before the socket was connected: the kernel keeps it.
fn skip_strangers(socket: &Socket, peer: &PeerAddr) {
    let is_strange = |from: SockAddr| from.as_socket().is_none_or(|from| *peer != from.into());
    while socket.peek_sender().is_ok_and(is_strange) {
        // Where it is longer than the room, the rest is gone all the same.
        let _ = (&mut &*socket).read(&mut [0]);
    }
}
