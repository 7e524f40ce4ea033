//! What a codec costs, beside a direct call of the crate behind it.

use std::hint::black_box;

use bincode::{config::standard, serde::borrow_decode_from_slice};
use bytes::Bytes;
use criterion::Criterion;
use datagrammar_protocols::{Bincode, DatagramProtocol, Json, Raw, Text};
use serde::{Deserialize, Serialize};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();

    let message = Message {
        id: 281_474_976_710_657,
        name: "sensor-17/temperature".to_owned(),
        values: [0.1, 21.5, -3.25, 1e-7, 1013.25, 0.333_333_333_333_333_3, 1e16, -0.0],
    };
    let text = serde_json::to_string(&message).expect("the message has JSON");

    codec(&mut criterion, "raw", &Raw, &Bytes::from(text.clone()));
    codec(&mut criterion, "text", &Text, &text);
    codec(&mut criterion, "json", &Json::new(), &message);
    codec(&mut criterion, "json ascii", &Json::new().ascii(), &message);
    codec(&mut criterion, "bincode", &Bincode::new(), &message);
    codec(&mut criterion, "bincode fixed", &Bincode::new().fixed(), &message);
    serde_json_itself(&mut criterion, &message);
    bincode_itself(&mut criterion, &message);

    criterion.final_summary();
}

fn codec<T>(
    criterion: &mut Criterion,
    name: &str,
    protocol: &impl DatagramProtocol<Incoming = T, Outgoing = T>,
    packet: &T,
) {
    let mut datagram = Vec::new();
    protocol.encode(packet, &mut datagram).expect("the packet can be encoded");

    criterion.bench_function(&format!("{name}/decode"), |bencher| {
        bencher.iter(|| protocol.decode(black_box(&datagram)));
    });
    criterion.bench_function(&format!("{name}/encode"), |bencher| {
        bencher.iter(|| {
            datagram.clear();
            protocol.encode(black_box(packet), &mut datagram)
        });
    });
}

fn serde_json_itself(criterion: &mut Criterion, message: &Message) {
    let mut datagram = serde_json::to_vec(message).expect("the message has JSON");

    criterion.bench_function("serde_json itself/decode", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Message>(black_box(&datagram)));
    });
    criterion.bench_function("serde_json itself/encode", |bencher| {
        bencher.iter(|| {
            datagram.clear();
            serde_json::to_writer(&mut datagram, black_box(message))
        });
    });
}

fn bincode_itself(criterion: &mut Criterion, message: &Message) {
    let mut datagram =
        bincode::serde::encode_to_vec(message, standard()).expect("the message has bincode");

    criterion.bench_function("bincode itself/decode", |bencher| {
        bencher.iter(|| borrow_decode_from_slice::<Message, _>(black_box(&datagram), standard()));
    });
    criterion.bench_function("bincode itself/encode", |bencher| {
        bencher.iter(|| {
            datagram.clear();
            bincode::serde::encode_into_std_write(black_box(message), &mut datagram, standard())
        });
    });
}

#[derive(Deserialize, Serialize)]
struct Message {
    id: u64,
    name: String,
    values: [f64; 8],
}
