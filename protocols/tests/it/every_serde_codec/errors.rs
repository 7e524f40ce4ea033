//! The error messages of codecs of serde types, and their traits for all packet types.

use std::{error::Error, fmt::Debug, rc::Rc};

use datagrammar_protocols::{Bincode, Cbor, DatagramProtocol, ErrorKind, Json, Msgpack, Postcard};
use serde::{Serialize, Serializer, ser};

// P-7, H-13
#[test]
fn the_message_names_the_format_and_repeats_no_byte_of_the_datagram() {
    fn says(codec: impl DatagramProtocol<Incoming = char>, datagram: &[u8], expected: &str) {
        let Err(error) = codec.decode(datagram) else { panic!("{expected}") };

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.to_string(), expected);
        assert!(error.source().is_some());
    }

    says(Json::<char>::new(), b"\"SECRET\"", "JSON does not match the packet type");
    says(Cbor::<char>::new(), b"\x66SECRET", "invalid CBOR for the packet type");
    says(Msgpack::<char>::new(), b"\xa6SECRET", "invalid MessagePack for the packet type");
    says(Postcard::<char>::new(), b"\xf0SECRET", "invalid postcard for the packet type");
    says(Bincode::<char>::new(), b"\xf0SECRET", "invalid bincode for the packet type");
}

// P-7
#[test]
fn the_source_says_which_limit_of_levels_was_reached() {
    type Nested = Vec<Vec<u8>>;

    assert_eq!(source(Cbor::<Nested>::new().nesting_limit(1), b"\x81\x80"), LIMIT);
    assert_eq!(source(Msgpack::<Nested>::new().nesting_limit(1), b"\x91\x90"), LIMIT);
    assert_eq!(source(Postcard::<Nested>::new().nesting_limit(1), b"\x01\0"), LIMIT);
    assert_eq!(source(Bincode::<Nested>::new().nesting_limit(1), b"\x01\0"), LIMIT);
    let json = source(Json::<Nested>::new().nesting_limit(1), b"[[]]");
    assert_eq!(json, format!("{LIMIT} at line 1 column 2"));
}

const LIMIT: &str = "recursion limit (1) reached";

// P-7
#[test]
fn the_source_says_that_a_datagram_ends_too_early_or_too_late() {
    const CUT: &str = "unexpected end of datagram";
    const DECLARED: &str = "declared length exceeds the datagram";

    assert_eq!(source(Cbor::<u16>::new(), b"\x19\x01"), CUT);
    assert_eq!(source(Msgpack::<u16>::new(), b"\xcd\x01"), CUT);
    assert_eq!(source(Postcard::<u16>::new(), b"\x80"), CUT);
    assert_eq!(source(Bincode::<u16>::new(), b"\xfb\x01"), CUT);
    assert_eq!(source(Cbor::<Vec<u8>>::new(), b"\x99\xff\xff"), DECLARED);
    assert_eq!(source(Msgpack::<Vec<u8>>::new(), b"\xdc\xff\xff"), DECLARED);
    assert_eq!(source(Postcard::<Vec<u8>>::new(), b"\xff\xff\x03"), DECLARED);
    assert_eq!(source(Bincode::<Vec<u8>>::new(), b"\xfb\xff\xff"), DECLARED);
    assert_eq!(source(Cbor::<bool>::new(), b"\xf4\0\0\0"), "3 bytes");
    assert_eq!(source(Msgpack::<bool>::new(), b"\xc2\0\0\0"), "3 bytes");
    assert_eq!(source(Postcard::<bool>::new(), b"\0\0\0\0"), "3 bytes");
    assert_eq!(source(Bincode::<bool>::new(), b"\0\0\0\0"), "3 bytes");
}

fn source(codec: impl DatagramProtocol<Incoming: Debug>, datagram: &[u8]) -> String {
    let error = codec.decode(datagram).unwrap_err();
    error.source().expect("the error has a source").to_string()
}

// P-7
#[test]
fn a_packet_that_fails_to_serialize_is_an_encode_error() {
    struct Never;

    impl Serialize for Never {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom("no"))
        }
    }

    fn fails(codec: impl DatagramProtocol<Outgoing = Never>) {
        let error = codec.encode(&Never, &mut Vec::new()).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(error.source().is_some());
    }

    fails(Json::<(), _>::new());
    fails(Cbor::<(), _>::new());
    fails(Msgpack::<(), _>::new());
    fails(Postcard::<(), _>::new());
    fails(Bincode::<(), _>::new());
}

// P-7
#[test]
fn a_sequence_of_unknown_length_is_an_encode_error_if_the_format_needs_a_length() {
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            ser::SerializeSeq::end(serializer.serialize_seq(None)?)
        }
    }

    assert!(Postcard::<(), _>::new().encode(&Endless, &mut Vec::new()).is_err());
    assert!(Bincode::<(), _>::new().encode(&Endless, &mut Vec::new()).is_err());
}

#[test]
fn codecs_can_cross_threads_for_all_packet_types() {
    fn is_plain<T: Send + Sync + Copy + Debug + Default>() {}

    is_plain::<Json<Rc<u8>>>();
    is_plain::<Cbor<Rc<u8>>>();
    is_plain::<Msgpack<Rc<u8>>>();
    is_plain::<Postcard<Rc<u8>>>();
    is_plain::<Bincode<Rc<u8>>>();
}
