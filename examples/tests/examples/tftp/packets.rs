//! Packets as bytes.

use datagrammar::DatagramProtocol;

use super::*;

#[test]
fn packets_are_those_of_the_rfcs() {
    let data = Packet::Data { block: 1, bytes: b"abc".to_vec() };
    let error = error(ErrorCode::NOT_FOUND, "File not found");
    let options = [("blksize", "1432"), ("tsize", "0")];
    let accepted = Packet::OptionAck(request("", &options).options);
    let vectors: [(&[u8], Packet); 7] = [
        (b"\0\x01file\0octet\0", Packet::Read(request("file", &[]))),
        (b"\0\x02file\0octet\0", Packet::Write(request("file", &[]))),
        (b"\0\x01f\0octet\0blksize\x001432\0tsize\x000\0", Packet::Read(request("f", &options))),
        (b"\0\x03\0\x01abc", data),
        (b"\0\x04\xff\xff", Packet::Ack(65_535)),
        (b"\0\x05\0\x01File not found\0", error),
        (b"\0\x06blksize\x001432\0tsize\x000\0", accepted),
    ];

    for (datagram, packet) in vectors {
        assert_eq!(Tftp.decode(datagram).unwrap(), packet);
        let mut encoded = Vec::new();
        Tftp.encode(&packet, &mut encoded).unwrap();
        assert_eq!(encoded, datagram);
    }
}

#[test]
fn modes_and_names_of_options_may_have_capitals() {
    let packet = Tftp.decode(b"\0\x01F\0OCTET\0BlkSize\x008\0").unwrap();

    assert_eq!(packet, Packet::Read(request("F", &[("blksize", "8")])));
}

#[test]
fn what_is_no_packet_is_refused() {
    for (datagram, reason) in [
        (&b""[..], "too short"),
        (b"\0", "too short"),
        (b"\0\x07", "unknown opcode"),
        (b"\0\x01file\0octet", "a string or its NUL is missing"),
        (b"\0\x01", "a request without file and mode"),
        (b"\0\x01file\0", "a string or its NUL is missing"),
        (b"\0\x01\xff\0octet\0", "not UTF-8"),
        (b"\0\x01file\0octet\0blksize\0", "a string or its NUL is missing"),
        (b"\0\x04\0", "too short"),
        (b"\0\x04\0\x01x", "bytes after an ACK"),
    ] {
        assert_eq!(Tftp.decode(datagram).unwrap_err().to_string(), reason, "{datagram:?}");
    }
    let packet = error(ErrorCode::UNDEFINED, "a\0b");
    assert!(Tftp.encode(&packet, &mut Vec::new()).is_err());
}
