//! What codecs of serde types say when they refuse, and what they are whatever their types are.

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

    says(Json::<char>::new(), b"\"SECRET\"", "JSON of the shape of the packet was expected");
    says(Cbor::<char>::new(), b"\x66SECRET", "CBOR of the packet was expected");
    says(Msgpack::<char>::new(), b"\xa6SECRET", "MessagePack of the packet was expected");
    says(Postcard::<char>::new(), b"\xf0SECRET", "postcard of the packet was expected");
    says(Bincode::<char>::new(), b"\xf0SECRET", "bincode of the packet was expected");
}

// P-7
#[test]
fn what_fails_to_be_written_is_an_encode_error() {
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
fn a_sequence_of_unknown_length_is_an_encode_error_where_a_length_is_in_front() {
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
fn codecs_can_cross_threads_whatever_their_packets_are() {
    fn is_plain<T: Send + Sync + Copy + Debug + Default>() {}

    is_plain::<Json<Rc<u8>>>();
    is_plain::<Cbor<Rc<u8>>>();
    is_plain::<Msgpack<Rc<u8>>>();
    is_plain::<Postcard<Rc<u8>>>();
    is_plain::<Bincode<Rc<u8>>>();
}
