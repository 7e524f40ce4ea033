//! The format of messages, and which response belongs to which request.

use datagrammar::Correlated;

use super::*;

/// The request and the response of RFC 7252, figure 16.
const REQUEST: &[u8] = b"\x40\x01\x7d\x34\xbbtemperature";
const RESPONSE: &[u8] = b"\x60\x45\x7d\x34\xff22.3 C";

#[test]
fn coap_reads_and_writes_the_messages_of_the_rfc() {
    let mut request = Message::new(CON, GET, 0x7d34, &[]);
    request.options.push((URI_PATH, b"temperature".to_vec()));
    let mut response = Message::new(ACK, code(2, 5), 0x7d34, &[]);
    response.payload = b"22.3 C".to_vec();

    for (message, expected) in [(request, REQUEST), (response, RESPONSE)] {
        assert_eq!(bytes(&message), expected);
        assert_eq!(read(expected), message);
    }
}

#[test]
fn coap_writes_options_of_each_length() {
    let lengths = [0, 1, 12, 13, 268, 269, 270, 60_000];
    let numbers = [0, 12, 13, 26, 295, 600, 65_535];
    for len in lengths {
        let mut message = Message::new(NON, GET, 1, &[1, 2, 3, 4, 5, 6, 7, 8]);
        message.options = numbers.map(|number| (number, content(len))).to_vec();
        message.payload = vec![1];

        assert_eq!(read(&bytes(&message)), message, "{len}");
    }
}

#[test]
fn coap_refuses_what_is_malformed() {
    let malformed: &[&[u8]] = &[
        b"",
        b"\x40\x01\x00",
        b"\x00\x01\x00\x01",          // version 0
        b"\x80\x01\x00\x01",          // version 2
        b"\x41\x01\x00\x01",          // a token of 1 byte is missing
        b"\x49\x01\x00\x01123456789", // a token of 9 bytes
        b"\x40\x00\x00\x01\xff1",     // an empty message with a payload
        b"\x41\x00\x00\x01t",         // with a token
        b"\x40\x01\x00\x01\xff",      // a marker without a payload
        b"\x40\x01\x00\x01\xb2x",     // an option that is cut
        b"\x40\x01\x00\x01\xd0",      // a delta that is cut
        b"\x40\x01\x00\x01\xe0\xff",
        b"\x40\x01\x00\x01\xf0",             // a reserved delta
        b"\x40\x01\x00\x01\x0f",             // a reserved length
        b"\x40\x01\x00\x01\xe0\xff\xff",     // a delta beyond 65,535
        b"\x40\x01\x00\x01\xe0\xfe\xf2\x10", // 65,535 + 1
        b"\x40\x01\x00\x01\x0e\xff\xff",     // a length beyond 65,535
    ];
    for datagram in malformed {
        assert!(Coap.decode(datagram).is_err(), "{datagram:x?}");
    }
    assert!(Coap.decode(b"\x40\x01\x00\x01\xe0\xfe\xf2").is_ok()); // an option with the number 65,535
}

#[test]
fn coap_reads_any_bytes_without_a_panic_and_writes_the_same_again() {
    let mut state = 7_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut valid = 0;
    for _ in 0..200_000 {
        let mut datagram: Vec<u8> = (0..random() % 40).map(|_| random() as u8).collect();
        if let Some(first) = datagram.first_mut() {
            *first = 0x40 | *first & 0x33; // often a message
        }
        if let Some(id) = Coap.id(&datagram) {
            assert!(id <= Coap.max_id());
        }
        if let Ok(message) = Coap.decode(&datagram) {
            valid += 1;
            assert_eq!(bytes(&message.into()), datagram);
        }
    }
    assert!(valid > 10_000, "{valid}");
}

#[test]
fn coap_finds_the_message_ids_of_requests_and_of_what_answers_them() {
    let id = |kind, code, token: &[u8]| Coap.id(&bytes(&Message::new(kind, code, 0x1234, token)));

    assert_eq!(id(CON, GET, b"ab"), Some(0x1234));
    assert_eq!(id(NON, GET, b"ab"), Some(0x1234));
    assert_eq!(id(CON, 0, b""), Some(0x1234)); // a ping
    assert_eq!(id(ACK, code(2, 5), b"ab"), Some(0x1234));
    assert_eq!(id(RST, 0, b""), Some(0x1234));

    assert_eq!(id(ACK, 0, b""), None); // the response comes later
    // These have IDs of the server's own, so a reply cache must not take them for replies.
    assert_eq!(id(CON, code(2, 5), b"ab"), None);
    assert_eq!(id(NON, code(2, 5), b"ab"), None);

    let request = bytes(&Message::new(CON, GET, 0x1234, b"ab"));
    let mut sent = request.clone();
    Coap.set_id(0xabcd, &mut sent);
    assert_eq!((sent[..2] == request[..2], &sent[2..]), (true, &b"\xab\xcdab"[..]));
}
