//! `BincodeDerive`: the bytes of both forms, beside those of `Bincode` for the same types, and the refusals.

mod allocation;
mod limits;
#[cfg(feature = "bincode")]
mod same_wire;
#[cfg(all(
    feature = "bincode",
    feature = "cbor",
    feature = "fixed",
    feature = "json",
    feature = "msgpack",
    feature = "postcard"
))]
mod stack;

use std::{cell::RefCell, error::Error, fmt::Debug, rc::Rc};

use bincode::{Decode, Encode, de, enc};
use datagrammar_protocols::{BincodeDerive, DatagramProtocol, ErrorKind};

use crate::{encode, hex};

// P-29 w25
#[test]
fn a_tuple_is_its_fields() {
    let bincode: BincodeDerive<(Vec<u32>, Option<u32>)> = BincodeDerive::new();

    assert_eq!(encode(&bincode, &(vec![1, 2, 3], None)), hex("0301020300"));
}

// P-29 w26, w27, P-26
#[test]
fn both_forms_are_written_and_read() {
    #[derive(Debug, Decode, Encode, PartialEq)]
    enum Command {
        Ping,
        Add { a: u32, b: u32 },
        Text(String),
    }
    let packets =
        || [Command::Ping, Command::Add { a: 300, b: 70_000 }, Command::Text("hi".to_owned())];
    let standard = BincodeDerive::<Command>::new();
    let fixed = BincodeDerive::<Command>::new().fixed();

    assert_eq!(
        packets().map(|packet| encode(&standard, &packet)),
        ["00", "01 fb2c01 fc70110100", "02 02 6869"].map(hex)
    );
    assert_eq!(
        packets().map(|packet| encode(&fixed, &packet)),
        ["00000000", "01000000 2c010000 70110100", "02000000 0200000000000000 6869"].map(hex)
    );
    for packet in packets() {
        assert_eq!(standard.decode(&encode(&standard, &packet)).unwrap(), packet);
        assert_eq!(fixed.decode(&encode(&fixed, &packet)).unwrap(), packet);
    }
}

#[test]
fn variants_are_numbered_by_their_places() {
    #[derive(Debug, Decode, Encode, PartialEq)]
    enum Level {
        Low = 5,
        High = 300,
    }
    let bincode: BincodeDerive<Level> = BincodeDerive::new();

    assert_eq!(encode(&bincode, &Level::Low), hex("00"));
    assert_eq!(encode(&bincode, &Level::High), hex("01"));
    assert_eq!(bincode.decode(&[1]).unwrap(), Level::High);
    assert!(bincode.decode(&[5]).is_err());
}

// P-1
#[test]
fn trailing_bytes_are_counted() {
    for bincode in [BincodeDerive::<bool>::new(), BincodeDerive::new().fixed()] {
        let error = bincode.decode(&[1, 0, 0]).unwrap_err();

        assert_eq!(error.to_string(), "trailing bytes after the packet");
        assert_eq!(error.source().unwrap().to_string(), "2 bytes");
        assert_eq!(bincode.decode(&[1, 0]).unwrap_err().source().unwrap().to_string(), "1 byte");
    }
}

// P-7
#[test]
fn errors_say_what_is_wrong() {
    #[derive(Debug)]
    struct Odd;

    impl<C> Decode<C> for Odd {
        fn decode<D: de::Decoder>(decoder: &mut D) -> Result<Self, bincode::error::DecodeError> {
            match bool::decode(decoder)? {
                true => Err(bincode::error::DecodeError::Other("true is odd")),
                false => Err(bincode::error::DecodeError::OtherString("false is odd".to_owned())),
            }
        }
    }

    impl Encode for Odd {
        fn encode<E: enc::Encoder>(&self, _: &mut E) -> Result<(), bincode::error::EncodeError> {
            Ok(())
        }
    }

    fn source<T: Debug + Decode<()> + Encode>(datagram: &[u8]) -> String {
        let error = BincodeDerive::<T>::new().decode(datagram).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.to_string(), "invalid bincode for the packet type");
        error.source().expect("the error has a source").to_string()
    }

    assert_eq!(source::<u16>(b"\xfb\x01"), "unexpected end of datagram");
    assert_eq!(source::<u16>(b"\xfc\x01\0\0\0"), "number out of range of its type");
    assert_eq!(source::<String>(b"\x01\xff"), "invalid UTF-8");
    assert_eq!(source::<Vec<u64>>(b"\xfc\0\0\0\x01"), "memory limit (131072 bytes) reached");
    assert_eq!(source::<bool>(b"\x02"), "InvalidBooleanValue(2)");
    assert_eq!(source::<Odd>(b"\x01"), "true is odd");
    assert_eq!(source::<Odd>(b"\0"), "false is odd");
}

// P-7
#[test]
fn a_packet_that_cannot_be_written_is_an_encode_error() {
    let bincode: BincodeDerive<(), (u8, RefCell<u8>)> = BincodeDerive::new();
    let packet = (7, RefCell::new(8));
    let mut datagram = b"before".to_vec();

    let borrowed = packet.1.borrow_mut();
    let error = bincode.encode(&packet, &mut datagram).unwrap_err();
    drop(borrowed);

    assert_eq!(error.kind(), ErrorKind::Codec);
    assert_eq!(error.to_string(), "bincode cannot express the packet");
    assert!(error.source().unwrap().to_string().starts_with("RefCellAlreadyBorrowed"));
    assert!(datagram.starts_with(b"before"));
    assert_eq!(encode(&bincode, &packet), [7, 8]);
}

#[test]
fn the_codec_crosses_threads_for_any_packets() {
    fn is_plain<T: Send + Sync + Copy + Debug + Default>() {}

    is_plain::<BincodeDerive<Rc<u8>>>();
}
