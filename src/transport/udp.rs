//! UDP on every platform: one system call per datagram.

use std::{
    io,
    net::{SocketAddr, SocketAddrV6},
    sync::Arc,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{io::Interest, net::UdpSocket};

use super::{
    IoMode, RecvBatch, RecvHalf, Route, SocketRef, Transport, send_despite_the_past,
    shut_down::unless_shut_down,
};
use crate::Addr;

/// UDP on every platform that tokio knows, one system call per datagram.
#[derive(Debug)]
pub(crate) struct Udp {
    /// The receive half shares it, and so do callers that set options on it.
    pub(super) socket: Arc<UdpSocket>,
    pub(super) local_addr: Addr,
    pub(super) ipv6: bool,
    /// Whether the socket is connected to one peer, so that the kernel knows the peer's address.
    pub(super) connected: bool,
}

impl Udp {
    /// Takes over a bound socket, which must be in non-blocking mode.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O enabled.
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let local_addr = socket.local_addr()?;
        let (ipv6, local_addr) = (local_addr.is_ipv6(), local_addr.into());
        Ok(Self { socket, local_addr, ipv6, connected: false })
    }

    /// Does the same as [`new`](Self::new), for a connected socket.
    pub(crate) fn connected(socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self { connected: true, ..Self::new(socket)? })
    }

    /// The address of `to` as this socket needs it. An IPv6 socket uses mapped addresses for IPv4 peers. A
    /// connected socket needs no address.
    fn name(&self, to: &Addr) -> Option<SocketAddr> {
        match to.ip_socket() {
            _ if self.connected => None,
            SocketAddr::V4(v4) if self.ipv6 => {
                Some(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into())
            }
            to => Some(*to),
        }
    }
}

impl Transport for Udp {
    fn local_addr(&self) -> &Addr {
        &self.local_addr
    }

    fn socket(&self) -> Option<SocketRef<'_>> {
        Some((&*self.socket).into())
    }

    fn io_mode(&self) -> IoMode {
        IoMode::Single
    }

    fn recv_half(&self, _: usize) -> Box<dyn RecvHalf> {
        Box::new(UdpRecvHalf { socket: Arc::clone(&self.socket) })
    }

    fn try_send(&self, to: &Route, datagram: &[u8]) -> io::Result<()> {
        send_despite_the_past(|| match self.name(&to.peer) {
            Some(to) => self.socket.try_send_to(datagram, to).map(drop),
            None => self.socket.try_send(datagram).map(drop),
        })
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_send_ready(cx)
    }
}

#[derive(Debug)]
struct UdpRecvHalf {
    socket: Arc<UdpSocket>,
}

impl UdpRecvHalf {
    /// Receives datagrams one by one, as long as some are there and the batch has room.
    fn fill(
        &self,
        batch: &mut RecvBatch,
        recv: impl Fn(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
    ) -> io::Result<()> {
        #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
        let first = batch.len();
        while let Some(room) = batch.room() {
            match recv(room) {
                Ok((len, from)) => batch.push(Addr::canonical(from), len),
                // Windows reports a datagram that did not fit as an error without its source.
                #[cfg(windows)]
                Err(error) if error.raw_os_error() == Some(10_040) => batch.push_truncated(None),
                Err(_) if !batch.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        // The user may have switched GRO on later, and these calls do not report segments.
        #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
        if super::linux::gro::merges(&self.socket) {
            batch.truncate(first);
        }
        Ok(())
    }
}

impl RecvHalf for UdpRecvHalf {
    fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        self.fill(batch, |room| self.socket.try_recv_from(room))
            .map_err(|error| unless_shut_down(self.socket.ready(Interest::READABLE), error))
    }

    fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        let socket = SockRef::from(&*self.socket);
        // Of the safe calls that bypass tokio, only this one returns a datagram together with its source.
        // Peeking at the source first could show another datagram, if another reader takes one in between.
        let Ok(socket) = socket.try_clone().map(std::net::UdpSocket::from) else {
            // No descriptor is left, so this falls back to tokio's view of the socket.
            return self.try_recv(batch);
        };
        self.fill(batch, |room| socket.recv_from(room))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        thread,
    };

    use super::*;

    // B-8
    #[tokio::test]
    async fn a_dual_stack_socket_sends_to_the_mapped_address_of_an_ipv4_peer() {
        let socket = std::net::UdpSocket::bind("[::]:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let udp = Udp::new(socket).unwrap();
        let name =
            |peer: &str| udp.name(&peer.parse::<SocketAddr>().unwrap().into()).unwrap().to_string();

        assert_eq!(name("192.0.2.7:5000"), "[::ffff:192.0.2.7]:5000");
        assert_eq!(name("[fe80::1%6]:5000"), "[fe80::1%6]:5000");
    }

    //
    #[tokio::test]
    async fn the_source_belongs_to_the_datagram_even_if_others_read_too() {
        const EACH: usize = 20_000;

        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let (addr, same) = (socket.local_addr().unwrap(), socket.try_clone().unwrap());
        let mut half = Udp::new(socket).unwrap().recv_half(1);
        let sending = thread::spawn(move || {
            let senders = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
            for sender in senders.iter().cycle().take(2 * EACH) {
                let port = sender.local_addr().unwrap().port();
                sender.send_to(&port.to_ne_bytes(), addr).unwrap();
            }
        });
        let done = AtomicBool::new(false);

        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    let _ = same.recv(&mut [0; 2]);
                }
            });
            let mut batch = RecvBatch::new(2);
            let mut wrong = 0;
            loop {
                let last = sending.is_finished();
                batch.clear();
                if half.recv_now(&mut batch).is_err() && last {
                    break;
                }
                for i in 0..batch.len() {
                    let (from, port) = (batch.from(i).ip_socket(), batch.datagram(i));
                    wrong += usize::from(port != from.port().to_ne_bytes());
                }
            }
            done.store(true, Relaxed);
            assert_eq!(wrong, 0);
        });
        sending.join().unwrap();
    }
}
