#![no_main]
use arbitrary::Arbitrary;
use datagrammar_protocols::{
    DatagramProtocol, Either, Fixed, Prefix, Text, TryConvert, first_byte,
};

type Packets = Either<(u8, u32), Either<String, String>>;

/// The same as [`Packets`], but it can be drawn from an input, which `Either` cannot.
#[derive(Arbitrary, Clone, PartialEq)]
enum Packet {
    Media(u8, u32),
    Named(String),
    Text(String),
}

impl From<Packets> for Packet {
    fn from(packet: Packets) -> Self {
        match packet {
            Either::Left((kind, number)) => Self::Media(kind, number),
            Either::Right(Either::Left(name)) => Self::Named(name),
            Either::Right(Either::Right(text)) => Self::Text(text),
        }
    }
}

impl From<&Packet> for Packets {
    fn from(packet: &Packet) -> Self {
        match packet.clone() {
            Packet::Media(kind, number) => Self::Left((kind, number)),
            Packet::Named(name) => Self::Right(Either::Left(name)),
            Packet::Text(text) => Self::Right(Either::Right(text)),
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let protocol = Fixed::new()
        .when(first_byte(128..=191))
        .or(Text.layer(Prefix::new(*b"N")).or(Text))
        .convert(TryConvert::<Packets, Packet, Packet, Packets>::new());
    datagrammar_fuzz::protocol(protocol, input);
});
