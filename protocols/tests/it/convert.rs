//! Converters: their order with the codec, and their errors.

use std::{
    cell::Cell,
    convert::Infallible,
    error::Error,
    fmt,
    num::{ParseIntError, TryFromIntError},
    string::FromUtf8Error,
};

use bytes::Bytes;
use datagrammar_protocols::{
    BoxError, Converter, DatagramProtocol, ErrorKind, Text, TryConvert, converter_fn,
};

use crate::encode;

// P-1
#[test]
fn a_converter_stands_between_the_codec_and_the_user() {
    let protocol = Text.convert(Shouting);

    let packet = protocol.decode("¿qué?".as_bytes()).unwrap();
    let datagram = encode(&protocol, &Shout("¡NADA!".to_owned()));

    assert_eq!(packet, Shout("¿QUÉ?".to_owned()));
    assert_eq!(datagram, "¡NADA!".as_bytes());
}

// P-8
#[test]
fn when_the_codec_fails_then_the_converter_is_not_called() {
    let called = Cell::new(false);
    let protocol = Text.convert(converter_fn(
        |text: String| {
            called.set(true);
            Ok::<_, Infallible>(text)
        },
        |text: &String| Ok::<_, Infallible>(text.clone()),
    ));

    let error = protocol.decode(b"\xff").unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(!called.get());
}

// P-8, P-7, R-4
#[test]
fn a_refused_incoming_packet_has_the_converters_error_as_its_source() {
    let error = Text.convert(Shouting).decode(b"").unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Converter);
    assert!(error.source().unwrap().is::<Silence>());
}

// P-8, P-7
#[test]
fn a_refused_outgoing_packet_has_the_converters_error_as_its_source() {
    let mut datagram = b"before".to_vec();

    let error = Text.convert(Shouting).encode(&Shout(String::new()), &mut datagram).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Converter);
    assert!(error.source().unwrap().is::<Silence>());
    assert_eq!(datagram, b"before");
}

// H-13
#[test]
fn the_error_of_a_converter_is_not_displayed_but_kept() {
    let protocol = Text.convert(converter_fn(
        |text: String| Err::<String, _>(format!("no {text} here")),
        |text: &String| Ok::<_, Infallible>(text.clone()),
    ));

    let error = protocol.decode(b"SECRET").unwrap_err();

    assert!(!error.to_string().contains("SECRET"));
    assert_eq!(error.source().unwrap().to_string(), "no SECRET here");
}

#[test]
fn closures_may_fail_with_an_error_a_text_or_never() {
    let protocol = Text.convert(converter_fn(
        |text: String| text.parse::<u8>(),
        |number: &u8| match number {
            13 => Err("the number is 13"),
            number => Ok(number.to_string()),
        },
    ));

    let refused = protocol.decode(b"256").unwrap_err();
    let unlucky = protocol.encode(&13, &mut Vec::new()).unwrap_err();

    assert_eq!(protocol.decode(b"255").unwrap(), 255);
    assert!(refused.source().unwrap().is::<ParseIntError>());
    assert_eq!(unlucky.source().unwrap().to_string(), "the number is 13");
}

#[test]
fn functions_convert_as_well_as_closures() {
    fn incoming(text: String) -> Result<Bytes, Infallible> {
        Ok(text.into())
    }

    fn outgoing(bytes: &Bytes) -> Result<String, FromUtf8Error> {
        String::from_utf8(bytes.to_vec())
    }

    let protocol = Text.convert(converter_fn(incoming, outgoing));

    assert_eq!(encode(&protocol, &Bytes::from_static(b"text")), b"text");
    assert!(protocol.encode(&Bytes::from_static(b"\xff"), &mut Vec::new()).is_err());
}

#[test]
fn try_from_is_a_converter() {
    let protocol = Number::protocol();

    let packet: Even = protocol.decode(b"42").unwrap();
    let error = protocol.decode(b"43").unwrap_err();

    assert_eq!(encode(&protocol, &packet), b"42");
    assert_eq!(error.kind(), ErrorKind::Converter);
    assert_eq!(error.source().unwrap().to_string(), "the number is odd");
}

#[test]
fn from_is_a_converter_that_never_refuses() {
    let protocol = Text.convert(TryConvert::<_, Shout, Shout, _>::new());

    let packet = protocol.decode(b"hey").unwrap();

    assert_eq!(encode(&protocol, &packet), b"hey");
}

#[test]
fn the_types_of_a_converter_are_inferred_if_the_packet_types_are_named() {
    fn serve<Req, Res>(
        protocol: impl DatagramProtocol<Incoming = Req, Outgoing = Res>,
        handler: impl Fn(Req) -> Res,
        request: &[u8],
    ) -> Vec<u8> {
        encode(&protocol, &handler(protocol.decode(request).unwrap()))
    }

    let protocol = Text.convert(TryConvert::new());
    let response = serve(protocol, |shout: Shout| Shout(shout.0.to_uppercase()), b"hey");

    assert_eq!(response, b"HEY");
}

#[test]
fn a_converter_can_be_put_around_a_converter() {
    let protocol = Number::protocol().convert(converter_fn(
        |even: Even| u8::try_from(even.0),
        |half: &u8| Ok::<_, Infallible>(Even(u32::from(*half))),
    ));

    let inner = protocol.decode(b"43").unwrap_err();
    let outer = protocol.decode(b"256").unwrap_err();

    assert_eq!(inner.source().unwrap().to_string(), "the number is odd");
    assert!(outer.source().unwrap().is::<TryFromIntError>());
}

struct Shouting;

impl Converter for Shouting {
    type WireIncoming = String;
    type Incoming = Shout;
    type Outgoing = Shout;
    type WireOutgoing = String;

    fn convert_incoming(&self, packet: String) -> Result<Shout, BoxError> {
        if packet.is_empty() {
            return Err(Silence.into());
        }
        Ok(Shout(packet.to_uppercase()))
    }

    fn convert_outgoing(&self, packet: &Shout) -> Result<String, BoxError> {
        if packet.0.is_empty() {
            return Err(Silence.into());
        }
        Ok(packet.0.clone())
    }
}

#[derive(Debug, PartialEq)]
struct Shout(String);

impl From<String> for Shout {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&Shout> for String {
    fn from(shout: &Shout) -> Self {
        shout.0.clone()
    }
}

#[derive(Debug)]
struct Silence;

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a sound")
    }
}

impl Error for Silence {}

/// A number as text: the wire type of [`Even`].
struct Number(u32);

impl Number {
    fn protocol() -> impl DatagramProtocol<Incoming = Even, Outgoing = Even> {
        Text.convert(converter_fn(
            |text: String| text.parse().map(Self),
            |number: &Self| Ok::<_, Infallible>(number.0.to_string()),
        ))
        .convert(TryConvert::new())
    }
}

#[derive(Debug, PartialEq)]
struct Even(u32);

impl TryFrom<Number> for Even {
    type Error = &'static str;

    fn try_from(number: Number) -> Result<Self, Self::Error> {
        match number.0 % 2 {
            0 => Ok(Self(number.0)),
            _ => Err("the number is odd"),
        }
    }
}

impl From<&Even> for Number {
    fn from(even: &Even) -> Self {
        Self(even.0)
    }
}
