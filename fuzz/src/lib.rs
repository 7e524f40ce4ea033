//! The common code of all fuzz targets. Each input is used twice: as a datagram from a stranger, and as the
//! random choices for a packet that must survive a round trip.

mod packet;
mod server;

use std::{env, fs, path::Path};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use datagrammar_protocols::{DatagramProtocol, Layer, Raw, testing::Conformance};

pub use self::packet::Packet;

/// Fuzzes a protocol whose packets can be drawn from the input.
pub fn protocol<T>(protocol: impl DatagramProtocol<Incoming = T, Outgoing = T>, input: &[u8])
where
    T: for<'a> Arbitrary<'a> + PartialEq,
{
    if input.is_empty() {
        let choices = (1..=6_u8).map(|n| (41..81_u8).map(|at| at.wrapping_mul(n)).collect());
        write_seeds(&protocol, choices.filter_map(|choices: Vec<u8>| drawn_from(&choices)));
    }
    let conformance = Conformance::new(protocol);
    conformance.datagram(input);
    if let Some(packet) = drawn_from(input) {
        conformance.packet(&packet);
    }
}

/// Fuzzes a protocol with a fixed list of packets.
pub fn datagrams<T: PartialEq>(
    protocol: impl DatagramProtocol<Incoming = T, Outgoing = T>,
    packets: impl IntoIterator<Item = T>,
    input: &[u8],
) {
    if input.is_empty() {
        write_seeds(&protocol, packets);
    }
    Conformance::new(protocol).datagram(input);
}

/// Fuzzes packets that arrive in chunks.
pub fn parts(input: &[u8]) {
    if input.is_empty() {
        // Two packets of three chunks that become complete, a list, and a chunk.
        let chunk = |name, index| [1, name, index, 2, 200, 1];
        let packets =
            [0, 128].into_iter().flat_map(|name| [2, 0, 1].map(|index| chunk(name, index)));
        let list = [&[3][..], &[0; 12], &[0, 1, 0, 9]].concat();
        let last = [&[2][..], &[0; 12], &[0, 1, 0, 1], b"end"].concat();
        write_files([packets.flatten().collect(), list, last].map(Some));
    }
    datagrammar::fuzz_chunks(input);
}

/// Fuzzes address tokens and their envelopes.
pub fn tokens(input: &[u8]) {
    if input.is_empty() {
        // A token alone and after a client cookie, a short one, a request without and with a token, a reply, a challenge.
        let token = 0x0100_0000_5cf7_9f11_3f5b_ea90_8ce0_f904_u128.to_be_bytes();
        let cookie = [&[0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57][..], &token].concat();
        let short = 0xc40d_25ae_5ea4_a199_u64.to_be_bytes().to_vec();
        let asking = [&[0x10][..], &[0; 16], b"hi"].concat();
        let proven = [&[0x10][..], &token, b"hi"].concat();
        let challenge = [&[0x12][..], &token].concat();
        let seeds = [token.to_vec(), cookie, short, asking, proven, b"\x11hi".to_vec(), challenge];
        write_files(seeds.map(Some));
    }
    datagrammar::fuzz_tokens(input);
}

/// Fuzzes a whole server.
pub fn served(input: &[u8]) {
    if input.is_empty() {
        // Peers that are answered, a handler that waits, one that panics, an end, a reload, and tagged requests.
        let plain =
            b"\x00\x1f\x00\x24\x33\xa3\x0b\x00\x01\x82\x99\x00\x3f\x40\x02\x82\x33\x00\x0e\x00";
        let tagged =
            b"\x11\x1f\x00\x46\x00\x00\x00\x00\x01\xa0\x00\x46\x00\x00\x00\x00\x01\xa0\x17\x00";
        write_files([plain.to_vec(), tagged.to_vec()].map(Some));
    }
    server::run(input);
}

/// Fuzzes headers of the PROXY protocol.
pub fn proxy_headers(input: &[u8]) {
    if input.is_empty() {
        // Both families, a proxy that speaks for itself, extensions, a checksum, version 1.
        let header = |version, family, rest: &[u8]| {
            let fixed = [version, family, 0, rest.len() as u8];
            [b"\r\n\r\n\0\r\nQUIT\n", &fixed[..], rest, b"hi"].concat()
        };
        let v4 = [192, 0, 2, 7, 192, 0, 2, 1, 0x13, 0x88, 0, 53];
        let extended = [&v4[..], &[4, 0, 2, 0, 0, 1, 0, 2, b'h', b'2']].concat();
        // The checksum of this header.
        let checked = [&v4[..], &[3, 0, 4], &0xbaf1_3c2a_u32.to_be_bytes()].concat();
        let seeds = [
            header(0x21, 0x12, &v4),
            header(0x21, 0x22, &[7; 36]),
            header(0x20, 0, b""),
            header(0x21, 0x11, &extended),
            header(0x21, 0x12, &checked),
            b"PROXY UNKNOWN\r\nhi".to_vec(),
        ];
        write_files(seeds.map(Some));
    }
    datagrammar::fuzz_proxy_headers(input);
}

/// Fuzzes a layer.
pub fn layer(layer: impl Layer, input: &[u8]) {
    layer_applied_to_each(1, layer, input);
}

/// Fuzzes a slow layer: only inputs whose length is a multiple of `length` are also used as payloads.
///
/// Strangers control received datagrams, so most of the time is spent on those.
pub fn layer_applied_to_each(length: usize, layer: impl Layer, input: &[u8]) {
    if input.is_empty() {
        let payloads = ["", "hello, world.", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\x01"];
        write_seeds(&Raw.layer(&layer), payloads.map(Bytes::from));
    }
    let conformance = Conformance::layer(layer);
    conformance.datagram(input);
    if input.len().is_multiple_of(length) {
        conformance.packet(&Bytes::copy_from_slice(input));
    }
}

fn drawn_from<T: for<'a> Arbitrary<'a>>(choices: &[u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(choices)).ok()
}

/// Writes datagrams to the folder in the environment variable `SEEDS`, if it is set.
fn write_seeds<P: DatagramProtocol>(protocol: &P, packets: impl IntoIterator<Item = P::Outgoing>) {
    let encoded = |packet| {
        let mut datagram = Vec::new();
        let encoded = protocol.encode(&packet, &mut datagram);
        Some(datagram).filter(|datagram| encoded.is_ok() && !datagram.is_empty())
    };
    write_files(packets.into_iter().map(encoded).collect::<Vec<_>>());
}

/// Writes the seeds that there are to the folder that the environment names, if it does.
fn write_files(seeds: impl IntoIterator<Item = Option<Vec<u8>>>) {
    let Some(folder) = env::var_os("SEEDS") else { return };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).expect("the folder of seeds can be made");
    for (number, seed) in seeds.into_iter().enumerate() {
        if let Some(seed) = seed {
            fs::write(folder.join(number.to_string()), seed).expect("a seed can be written");
        }
    }
}
