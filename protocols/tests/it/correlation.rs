//! Tagged packets and lock-step protocols.

use datagrammar_protocols::{
    Correlated, DatagramProtocol, ErrorKind, LockStep, Prefix, Tagged, TaggedServer, Text,
};

fn encode<P: DatagramProtocol>(protocol: &P, packet: &P::Outgoing) -> Vec<u8> {
    let mut datagram = b"before".to_vec();
    protocol.encode(packet, &mut datagram).unwrap();
    assert!(datagram.starts_with(b"before"));
    datagram.split_off(6)
}

//
#[test]
fn a_tagged_response_has_the_id_of_its_request() {
    let (client, server) = (Tagged::new(Text), TaggedServer::new(Text));
    for id in [0, 1, 0x0102_0304, u32::MAX.into()] {
        let mut datagram = encode(&client, &"time?".to_owned());
        client.set_id(id, &mut datagram);
        assert_eq!((client.id(&datagram), server.id(&datagram)), (None, Some(id)));

        let request = server.decode(&datagram).unwrap();
        assert_eq!((&**request, request.wants_response()), ("time?", true));
        let datagram = encode(&server, &request.respond("noon".to_owned()));

        assert_eq!((client.id(&datagram), client.is_refusal(&datagram)), (Some(id), false));
        assert_eq!(server.id(&datagram), Some(id));
        assert_eq!(client.decode(&datagram).unwrap(), "noon");
        assert!(server.decode(&datagram).is_err());
    }
}

//
#[test]
fn a_refusal_has_an_id_and_no_packet() {
    let (client, server) = (Tagged::new(Text), TaggedServer::new(Text));
    let mut datagram = encode(&client, &"shutdown".to_owned());
    client.set_id(7, &mut datagram);

    let mut refusal = encode(&server, &server.decode(&datagram).unwrap().refuse());

    assert_eq!(refusal, b"\x03\0\0\0\x07");
    assert!(client.id(&refusal) == Some(7) && client.is_refusal(&refusal));
    assert_eq!(client.decode(&refusal).unwrap_err().to_string(), "the server refuses the request");
    refusal.push(0);
    assert!(client.id(&refusal).is_none() && !client.is_refusal(&refusal));
}

//
#[test]
fn a_one_way_packet_says_that_it_needs_no_response() {
    let (client, server) = (Tagged::new(Text), TaggedServer::new(Text));
    let mut datagram = encode(&client, &"bye".to_owned());

    client.set_one_way(&mut datagram);

    assert_eq!(datagram, b"\x02\0\0\0\0bye");
    let (tag, packet) = server.decode(&datagram).unwrap().split();
    assert_eq!((tag.wants_response(), packet.as_str()), (false, "bye"));
    assert!(client.id(&datagram).is_none() && server.id(&datagram) == Some(0));
}

// P-3, R-5
#[test]
fn short_and_foreign_datagrams_are_refused() {
    let (client, server) = (Tagged::new(Text), TaggedServer::new(Text));
    for len in 0..5 {
        let datagram = &[1, 0, 0, 0][..len.min(4)];
        assert!(client.id(datagram).is_none() && server.id(datagram).is_none());
        assert_eq!(client.decode(datagram).unwrap_err().kind(), ErrorKind::Layer);
        assert_eq!(server.decode(datagram).unwrap_err().kind(), ErrorKind::Layer);
    }
    for kind in 4..=u8::MAX {
        let datagram = [kind, 0, 0, 0, 0];
        assert!(client.id(&datagram).is_none() && server.id(&datagram).is_none());
        assert!(client.decode(&datagram).is_err() && server.decode(&datagram).is_err());
    }
    // The inner protocol decides about the rest.
    assert_eq!(client.decode(b"\x01\0\0\0\0\xff").unwrap_err().kind(), ErrorKind::Codec);
}

#[test]
fn an_id_is_not_written_into_a_request_that_is_too_short() {
    let mut short = vec![9, 9];

    Tagged::new(Text).set_id(1, &mut short);
    Tagged::new(Text).set_one_way(&mut []);

    assert_eq!(short, [9, 9]);
}

//
#[test]
fn lock_step_leaves_the_format_as_it_is() {
    let protocol = LockStep::new(Text.layer(Prefix::new(*b"T")));
    let mut datagram = encode(&protocol, &"time?".to_owned());
    protocol.set_id(0, &mut datagram);
    protocol.set_one_way(&mut datagram);

    assert_eq!(datagram, b"Ttime?");
    assert_eq!(
        (protocol.max_id(), protocol.id(b""), protocol.is_refusal(b"")),
        (0, Some(0), false)
    );
    assert_eq!(protocol.decode(b"Tnoon").unwrap(), "noon");
}

//
#[test]
fn pointers_to_a_protocol_pass_ids_on() {
    let boxed: Box<dyn Correlated<Incoming = String, Outgoing = String>> =
        Box::new(Tagged::new(Text));
    let mut datagram = encode(&boxed, &"time?".to_owned());

    boxed.set_id(5, &mut datagram);
    boxed.set_one_way(&mut datagram);

    assert_eq!(datagram, b"\x02\0\0\0\x05time?");
    assert_eq!(boxed.max_id(), u64::from(u32::MAX));
    assert_eq!(boxed.id(b"\x03\0\0\0\x05"), Some(5));
    assert!(boxed.is_refusal(b"\x03\0\0\0\x05"));
}
