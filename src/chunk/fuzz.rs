//! Parts from strangers, for the fuzzer.

use std::{net::Ipv4Addr, time::Duration};

use tokio::time::Instant;

use super::{
    Chunked,
    format::{Chunk, HEADER, PacketId, Part, WHOLE, missing},
    split::Splitter,
    table::{Source, Stored, Table},
};

/// The longest packet.
const LIMIT: usize = 8_000;

/// Reads a datagram, and lets a server with small limits collect the chunks that the input describes, 6 bytes each.
pub(crate) fn run(input: &[u8]) {
    read(input);
    let limits = Chunked::with_limit(LIMIT)
        .max_packets(4)
        .max_packets_per_peer(2)
        .max_bytes_per_peer(10_000)
        .max_bytes(20_000);
    let (mut table, mut now) = (Table::new(limits), Instant::now());
    for [who, name, index, last, len, wait] in input.as_chunks().0 {
        now += Duration::from_millis(u64::from(*wait) * 4);
        let peer = std::net::SocketAddr::from((Ipv4Addr::from(u32::from(*who % 4)), 7)).into();
        let source = Source { bound: usize::from(*who >> 7), peer };
        let packet = PacketId { id: u64::from(*name % 4), number: u32::from(*name >> 7) };
        let bytes = vec![*index; 500 + usize::from(*len)];
        let mut datagram = Vec::new();
        let chunk = Chunk {
            packet,
            index: u16::from(*index),
            last: u16::from(*last),
            asks: *who & 64 != 0,
            bytes: &bytes,
        };
        chunk.write(&mut datagram);
        let Some(Part::Chunk(read)) = Part::read(&datagram) else { continue };
        assert_eq!(read, chunk);
        match table.add(&source, &read, now) {
            Stored::Complete(packet) => complete(&packet, read.packet),
            Stored::Waits | Stored::Repeated => {
                let assembly = table.assembly(&source, packet).expect("it has this chunk");
                let list = missing(packet, assembly.missing(), datagram.len());
                assert!(list.len() <= datagram.len().max(HEADER));
                read_back(&list);
            }
            Stored::Refused => {}
        }
        table.check();
    }
}

/// The input as a datagram.
fn read(input: &[u8]) {
    match Part::read(input) {
        Some(Part::Chunk(chunk)) => {
            let mut datagram = Vec::new();
            chunk.write(&mut datagram);
            assert_eq!(datagram, input);
        }
        Some(Part::Missing(list)) => {
            assert_eq!(missing(list.packet, list.ranges(), usize::MAX), input);
            let packet = [WHOLE; 5_000];
            let splitter = Splitter::new(list.packet, &packet, 576);
            let sent = splitter.chunks(list.ranges(), super::MAX_FLIGHT);
            assert!(sent.map(|chunk| read_back(&chunk)).count() <= super::MAX_FLIGHT);
        }
        None => {}
    }
}

fn read_back(datagram: &[u8]) {
    assert!(Part::read(datagram).is_some());
}

/// A complete packet has the bytes of its chunks, and can be sent in chunks again.
fn complete(datagram: &[u8], packet: PacketId) {
    assert!(datagram.len() <= LIMIT + 1 && datagram[0] == WHOLE);
    assert!(datagram[1..].is_sorted());
    let splitter = Splitter::new(packet, datagram, 576);
    let mut table = Table::new(Chunked::with_limit(LIMIT));
    let source = Source { bound: 0, peer: std::net::SocketAddr::from(([0; 4], 1)).into() };
    let mut again = None;
    for index in (0..=splitter.last()).rev() {
        let chunk = splitter.chunk(index, false).expect("up to the last one");
        let Some(Part::Chunk(chunk)) = Part::read(&chunk) else { panic!("{chunk:?}") };
        if let Stored::Complete(datagram) = table.add(&source, &chunk, Instant::now()) {
            again = Some(datagram);
        }
    }
    assert_eq!(again.as_deref(), Some(datagram));
}
