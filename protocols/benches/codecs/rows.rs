//! The codecs of the benches, each beside a direct call of the crate that a user would take instead.

use std::mem::take;

use bincode::{
    config::{legacy, standard},
    serde::{borrow_decode_from_slice, encode_into_std_write},
};
use datagrammar_protocols::{
    Bincode, Cbor, DatagramProtocol, DecodeError, EncodeError, Json, Msgpack, Postcard,
};
use postcard::to_extend;
use rmp_serde::encode::write_named;
use serde::{Deserialize, Serialize};

/// What all of them write and read.
#[derive(Deserialize, Serialize)]
pub(crate) struct Message {
    id: u64,
    name: String,
    values: [f64; 8],
}

impl Message {
    pub(crate) fn sample() -> Self {
        Self {
            id: 281_474_976_710_657,
            name: "sensor-17/temperature".to_owned(),
            values: [0.1, 21.5, -3.25, 1e-7, 1013.25, 0.333_333_333_333_333_3, 1e16, -0.0],
        }
    }
}

pub(crate) type Protocol<T> = dyn DatagramProtocol<Incoming = T, Outgoing = T>;

/// A codec of ours, and the crate.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) ours: Box<Protocol<Message>>,
    pub(crate) itself: Box<Protocol<Message>>,
}

pub(crate) fn rows() -> [Row; 6] {
    [
        row(
            "json",
            Json::new(),
            |message, out| serde_json::to_writer(out, message).unwrap(),
            |octets| serde_json::from_slice(octets).unwrap(),
        ),
        row(
            "cbor",
            Cbor::new(),
            |message, out| ciborium::into_writer(message, out).unwrap(),
            |octets| ciborium::from_reader(octets).unwrap(),
        ),
        row(
            "msgpack",
            Msgpack::new(),
            |message, out| write_named(out, message).unwrap(),
            |octets| rmp_serde::from_slice(octets).unwrap(),
        ),
        row(
            "postcard",
            Postcard::new(),
            |message, out| *out = to_extend(message, take(out)).unwrap(),
            |octets| postcard::from_bytes(octets).unwrap(),
        ),
        row(
            "bincode",
            Bincode::new(),
            |message, out| _ = encode_into_std_write(message, out, standard()).unwrap(),
            |octets| borrow_decode_from_slice(octets, standard()).unwrap().0,
        ),
        row(
            "bincode fixed",
            Bincode::new().fixed(),
            |message, out| _ = encode_into_std_write(message, out, legacy()).unwrap(),
            |octets| borrow_decode_from_slice(octets, legacy()).unwrap().0,
        ),
    ]
}

fn row(
    name: &'static str,
    ours: impl DatagramProtocol<Incoming = Message, Outgoing = Message> + 'static,
    encode: Encode,
    decode: Decode,
) -> Row {
    Row { name, ours: Box::new(ours), itself: Box::new(Itself { encode, decode }) }
}

type Encode = fn(&Message, &mut Vec<u8>);
type Decode = fn(&[u8]) -> Message;

/// A crate, called as its documentation has it.
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
