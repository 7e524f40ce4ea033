//! The codec `Raw`.

use bytes::Bytes;
use datagrammar_protocols::{DatagramProtocol, Raw};

use crate::encode;

// P-15
#[test]
fn every_datagram_passes_unchanged() {
    for bytes in [&b""[..], b"\x00", b"hello\r\n", &[0xff; 65_507]] {
        let packet = Raw.decode(bytes).unwrap();

        assert_eq!(packet, bytes);
        assert_eq!(encode(&Raw, &packet), bytes);
    }
}

// P-15
#[test]
fn an_empty_packet_is_the_empty_datagram() {
    assert_eq!(encode(&Raw, &Bytes::new()), b"");
}

#[test]
fn a_packet_does_not_borrow_the_datagram() {
    let mut datagram = vec![1, 2, 3];

    let packet = Raw.decode(&datagram).unwrap();
    datagram.fill(0);

    assert_eq!(packet, [1, 2, 3][..]);
}
