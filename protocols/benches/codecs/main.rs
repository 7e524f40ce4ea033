//! What a codec costs, beside a direct call of a crate.
//!
//! `benches/plot` makes the table and the plot of `docs/codecs.md` of it.

mod rows;

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use datagrammar_protocols::{Json, Raw, Text};

use self::rows::{Message, Protocol, Row, rows};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();

    let message = Message::sample();
    let text = serde_json::to_string(&message).expect("the message has JSON");

    measure::<Bytes>(&mut criterion, "raw", &Raw, &text.clone().into());
    measure::<String>(&mut criterion, "text", &Text, &text);
    measure(&mut criterion, "json ascii", &Json::new().ascii(), &message);

    for Row { name, ours, itself } in rows() {
        measure(&mut criterion, name, &*ours, &message);
        measure(&mut criterion, &format!("{name} itself"), &*itself, &message);
    }

    criterion.final_summary();
}

fn measure<T>(criterion: &mut Criterion, name: &str, protocol: &Protocol<T>, packet: &T) {
    let mut datagram = Vec::new();
    protocol.encode(packet, &mut datagram).expect("the packet can be encoded");

    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(datagram.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| protocol.decode(black_box(&datagram)));
    });
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            datagram.clear();
            protocol.encode(black_box(packet), &mut datagram)
        });
    });
    group.finish();
}
