//! Sends ICMP errors like those of hosts and routers on the path.

use std::{
    mem::size_of_val,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use crate::support::within_deadline;

/// "Destination unreachable" of IPv4, and the codes that the kernel reports to a connected socket: port
/// unreachable, protocol unreachable, network unknown, host unknown, host isolated, prohibited in three
/// ways, precedence in two.
const UNREACHABLE_V4: (u8, &[u8]) = (3, &[3, 2, 6, 7, 8, 9, 10, 13, 14, 15]);
/// "Destination unreachable" of IPv6, and its codes: port unreachable, prohibited, rejected by a policy,
/// rejected by a route.
const UNREACHABLE_V6: (u8, &[u8]) = (1, &[4, 1, 5, 6]);

/// A sender of ICMP errors. Only a privileged process may use it.
pub struct Icmp {
    socket: Socket,
    ipv4: bool,
}

impl Icmp {
    /// A sender of errors about datagrams between addresses of the family of `ip`; `None` if the process
    /// has no permission.
    pub fn new(ip: IpAddr) -> Option<Self> {
        let (domain, protocol) = match ip {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        match Socket::new(domain, Type::RAW, Some(protocol)) {
            Ok(socket) => Some(Self { socket, ipv4: ip.is_ipv4() }),
            Err(error) => {
                println!("skipped: a raw socket is not permitted here ({error})");
                None
            }
        }
    }

    /// The type and code of each error that the kernel reports to a connected socket.
    pub fn unreachable(&self) -> impl Iterator<Item = (u8, u8)> + use<> {
        let (kind, codes) = if self.ipv4 { UNREACHABLE_V4 } else { UNREACHABLE_V6 };
        codes.iter().map(move |code| (kind, *code))
    }

    /// Sends an error to the socket at `from`: a datagram from there did not reach `to`.
    pub fn tell(&self, (kind, code): (u8, u8), from: SocketAddr, to: SocketAddr) {
        let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
        match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                message.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
                message.extend(from.octets());
                message.extend(to.octets());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                message.extend([0x60, 0, 0, 0, 0, 8, 17, 64]);
                message.extend(from.octets());
                message.extend(to.octets());
            }
            _ => panic!("`from` and `to` are not of the same family"),
        }
        for number in [from.port(), to.port(), 8, 0] {
            message.extend(number.to_be_bytes());
        }
        if self.ipv4 {
            // The kernel writes the checksum for IPv6 only.
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let sent = self.socket.send_to(&message, &SocketAddr::new(from.ip(), 0).into()).unwrap();
        assert_eq!(sent, size_of_val(&message[..]));
    }
}

/// The internet checksum (RFC 1071).
fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// Waits until the kernel has an error for the next call on `socket`.
pub async fn told(socket: impl AsFd) {
    let same = std::net::UdpSocket::from(socket.as_fd().try_clone_to_owned().unwrap());
    let same = UdpSocket::from_std(same).unwrap();
    within_deadline(same.ready(Interest::ERROR)).await.unwrap();
}
