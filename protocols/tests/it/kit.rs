//! Every protocol of ours keeps what all protocols promise (P-1 to P-7): one line each.

use bytes::Bytes;
use datagrammar_protocols::{
    DatagramProtocol, Prefix, Raw, Split, Text, converter_fn, testing::Conformance,
};

#[test]
fn raw() {
    Conformance::new(Raw).allow_trailing(EVERY_OCTET).run(octets());
}

#[test]
fn text() {
    Conformance::new(Text).allow_trailing(EVERY_OCTET).run(texts());
}

#[test]
fn prefix() {
    let prefix = Prefix::new(*b"QZ\x02");

    Conformance::layer(prefix).allow_trailing(EVERY_OCTET).run(octets());
}

#[test]
fn layers_around_layers() {
    let layered = Raw.layer(Prefix::new(*b"in")).layer(Prefix::new([])).layer(Prefix::new([0]));

    Conformance::new(layered).allow_trailing(EVERY_OCTET).run(octets());
}

#[test]
fn converter() {
    let numbers = Text.convert(converter_fn(
        |text: String| text.parse::<u32>(),
        |number: &u32| Ok::<_, std::convert::Infallible>(number.to_string()),
    ));

    Conformance::new(numbers).allow_trailing(b'0'..=b'9').run([0, 12, u32::MAX]);
}

#[test]
fn split() {
    let (client, server) = (Split::new(Raw, Text), Split::new(Text, Raw));

    let requests = Conformance::between(&client, &server, PartialEq::eq);
    requests.allow_trailing(EVERY_OCTET).run(texts());
    let responses = Conformance::between(&server, &client, PartialEq::eq);
    responses.allow_trailing(EVERY_OCTET).run(octets());
}

#[test]
fn pointers() {
    let boxed: Box<dyn DatagramProtocol<Incoming = String, Outgoing = String>> = Box::new(&Text);

    Conformance::new(boxed).allow_trailing(EVERY_OCTET).run(texts());
}

/// What a layer gets from the protocol inside: nothing, little, text, and all octets often.
fn octets() -> [Bytes; 4] {
    [
        "".into(),
        "\0".into(),
        "hello, world.".into(),
        (0..=255).collect::<Vec<_>>().repeat(16).into(),
    ]
}

fn texts() -> [String; 4] {
    ["", "hello", " é€😀\r\n", "\0\u{feff}"].map(str::to_owned)
}

const EVERY_OCTET: std::ops::RangeInclusive<u8> = 0..=255;
