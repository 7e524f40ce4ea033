//! The example of a protocol of one's own, and its packets.

#[path = "../../custom_protocol/ntp.rs"]
mod ntp;

use std::net::UdpSocket;

use datagrammar::DatagramProtocol;
use ntp::{Request, Requests, Response, Responses, Timestamp};

use crate::program::{DEADLINE, Program, recv};

#[test]
fn custom_protocol_tells_the_time_to_itself() {
    let (code, lines) = Program::start("custom_protocol", [] as [&str; 0]).end();

    assert_eq!(code, Some(0), "{lines:?}");
    assert!(lines[0].starts_with("listening on 127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[1], "stratum 1, LOCL");
    assert!(lines[2].starts_with("our clock is off by "), "{lines:?}");
}

#[test]
fn custom_protocol_answers_a_request_of_another_program() {
    let server = Program::start("custom_protocol", ["serve", "127.0.0.1:0"]);
    let peer = server.peer();

    peer.send(b"no NTP").unwrap(); // and no answer
    peer.send(&REQUEST).unwrap();

    let datagram = recv(&peer);
    assert_eq!(datagram[..16], *b"\x24\x01\x06\xec\0\0\0\0\0\0\0\0LOCL");
    assert_eq!(datagram[24..32], REQUEST[40..]);
    let response = Responses.decode(&datagram).unwrap();
    for at in [response.reference, response.receive, response.transmit] {
        assert!(Timestamp::now().since(at).abs() < 10.0, "{response:?}");
    }
}

#[test]
fn custom_protocol_reckons_how_far_its_clock_is_off() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(DEADLINE)).unwrap();
    let addr = server.local_addr().unwrap().to_string();
    let client = Program::start("custom_protocol", ["ask", &addr]);

    let mut datagram = [0; 64];
    let (len, peer) = server.recv_from(&mut datagram).unwrap();
    assert_eq!(datagram[..40], [[0x23].as_slice(), &[0; 39]].concat());
    let request = Requests.decode(&datagram[..len]).unwrap();
    let ahead = Timestamp(request.transmit.0.wrapping_add(3600 << 32));
    let response =
        Response { origin: request.transmit, receive: ahead, transmit: ahead, ..known() };
    let mut datagram = Vec::new();
    Responses.encode(&response, &mut datagram).unwrap();
    server.send_to(&datagram, peer).unwrap();

    let (code, lines) = client.end();
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines[0], "stratum 2, \\xc0\\x00\\x02\\x07");
    let offset = lines[1].strip_prefix("our clock is off by ").unwrap();
    let offset: f64 = offset.split_once(' ').unwrap().0.parse().unwrap();
    assert!((3590.0..=3600.0).contains(&offset), "{offset}");
}

#[test]
fn ntp_packets_are_these_bytes() {
    let request = Request { version: 4, poll: 6, transmit: Timestamp(0xec3a_9b00_8000_0000) };

    let mut datagrams = [Vec::new(), Vec::new()];
    Requests.encode(&request, &mut datagrams[0]).unwrap();
    Responses.encode(&known(), &mut datagrams[1]).unwrap();

    assert_eq!(datagrams[0], REQUEST);
    assert_eq!(datagrams[1], RESPONSE);
    assert_eq!(Requests.decode(&REQUEST).unwrap(), request);
    assert_eq!(Responses.decode(&RESPONSE).unwrap(), known());
}

#[test]
fn what_is_no_ntp_packet_is_refused() {
    let changed = |datagram: [u8; 48], at: usize, byte| {
        let mut datagram = datagram;
        datagram[at] = byte;
        datagram
    };

    for datagram in [&REQUEST[..47], &[REQUEST.as_slice(), &[0]].concat(), b""] {
        let error = Requests.decode(datagram).unwrap_err();
        assert_eq!(error.to_string(), "length is not 48 bytes");
    }
    for first in [0x03, 0x2b, 0x24] {
        assert!(Requests.decode(&changed(REQUEST, 0, first)).is_err(), "version, version, mode");
    }
    for (at, byte) in [(0, 0x23), (0, 0xe4), (1, 0), (1, 16)] {
        assert!(Responses.decode(&changed(RESPONSE, at, byte)).is_err(), "mode, leap, stratum");
    }
}

#[test]
fn the_seconds_between_two_timestamps_span_the_turn_of_2036() {
    let (before, after) = (Timestamp(0xffff_ffff_8000_0000), Timestamp(0x0000_0001_0000_0000));

    assert_eq!(after.since(before), 1.5);
    assert_eq!(before.since(after), -1.5);
}

/// The packet that `RESPONSE` stands for.
fn known() -> Response {
    Response {
        version: 4,
        stratum: 2,
        poll: 6,
        precision: -20,
        root_delay: 0x0000_0123,
        root_dispersion: 0x0000_4567,
        reference_id: [192, 0, 2, 7],
        reference: Timestamp(0xec3a_9a00_0102_0304),
        origin: Timestamp(0xec3a_9b00_8000_0000),
        receive: Timestamp(0xec3a_9b00_9000_0000),
        transmit: Timestamp(0xec3a_9b00_a000_0000),
    }
}

const REQUEST: [u8; 48] = *b"\x23\x00\x06\x00\
    \0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \xec\x3a\x9b\x00\x80\x00\x00\x00";

const RESPONSE: [u8; 48] = *b"\x24\x02\x06\xec\
    \x00\x00\x01\x23\x00\x00\x45\x67\xc0\x00\x02\x07\
    \xec\x3a\x9a\x00\x01\x02\x03\x04\xec\x3a\x9b\x00\x80\x00\x00\x00\xec\x3a\x9b\x00\x90\x00\x00\x00\
    \xec\x3a\x9b\x00\xa0\x00\x00\x00";
