//! What a codec costs, beside a direct call of the crate behind it.
//!
//! `benches/plot` makes the table and the plot of `docs/codecs.md` of it.

use std::{hint::black_box, mem::take};

use bincode::{
    config::{legacy, standard},
    serde::{borrow_decode_from_slice, encode_into_std_write},
};
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use datagrammar_protocols::{
    Bincode, Cbor, DatagramProtocol, DecodeError, EncodeError, Json, Msgpack, Postcard, Raw, Text,
};
use postcard::to_extend;
use rmp_serde::encode::write_named;
use serde::{Deserialize, Serialize};

type Protocol<T> = dyn DatagramProtocol<Incoming = T, Outgoing = T>;
type Encode = fn(&Message, &mut Vec<u8>);
type Decode = fn(&[u8]) -> Message;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();

    let message = Message {
        id: 281_474_976_710_657,
        name: "sensor-17/temperature".to_owned(),
        values: [0.1, 21.5, -3.25, 1e-7, 1013.25, 0.333_333_333_333_333_3, 1e16, -0.0],
    };
    let text = serde_json::to_string(&message).expect("the message has JSON");

    measure::<Bytes>(&mut criterion, "raw", &Raw, &text.clone().into());
    measure::<String>(&mut criterion, "text", &Text, &text);
    measure(&mut criterion, "json ascii", &Json::new().ascii(), &message);

    let rows: [(&str, &Protocol<Message>, Encode, Decode); 6] = [
        (
            "json",
            &Json::new(),
            |message, out| serde_json::to_writer(out, message).unwrap(),
            |octets| serde_json::from_slice(octets).unwrap(),
        ),
        (
            "cbor",
            &Cbor::new(),
            |message, out| ciborium::into_writer(message, out).unwrap(),
            |octets| ciborium::from_reader(octets).unwrap(),
        ),
        (
            "msgpack",
            &Msgpack::new(),
            |message, out| write_named(out, message).unwrap(),
            |octets| rmp_serde::from_slice(octets).unwrap(),
        ),
        (
            "postcard",
            &Postcard::new(),
            |message, out| *out = to_extend(message, take(out)).unwrap(),
            |octets| postcard::from_bytes(octets).unwrap(),
        ),
        (
            "bincode",
            &Bincode::new(),
            |message, out| _ = encode_into_std_write(message, out, standard()).unwrap(),
            |octets| borrow_decode_from_slice(octets, standard()).unwrap().0,
        ),
        (
            "bincode fixed",
            &Bincode::new().fixed(),
            |message, out| _ = encode_into_std_write(message, out, legacy()).unwrap(),
            |octets| borrow_decode_from_slice(octets, legacy()).unwrap().0,
        ),
    ];
    for (name, protocol, encode, decode) in rows {
        measure(&mut criterion, name, protocol, &message);
        measure(&mut criterion, &format!("{name} itself"), &Itself { encode, decode }, &message);
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

/// The crate behind a codec, called as its documentation has it.
struct Itself {
    encode: Encode,
    decode: Decode,
}

impl DatagramProtocol for Itself {
    type Incoming = Message;
    type Outgoing = Message;

    fn decode(&self, datagram: &[u8]) -> Result<Message, DecodeError> {
        Ok((self.decode)(datagram))
    }

    fn encode(&self, message: &Message, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        (self.encode)(message, datagram);
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Message {
    id: u64,
    name: String,
    values: [f64; 8],
}
