//! Protocols behind pointers, and `Split`.

use std::sync::Arc;

use datagrammar_protocols::{DatagramProtocol, DecodeError, EncodeError, Split, Text};

use crate::encode;

// P-9
#[test]
fn a_pointer_to_a_protocol_is_that_protocol() {
    type Dyn = dyn DatagramProtocol<Incoming = String, Outgoing = String>;
    let boxed: Box<Dyn> = Box::new(Text);
    let shared: Arc<Dyn> = Arc::new(Text);
    let borrowed: &Dyn = &Text;

    fn behaves_like_text(
        protocol: &impl DatagramProtocol<Incoming = String, Outgoing = String>,
    ) -> bool {
        encode(protocol, &"é".to_owned()) == "é".as_bytes()
            && protocol.decode("é".as_bytes()).unwrap() == "é"
            && protocol.decode(b"\xff").is_err()
    }

    assert!(behaves_like_text(&boxed));
    assert!(behaves_like_text(&shared));
    assert!(behaves_like_text(&borrowed));
    assert!(behaves_like_text(&Box::new(Text)));
    assert!(behaves_like_text(&Arc::new(&Text)));
}

// P-9
#[test]
fn split_decodes_with_one_protocol_and_encodes_with_the_other() {
    let protocol = Split::new(Half::Decodes, Half::Encodes);

    assert_eq!(protocol.decode(b"").unwrap(), "decoded");
    assert_eq!(encode(&protocol, &"encoded"), b"encoded");
}

/// A protocol with one direction that must not be used.
enum Half {
    Decodes,
    Encodes,
}

impl DatagramProtocol for Half {
    type Incoming = &'static str;
    type Outgoing = &'static str;

    fn decode(&self, _: &[u8]) -> Result<&'static str, DecodeError> {
        match self {
            Self::Decodes => Ok("decoded"),
            Self::Encodes => panic!("this half must not decode"),
        }
    }

    fn encode(&self, packet: &&'static str, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Decodes => panic!("this half must not encode"),
            Self::Encodes => datagram.extend_from_slice(packet.as_bytes()),
        }
        Ok(())
    }
}
