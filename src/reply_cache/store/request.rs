//! A request as a store sees it, and the bytes that identify it.

use std::net::SocketAddr;

use crate::Addr;

/// A request, as a [`ReplyStore`](super::ReplyStore) gets it to make its key.
#[derive(Clone, Copy, Debug)]
pub struct StoredRequest<'a> {
    peer: &'a Addr,
    id: u64,
    datagram: &'a [u8],
}

impl<'a> StoredRequest<'a> {
    pub(super) const fn new(peer: &'a Addr, id: u64, datagram: &'a [u8]) -> Self {
        Self { peer, id, datagram }
    }

    /// Returns the address of the peer that has sent the request.
    #[must_use]
    pub const fn peer(&self) -> &'a Addr {
        self.peer
    }

    /// Returns the [id](crate::Correlated::id) of the request.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Returns the bytes of the request.
    #[must_use]
    pub const fn datagram(&self) -> &'a [u8] {
        self.datagram
    }

    /// Returns bytes that are equal for equal requests, and different for different ones: the peer, the id and the
    /// datagram. They are the same in each process, on each system, and in each later version of this crate. But the
    /// scope id of a link-local IPv6 address is the number of an interface, and each host has its own.
    ///
    /// They are longer than the request. For a short key, take a cryptographic hash of them (SHA-256, BLAKE3), for example
    /// from the crate `sha2`. Do not take a hash for hash tables: an attacker could find two requests with the same hash,
    /// and a peer would get the reply to another request.
    ///
    /// | bytes | meaning |
    /// | --- | --- |
    /// | 1 | kind of the peer: 4, 6, 1 for the path of a Unix socket, 2 for an abstract name |
    /// | 4 + 2 | IPv4: address and port; all numbers are big-endian |
    /// | 16 + 2 + 4 | IPv6: address, port and scope id |
    /// | 2 + n | Unix: length of the name, and the name |
    /// | 8 | id |
    /// | the rest | the datagram |
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(31 + self.datagram.len());
        self.add_peer(&mut bytes);
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.datagram);
        bytes
    }

    fn add_peer(&self, bytes: &mut Vec<u8>) {
        let port = match self.peer.socket_addr() {
            Some(SocketAddr::V4(addr)) => {
                bytes.push(4);
                bytes.extend(addr.ip().octets());
                addr.port()
            }
            Some(SocketAddr::V6(addr)) => {
                bytes.push(6);
                bytes.extend(addr.ip().octets());
                bytes.extend(addr.port().to_be_bytes());
                bytes.extend(addr.scope_id().to_be_bytes());
                return;
            }
            None => return self.add_name(bytes),
        };
        bytes.extend(port.to_be_bytes());
    }

    fn add_name(&self, bytes: &mut Vec<u8>) {
        // Unix sockets without a name have no requests. The kernel's names are shorter than 256 bytes.
        let path = self.peer.as_pathname().map(|path| path.as_os_str().as_encoded_bytes());
        let (kind, name) = match (path, self.peer.as_abstract_name()) {
            (Some(path), _) => (1, path),
            (None, name) => (2, name.unwrap_or_default()),
        };
        bytes.push(kind);
        bytes.extend((name.len() as u16).to_be_bytes());
        bytes.extend(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(peer: &str, id: u64, datagram: &[u8]) -> Vec<u8> {
        StoredRequest::new(&peer.parse().unwrap(), id, datagram).to_bytes()
    }

    //
    #[test]
    fn the_bytes_of_a_request_hold_its_peer_its_id_and_its_datagram() {
        let v4 = b"\x04\xc0\0\x02\x07\x13\x88\0\0\0\0\0\0\x01\x02hello";
        assert_eq!(bytes("192.0.2.7:5000", 0x0102, b"hello"), v4);
        assert_eq!(bytes("[::ffff:192.0.2.7]:5000", 0x0102, b"hello"), v4);

        let v6 = b"\x06\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x23\x28\0\0\0\x06\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(bytes("[fe80::1%6]:9000", u64::MAX, b""), v6);
    }

    //
    #[cfg(target_os = "linux")]
    #[test]
    fn the_name_of_a_unix_socket_is_in_them_with_its_length() {
        use std::os::{linux::net::SocketAddrExt, unix::net};

        let path: Addr = net::SocketAddr::from_pathname("/run/a").unwrap().into();
        let name: Addr = net::SocketAddr::from_abstract_name(b"a\xff").unwrap().into();

        let of = |peer| StoredRequest::new(peer, 7, b"x").to_bytes();
        assert_eq!(of(&path), b"\x01\0\x06/run/a\0\0\0\0\0\0\0\x07x");
        assert_eq!(of(&name), b"\x02\0\x02a\xff\0\0\0\0\0\0\0\x07x");
    }
}
