//! Codecs of tokio-util as protocols.

use std::{error::Error, io};

use crate::support::{BindNow, client_on};

use datagrammar::{
    DatagramProtocol, ErrorKind, Server, StreamCodec,
    testing::{Conformance, Network},
};
use tokio_util::{
    bytes::{Buf, Bytes, BytesMut},
    codec::{BytesCodec, Decoder, Encoder, LengthDelimitedCodec, LinesCodec, LinesCodecError},
};

fn encode<P: DatagramProtocol>(protocol: &P, packet: &P::Outgoing) -> Vec<u8> {
    let mut datagram = b"before|".to_vec();
    protocol.encode(packet, &mut datagram).expect("the packet can be encoded");
    datagram.strip_prefix(b"before|").expect("encode appends").to_vec()
}

// P-27, P-1
#[test]
fn one_line_is_one_packet() {
    let lines: StreamCodec<_, String> = StreamCodec::new(LinesCodec::new);

    assert_eq!(encode(&lines, &"hello".to_owned()), b"hello\n");
    assert_eq!(lines.decode(b"hello\n").unwrap(), "hello");
    assert_eq!(lines.decode(b"\n").unwrap(), "");
}

// P-27
#[test]
fn a_codec_that_needs_more_is_an_error() {
    let lines: StreamCodec<_, String> = StreamCodec::new(LinesCodec::new);
    let lengths: StreamCodec<_, Bytes> = StreamCodec::new(LengthDelimitedCodec::new);

    for cut in [&b""[..], b"hello", b"\r"] {
        let error = lines.decode(cut).unwrap_err();

        assert_eq!(error.to_string(), "unexpected end of datagram");
        assert_eq!(error.kind(), ErrorKind::Codec);
    }
    for cut in [&b""[..], b"\0\0\0", b"\0\0\0\x05hell"] {
        assert!(lengths.decode(cut).is_err());
    }
}

// P-27
#[test]
fn two_packets_or_bytes_left_over_are_an_error() {
    let lines: StreamCodec<_, String> = StreamCodec::new(LinesCodec::new);
    let lengths: StreamCodec<_, Bytes> = StreamCodec::new(LengthDelimitedCodec::new);

    for datagram in [&b"hello\nworld\n"[..], b"hello\n\n", b"hello\nwor", b"hello\n\r"] {
        let error = lines.decode(datagram).unwrap_err();

        assert_eq!(error.to_string(), "trailing bytes after the packet");
    }
    assert_eq!(lengths.decode(b"\0\0\0\x02hi").unwrap(), "hi");
    assert!(lengths.decode(b"\0\0\0\x02hi\0\0\0\x02hi").is_err());
    assert!(lengths.decode(b"\0\0\0\x02hi\0").is_err());
}

// P-27: with an empty datagram, a codec cannot distinguish "no packet" from an empty packet.
#[test]
fn the_empty_packet_of_bytes_is_written_but_not_read() {
    let bytes: StreamCodec<_, Bytes> = StreamCodec::new(BytesCodec::new);

    assert_eq!(encode(&bytes, &Bytes::new()), b"");
    assert_eq!(bytes.decode(b"").unwrap_err().to_string(), "unexpected end of datagram");
}

// P-1 to P-7
#[test]
fn stream_codecs_keep_the_guarantees_of_all_protocols() {
    let lines: StreamCodec<_, String> = StreamCodec::new(LinesCodec::new);
    let lengths: StreamCodec<_, Bytes> = StreamCodec::new(LengthDelimitedCodec::new);
    let bytes: StreamCodec<_, BytesMut> = StreamCodec::new(BytesCodec::new);

    Conformance::new(lines).refuse_cuts().run(["".to_owned(), "né".to_owned()]);
    Conformance::between(&lengths, &lengths, PartialEq::eq)
        .refuse_cuts()
        .run(["".into(), "hello".into()]);
    Conformance::new(bytes).allow_trailing(0..=255).run([b"hello".as_slice().into()]);
}

// P-7
#[test]
fn an_error_of_the_codec_is_the_source() {
    let lines: StreamCodec<_, &str> = StreamCodec::new(|| LinesCodec::new_with_max_length(3));
    let lengths: StreamCodec<_, Bytes> =
        StreamCodec::new(|| LengthDelimitedCodec::builder().max_frame_length(3).new_codec());

    let too_long = lines.decode(b"hello\n").unwrap_err();
    let not_utf8 = lines.decode(b"\xff\n").unwrap_err();
    let unwritten = lengths.encode(&Bytes::from_static(b"hello"), &mut Vec::new()).unwrap_err();

    assert_eq!(too_long.to_string(), "invalid packet of the stream codec");
    assert!(too_long.source().unwrap().is::<LinesCodecError>());
    assert!(not_utf8.source().unwrap().is::<LinesCodecError>());
    assert_eq!(unwritten.kind(), ErrorKind::Codec);
    assert!(unwritten.source().unwrap().is::<io::Error>());
}

// P-27, P-6
#[test]
fn leftovers_of_one_datagram_never_reach_the_next() {
    let lines: StreamCodec<_, String> = StreamCodec::new(|| LinesCodec::new_with_max_length(8));

    for left_behind in [&b"half"[..], b"longer than the limit", b"\xff\n", b"one\ntwo"] {
        assert!(lines.decode(left_behind).is_err());
        assert_eq!(lines.decode(b"whole\n").unwrap(), "whole");
    }
}

#[test]
fn bytes_pass_unchanged_except_the_empty_datagram() {
    let bytes: StreamCodec<_, Bytes> = StreamCodec::new(BytesCodec::new);

    assert_eq!(encode(&bytes, &Bytes::from_static(b"\0\xff")), b"\0\xff");
    assert_eq!(bytes.decode(b"\0\xff").unwrap(), b"\0\xff"[..]);
    assert!(bytes.decode(b"").is_err());
}

// P-27: bytes that the codec has taken out of the buffer but not returned count as trailing bytes too.
#[test]
fn a_codec_that_hides_bytes_is_caught() {
    let hiding: StreamCodec<_, u8> = StreamCodec::new(Hiding::default);

    assert_eq!(hiding.decode(&[7]).unwrap(), 7);
    assert!(hiding.decode(&[7, 8]).is_err());
    assert_eq!(hiding.decode(&[9]).unwrap(), 9);
}

// P-27
#[test]
fn a_codec_that_never_ends_is_an_error() {
    let endless: StreamCodec<_, u8> = StreamCodec::new(|| Endless);

    for datagram in [&b""[..], b"1", b"12"] {
        assert!(endless.decode(datagram).is_err());
    }
}

#[tokio::test]
async fn a_server_may_speak_a_stream_codec() {
    let network = Network::new(27, Default::default());
    let server = Server::builder(StreamCodec::new(LinesCodec::new), async |line: String| {
        line.to_uppercase()
    })
    .bind_now(network.bind("10.0.0.1:9000").unwrap())
    .unwrap();
    let serving = tokio::spawn(async move { server.serve().await });

    let lines: StreamCodec<_, &str> = StreamCodec::new(LinesCodec::new);
    let socket = network.connect("10.0.0.2:0", "10.0.0.1:9000").unwrap();
    let client = client_on(socket, lines).unwrap();
    client.send(&"hello").await.unwrap();

    assert_eq!(client.recv().await.unwrap(), "HELLO");
    serving.abort();
}

/// Takes all bytes at once, and returns them one by one.
#[derive(Default)]
struct Hiding(Vec<u8>);

impl Decoder for Hiding {
    type Item = u8;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<u8>> {
        self.0.extend(bytes.split().iter().rev());
        Ok(self.0.pop())
    }
}

impl Encoder<u8> for Hiding {
    type Error = io::Error;

    fn encode(&mut self, byte: u8, bytes: &mut BytesMut) -> io::Result<()> {
        bytes.extend([byte]);
        Ok(())
    }
}

/// Always returns one more packet, even without bytes.
struct Endless;

impl Decoder for Endless {
    type Item = u8;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<u8>> {
        bytes.advance(bytes.len().min(1));
        Ok(Some(0))
    }
}

impl Encoder<u8> for Endless {
    type Error = io::Error;

    fn encode(&mut self, _: u8, _: &mut BytesMut) -> io::Result<()> {
        Ok(())
    }
}
