//! Writes headers of the PROXY protocol, after the text of its specification and without the code of the crate.

use std::net::{IpAddr, SocketAddr};

pub const SIGNATURE: &[u8] = b"\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A";

pub const LOCAL: u8 = 0x20;
pub const PROXY: u8 = 0x21;

/// The destination of a client: the address of the proxy that it knows.
const DESTINATION: [&str; 2] = ["192.0.2.1:53", "[2001:db8::1]:53"];

/// A header with these bytes behind its length.
pub fn raw(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[version, family], &len, rest].concat()
}

/// The family with DGRAM, and the addresses of a client.
pub fn addresses(client: SocketAddr) -> (u8, Vec<u8>) {
    let to: SocketAddr = DESTINATION[usize::from(client.is_ipv6())].parse().unwrap();
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let ports = [client.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    let family = if client.is_ipv4() { 0x12 } else { 0x22 };
    (family, [octets(client.ip()), octets(to.ip()), ports].concat())
}

/// One extension: type, length, value.
pub fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind][..], &len, value].concat()
}

/// A header of `client` with extensions.
pub fn extended(client: &str, extensions: &[u8]) -> Vec<u8> {
    let (family, addresses) = addresses(client.parse().unwrap());
    raw(PROXY, family, &[&addresses[..], extensions].concat())
}

/// A header of `client` in front of `payload`.
pub fn of(client: &str, payload: &str) -> Vec<u8> {
    [&extended(client, b"")[..], payload.as_bytes()].concat()
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut sum = !0_u32;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}

/// A header of `client` with extensions around a checksum, to which `wrong` is added.
pub fn checked(client: &str, before: &[u8], after: &[u8], wrong: u32) -> Vec<u8> {
    let sum = tlv(0x03, &[0; 4]);
    let mut header = extended(client, &[before, &sum, after].concat());
    let at = header.len() - after.len() - 4;
    let sum = crc32c(&header).wrapping_add(wrong);
    header[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    header
}
