//! The test kit finds faults of a protocol and names them. Each of these codecs breaks one rule.

mod honest;
mod hostile;

use std::panic::{AssertUnwindSafe, catch_unwind};

use datagrammar_protocols::{DatagramProtocol, DecodeError, EncodeError};

/// A correct codec: up to 255 bytes after their count.
struct Sound;

impl DatagramProtocol for Sound {
    type Incoming = Vec<u8>;
    type Outgoing = Vec<u8>;

    fn decode(&self, datagram: &[u8]) -> Result<Vec<u8>, DecodeError> {
        match datagram.split_first() {
            Some((len, bytes)) if usize::from(*len) == bytes.len() => Ok(bytes.to_vec()),
            _ => Err(DecodeError::codec("not as many bytes as the first one says")),
        }
    }

    fn encode(&self, packet: &Vec<u8>, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Ok(len) = u8::try_from(packet.len()) else {
            return Err(EncodeError::codec("more than 255 bytes"));
        };
        datagram.push(len);
        datagram.extend_from_slice(packet);
        Ok(())
    }
}

fn packets() -> [Vec<u8>; 4] {
    [vec![], vec![1], vec![3, 2, 1], vec![7; 255]]
}

/// A codec from two closures.
fn codec<D, E>(decode: D, encode: E) -> Codec<D, E>
where
    D: Fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    E: Fn(&Vec<u8>, &mut Vec<u8>) -> Result<(), EncodeError>,
{
    Codec { decode, encode }
}

struct Codec<D, E> {
    decode: D,
    encode: E,
}

impl<D, E> DatagramProtocol for Codec<D, E>
where
    D: Fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    E: Fn(&Vec<u8>, &mut Vec<u8>) -> Result<(), EncodeError>,
{
    type Incoming = Vec<u8>;
    type Outgoing = Vec<u8>;

    fn decode(&self, datagram: &[u8]) -> Result<Vec<u8>, DecodeError> {
        (self.decode)(datagram)
    }

    fn encode(&self, packet: &Vec<u8>, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        (self.encode)(packet, datagram)
    }
}

/// The message with which the test kit panics.
fn failure(checks: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(checks)).expect_err("nothing has failed");
    *payload.downcast().expect("the kit panics with text")
}
