use super::{RecvBatch, Transport};
use crate::PeerAddr;
use socket2::SockRef;
use std::{
    io::{self, Read},
    net::{SocketAddr, SocketAddrV6},
    task::{Context, Poll},
};
use tokio::net::UdpSocket;

/// The largest payload of an IPv4 datagram: 65,535 less the headers of IP and UDP.
pub(crate) const MAX_IPV4: usize = 65_535 - 20 - 8;
/// The largest payload over IPv6, whose length field does not count its own header.
pub(crate) const MAX_IPV6: usize = 65_535 - 8;

/// UDP on every platform that tokio knows, one system call per datagram.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    local_addr: PeerAddr,
    ipv6: bool,
}

impl Udp {
    /// Takes a bound socket over; it must be in non-blocking mode.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let socket = UdpSocket::from_std(socket)?;
        let local_addr = socket.local_addr()?;
        Ok(Self { ipv6: local_addr.is_ipv6(), local_addr: local_addr.into(), socket })
    }

    /// `to` as this socket names it: an IPv6 socket knows IPv4 peers by their mapped address.
    fn name(&self, to: &PeerAddr) -> SocketAddr {
        let PeerAddr::Ip(to) = *to;
        match to {
            SocketAddr::V4(v4) if self.ipv6 => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            _ => to,
        }
    }
}

impl Transport for Udp {
    fn local_addr(&self) -> &PeerAddr {
        &self.local_addr
    }

    fn max_len(&self, to: &PeerAddr) -> usize {
        max_len(to)
    }

    fn try_recv(&self, batch: &mut RecvBatch) -> io::Result<()> {
        while let Some(room) = batch.room() {
            match self.socket.try_recv_from(room) {
                Ok((len, from)) => batch.push(PeerAddr::canonical(from), len),
                // Windows tells of a datagram that did not fit by an error, without its source.
                #[cfg(windows)]
                Err(error) if error.raw_os_error() == Some(10_040) => batch.push_truncated(),
                Err(_) if !batch.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }

    fn discard(&self, most: usize) -> usize {
        let socket = SockRef::from(&self.socket);
        let arrived = || match (&*socket).read(&mut [0]) {
            Ok(_) => true,
            // Windows says so of a datagram that was longer than the buffer.
            Err(error) => cfg!(windows) && error.raw_os_error() == Some(10_040),
        };
        (0..most).take_while(|_| arrived()).count()
    }

    fn try_send(&self, to: &PeerAddr, datagram: &[u8]) -> io::Result<()> {
        let to = self.name(to);
        match self.socket.try_send_to(datagram, to) {
            // The ICMP answer to an earlier datagram, to whomever: this one has not been tried yet.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.socket.try_send_to(datagram, to).map(drop)
            }
            sent => sent.map(drop),
        }
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_send_ready(cx)
    }
}

/// The longest UDP datagram that goes to `to`.
pub(crate) fn max_len(to: &PeerAddr) -> usize {
    match to {
        PeerAddr::Ip(SocketAddr::V4(_)) => MAX_IPV4,
        PeerAddr::Ip(SocketAddr::V6(_)) => MAX_IPV6,
    }
}
