//! The codecs of the benches, each beside a direct call of the crate that a user would take instead.

use std::{hint::black_box, mem::take};

use bincode::{
    config::{legacy, standard},
    serde::{borrow_decode_from_slice, encode_into_std_write},
};
use datagrammar_protocols::{
    Bincode, Cbor, DatagramProtocol, DecodeError, EncodeError, Fixed, FixedText, Json, Msgpack,
    Postcard, Protobuf, Raw, Text,
};
use postcard::to_extend;
use prost::Message as _;
use rmp_serde::encode::write_named;
use serde::{Deserialize, Serialize};

/// A codec of ours, and the crate, if there is one for the same.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) ours: Box<dyn Work>,
    pub(crate) itself: Option<Box<dyn Work>>,
}

/// What is measured, with a packet of its own.
pub(crate) trait Work {
    /// Writes the packet anew.
    fn encode(&self, datagram: &mut Vec<u8>);

    fn decode(&self, datagram: &[u8]);
}

pub(crate) fn rows() -> Vec<Row> {
    let text = serde_json::to_string(&Message::sample()).expect("the message has JSON");

    vec![
        alone("raw", Raw, text.clone().into()),
        alone("text", Text, text),
        alone("json ascii", Json::<Message>::new().ascii(), Message::sample()),
        beside(
            "json",
            Json::new(),
            |message, out| serde_json::to_writer(out, message).unwrap(),
            |bytes| serde_json::from_slice(bytes).unwrap(),
        ),
        beside(
            "cbor",
            Cbor::new(),
            |message, out| ciborium::into_writer(message, out).unwrap(),
            |bytes| ciborium::from_reader(bytes).unwrap(),
        ),
        beside(
            "msgpack",
            Msgpack::new(),
            |message, out| write_named(out, message).unwrap(),
            |bytes| rmp_serde::from_slice(bytes).unwrap(),
        ),
        beside(
            "postcard",
            Postcard::new(),
            |message, out| *out = to_extend(message, take(out)).unwrap(),
            |bytes| postcard::from_bytes(bytes).unwrap(),
        ),
        beside(
            "bincode",
            Bincode::new(),
            |message, out| _ = encode_into_std_write(message, out, standard()).unwrap(),
            |bytes| borrow_decode_from_slice(bytes, standard()).unwrap().0,
        ),
        beside(
            "bincode fixed",
            Bincode::new().fixed(),
            |message, out| _ = encode_into_std_write(message, out, legacy()).unwrap(),
            |bytes| borrow_decode_from_slice(bytes, legacy()).unwrap().0,
        ),
        Row {
            name: "protobuf",
            ours: of(Protobuf::<Proto>::new(), Proto::sample()),
            itself: Some(of(
                Itself::<Proto> {
                    encode: |message, out| message.encode(out).unwrap(),
                    decode: |bytes| Proto::decode(bytes).unwrap(),
                },
                Proto::sample(),
            )),
        },
        alone("fixed", Fixed::<Layout>::new(), Layout::sample()),
    ]
}

fn beside(
    name: &'static str,
    ours: impl DatagramProtocol<Incoming = Message, Outgoing = Message> + 'static,
    encode: Encode<Message>,
    decode: Decode<Message>,
) -> Row {
    let itself = Some(of(Itself { encode, decode }, Message::sample()));
    Row { name, ours: of(ours, Message::sample()), itself }
}

fn alone<P>(name: &'static str, ours: P, packet: P::Outgoing) -> Row
where
    P: DatagramProtocol + 'static,
    P::Incoming: 'static,
    P::Outgoing: 'static,
{
    Row { name, ours: of(ours, packet), itself: None }
}

fn of<P>(protocol: P, packet: P::Outgoing) -> Box<dyn Work>
where
    P: DatagramProtocol + 'static,
    P::Incoming: 'static,
    P::Outgoing: 'static,
{
    Box::new(Of::<P::Incoming, P::Outgoing> { protocol: Box::new(protocol), packet })
}

/// A protocol behind a `dyn`, as servers have theirs, and so neither of two becomes a part of the loop.
struct Of<I, O> {
    protocol: Box<dyn DatagramProtocol<Incoming = I, Outgoing = O>>,
    packet: O,
}

impl<I, O> Work for Of<I, O> {
    fn encode(&self, datagram: &mut Vec<u8>) {
        datagram.clear();
        self.protocol.encode(black_box(&self.packet), datagram).expect("the packet can be encoded");
    }

    fn decode(&self, datagram: &[u8]) {
        black_box(self.protocol.decode(black_box(datagram)).expect("a packet was encoded"));
    }
}

/// A crate, called as its documentation has it.
struct Itself<T> {
    encode: Encode<T>,
    decode: Decode<T>,
}

type Encode<T> = fn(&T, &mut Vec<u8>);
type Decode<T> = fn(&[u8]) -> T;

impl<T> DatagramProtocol for Itself<T> {
    type Incoming = T;
    type Outgoing = T;

    fn decode(&self, datagram: &[u8]) -> Result<T, DecodeError> {
        Ok((self.decode)(datagram))
    }

    fn encode(&self, packet: &T, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        (self.encode)(packet, datagram);
        Ok(())
    }
}

/// What all codecs of serde types write and read.
#[derive(Deserialize, Serialize)]
struct Message {
    id: u64,
    name: String,
    values: [f64; 8],
}

impl Message {
    fn sample() -> Self {
        Self { id: ID, name: NAME.to_owned(), values: VALUES }
    }
}

/// The same for prost.
#[derive(prost::Message)]
struct Proto {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(double, repeated, tag = "3")]
    values: Vec<f64>,
}

impl Proto {
    fn sample() -> Self {
        Self { id: ID, name: NAME.to_owned(), values: VALUES.to_vec() }
    }
}

/// The same in fields of fixed size.
#[derive(Deserialize, Serialize)]
struct Layout {
    id: u64,
    name: FixedText<24>,
    values: [f64; 8],
}

impl Layout {
    fn sample() -> Self {
        Self { id: ID, name: NAME.into(), values: VALUES }
    }
}

const ID: u64 = 281_474_976_710_657;
const NAME: &str = "sensor-17/temperature";
const VALUES: [f64; 8] = [0.1, 21.5, -3.25, 1e-7, 1013.25, 0.333_333_333_333_333_3, 1e16, -0.0];
