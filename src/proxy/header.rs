//! The header in front of a datagram ([HAProxy's proxy-protocol.txt], section 2.2).
//!
//! [HAProxy's proxy-protocol.txt]: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt

use std::{
    error::Error,
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::Shape;

/// The 12 bytes with which each header begins.
pub(crate) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, the version with the command, the family with the transport, and the length of the rest.
const FIXED: usize = 16;

/// The most bytes of a header for which there is room beside the longest datagram. No header is longer: each must fit into
/// the smallest segment of TCP that every host accepts (section 2).
pub(crate) const ROOM: usize = 536;

/// A valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// How many bytes it has.
    pub(crate) len: usize,
    /// The sender of the datagram to the proxy. `None` if the proxy has sent it itself, for example to see whether the
    /// server is there.
    pub(crate) client: Option<SocketAddr>,
}

/// Why a datagram has no valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    Missing,
    /// It has a header of version 1, which is text.
    Text,
    Truncated,
    Version,
    Command,
    Family,
    /// The proxy does not name the sender.
    Unspecified,
    /// It came to the proxy over a Unix socket.
    Unix,
    Addresses,
    Extension,
    Checksum,
}

impl Header {
    /// What all datagrams with a header have in common.
    pub(crate) fn shape() -> Shape {
        Shape::prefix(SIGNATURE).and(Shape::lengths(FIXED..))
    }

    /// Whether `datagram` begins like one with a header.
    pub(crate) fn is_at(datagram: &[u8]) -> bool {
        datagram.starts_with(&SIGNATURE)
    }

    /// Reads the header of `datagram`. It allocates nothing.
    pub(crate) fn read(datagram: &[u8]) -> Result<Self, Invalid> {
        if !Self::is_at(datagram) {
            return Err(if datagram.starts_with(b"PROXY ") {
                Invalid::Text
            } else {
                Invalid::Missing
            });
        }
        let Some((fixed, _)) = datagram.split_first_chunk::<FIXED>() else {
            return Err(Invalid::Truncated);
        };
        let [.., version, family, high, low] = *fixed;
        if version >> 4 != 2 {
            return Err(Invalid::Version);
        }
        let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
        let header = datagram.get(..len).ok_or(Invalid::Truncated)?;
        let client = match version & 0x0f {
            // The proxy speaks for itself. Nothing else in the header counts, not even the family.
            0 => return Ok(Self { len, client: None }),
            1 => client(family, &header[FIXED..])?,
            _ => return Err(Invalid::Command),
        };
        let addresses = if client.is_ipv4() { size_of::<Ipv4>() } else { size_of::<Ipv6>() };
        check_extensions(header, FIXED + addresses)?;
        Ok(Self { len, client: Some(client) })
    }
}

/// Source, destination, and both ports.
type Ipv4 = [u8; 12];
type Ipv6 = [u8; 36];

/// The source in `addresses`. Both transports are accepted: a client may have come to the proxy over TCP.
fn client(family: u8, addresses: &[u8]) -> Result<SocketAddr, Invalid> {
    match family {
        0x11 | 0x12 => {
            let bytes: &Ipv4 = addresses.first_chunk().ok_or(Invalid::Addresses)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *bytes;
            Ok((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into())
        }
        0x21 | 0x22 => {
            let bytes: &Ipv6 = addresses.first_chunk().ok_or(Invalid::Addresses)?;
            let [ip @ .., high, low, _, _] = *bytes;
            let ip: [u8; 16] = *ip.first_chunk().ok_or(Invalid::Addresses)?;
            Ok((Ipv6Addr::from(ip), u16::from_be_bytes([high, low])).into())
        }
        0x00 => Err(Invalid::Unspecified),
        0x31 | 0x32 => Err(Invalid::Unix),
        _ => Err(Invalid::Family),
    }
}

/// The type of the extension that has a checksum of the header (section 2.2.3).
const CHECKSUM: u8 = 0x03;

/// Checks that the extensions end where the header ends, and that the checksum is right, if there is one. Skips all others.
fn check_extensions(header: &[u8], mut at: usize) -> Result<(), Invalid> {
    let mut checked = false;
    while at < header.len() {
        let Some(&[kind, high, low]) = header[at..].first_chunk() else {
            return Err(Invalid::Extension);
        };
        let value = at + 3;
        at = value + usize::from(u16::from_be_bytes([high, low]));
        let bytes = header.get(value..at).ok_or(Invalid::Extension)?;
        if kind == CHECKSUM {
            // A second one would cost as much as the first, and so on: a header is read once.
            let expected: [u8; 4] = bytes.try_into().map_err(|_| Invalid::Extension)?;
            let others = [&header[..value], &[0; 4], &header[at..]];
            if checked || crc32c(&others) != u32::from_be_bytes(expected) {
                return Err(Invalid::Checksum);
            }
            checked = true;
        }
    }
    Ok(())
}

/// The checksum of RFC 4960, appendix B, four bits at a time. Few proxies send it, and a header is short.
fn crc32c(parts: &[&[u8]]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut n = 0;
        while n < 16 {
            let (mut sum, mut bit) = (n as u32, 0);
            while bit < 4 {
                sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
                bit += 1;
            }
            table[n] = sum;
            n += 1;
        }
        table
    };

    let step = |sum: u32, bits: u32| sum >> 4 ^ TABLE[((sum ^ bits) & 0x0f) as usize];
    let byte = |sum, byte: &u8| step(step(sum, (*byte).into()), (*byte >> 4).into());
    !parts.iter().copied().flatten().fold(!0, byte)
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no PROXY header",
            Self::Text => "a PROXY header of version 1, which is text",
            Self::Truncated => "a PROXY header that is longer than its datagram",
            Self::Version => "a PROXY header of an unknown version",
            Self::Command => "a PROXY header with an unknown command",
            Self::Family => "a PROXY header with an unknown family or transport",
            Self::Unspecified => "a PROXY header without the address of the client (AF_UNSPEC)",
            Self::Unix => "a PROXY header with the address of a Unix socket",
            Self::Addresses => "a PROXY header that is too short for its addresses",
            Self::Extension => "a PROXY header with an extension that does not end where it must",
            Self::Checksum => "a PROXY header with a wrong checksum",
        })
    }
}

impl Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::*;

    // O-3
    #[test]
    fn the_checksum_is_that_of_the_published_vectors() {
        // RFC 3720, appendix B.4; the last one is the usual check value.
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(crc32c(&[&[0xff; 32]]), 0x62a8_ab43);
        assert_eq!(crc32c(&[&ascending]), 0x46dd_794e);
        assert_eq!(crc32c(&[b"1234", b"", b"56789"]), 0xe306_9283);
    }

    // O-3
    #[test]
    fn the_header_of_the_specification_is_read_as_bytes() {
        let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x13\x88\x00\x35payload";
        let client = Some(SocketAddr::from(([192, 0, 2, 7], 5000)));

        assert_eq!(Header::read(header), Ok(Header { len: 28, client }));
        assert!(Header::shape().matches(header) && !Header::shape().matches(b"payload of a peer"));
    }
}
