//! Layers: nesting, pointers, and a custom layer.

use std::{borrow::Cow, error::Error, sync::Arc};

use datagrammar_protocols::{
    DatagramProtocol, DecodeError, EncodeError, ErrorKind, Layer, Prefix, Text,
};

use crate::encode;

// P-10
#[test]
fn layers_apply_from_the_inside_out_and_are_undone_in_reverse() {
    let protocol = Text.layer(Prefix::new(*b"1")).layer(Prefix::new(*b"2"));

    assert_eq!(encode(&protocol, &"text".to_owned()), b"21text");
    assert_eq!(protocol.decode(b"21text").unwrap(), "text");
    assert!(protocol.decode(b"12text").is_err());
}

// P-7
#[test]
fn a_datagram_that_a_layer_refuses_never_reaches_the_protocol_inside() {
    let protocol = Text.layer(Prefix::new(*b"ours"));

    for strange in [&b"our"[..], b"", b"yours", b"our\xff"] {
        let error = protocol.decode(strange).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Layer);
        assert_eq!(error.to_string(), "wrong prefix");
        assert!(error.source().is_none());
    }
    assert_eq!(protocol.decode(b"ours\xff").unwrap_err().kind(), ErrorKind::Codec);
}

// P-9
#[test]
fn a_pointer_to_a_layer_is_that_layer() {
    let layer = Prefix::new(*b">");
    let (boxed, shared): (Box<dyn Layer>, Arc<dyn Layer>) = (Box::new(layer), Arc::new(layer));

    let text = "text".to_owned();
    assert_eq!(encode(&Text.layer(&layer), &text), b">text");
    assert_eq!(encode(&Text.layer(&*boxed), &text), b">text");
    assert_eq!(encode(&Text.layer(boxed), &text), b">text");
    assert_eq!(Text.layer(shared).decode(b">text").unwrap(), "text");
}

// P-8
#[test]
fn a_layer_may_refuse_both_ways() {
    struct Never;

    impl Layer for Never {
        fn apply(&self, _: &mut Vec<u8>, _: usize) -> Result<(), EncodeError> {
            Err(EncodeError::layer("refused"))
        }

        fn undo<'d>(&self, _: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
            Err(DecodeError::layer("refused"))
        }
    }

    let protocol = Text.layer(Never);

    assert_eq!(protocol.decode(b"text").unwrap_err().kind(), ErrorKind::Layer);
    let refused = protocol.encode(&"text".to_owned(), &mut Vec::new());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Layer);
}
