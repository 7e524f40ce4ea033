use std::{
    io::{self, Read},
    net::{SocketAddr, SocketAddrV6},
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::net::UdpSocket;

use super::{RecvBatch, Transport, is_about_sending};
use crate::PeerAddr;

/// The largest payload of an IPv4 datagram: 65,535 less the headers of IP and UDP.
pub(crate) const MAX_IPV4: usize = 65_535 - 20 - 8;
/// The largest payload over IPv6, whose length field does not count its own header.
pub(crate) const MAX_IPV6: usize = 65_535 - 8;

/// More than any datagram has: the length field of UDP counts its header.
pub(crate) const LONGEST: usize = 65_535;

/// UDP on every platform that tokio knows, one system call per datagram.
#[derive(Debug)]
pub(crate) struct Udp {
    pub(super) socket: UdpSocket,
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
    pub(super) fn name(&self, to: &PeerAddr) -> SocketAddr {
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
        let arrived = || {
            loop {
                match (&*socket).read(&mut [0]) {
                    Ok(_) => return true,
                    Err(error) if is_about_sending(&error) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // Windows says so of a datagram that was longer than the buffer.
                    Err(error) => return cfg!(windows) && error.raw_os_error() == Some(10_040),
                }
            }
        };
        (0..most).take_while(|_| arrived()).count()
    }

    fn try_send(&self, to: &PeerAddr, datagram: &[u8]) -> io::Result<()> {
        let to = self.name(to);
        match self.socket.try_send_to(datagram, to) {
            // It may be the answer to an earlier datagram, to whomever: then this one was not tried.
            Err(error)
                if is_about_sending(&error) || error.kind() == io::ErrorKind::Interrupted =>
            {
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

#[cfg(test)]
mod tests {
    use super::*;

    // B-8
    #[tokio::test]
    async fn a_dual_stack_socket_sends_to_the_mapped_address_of_an_ipv4_peer() {
        let socket = std::net::UdpSocket::bind("[::]:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let udp = Udp::new(socket).unwrap();
        let name = |peer: &str| udp.name(&peer.parse::<SocketAddr>().unwrap().into()).to_string();

        assert_eq!(name("192.0.2.7:5000"), "[::ffff:192.0.2.7]:5000");
        assert_eq!(name("[fe80::1%6]:5000"), "[fe80::1%6]:5000");
    }
}
