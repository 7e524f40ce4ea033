//! Every protocol of this crate keeps the rules P-1 to P-7 of all protocols: one test each.

use bytes::Bytes;
use datagrammar_protocols::{
    DatagramProtocol, Either, LockStep, Prefix, Raw, Shape, Split, Tagged, TaggedRequest,
    TaggedResponse, TaggedServer, Text, TextLine, converter_fn, testing::Conformance,
};

#[test]
fn raw() {
    Conformance::new(Raw).allow_trailing(EVERY_BYTE).run(bytes());
}

#[test]
fn text() {
    Conformance::new(Text).allow_trailing(EVERY_BYTE).run(texts());
}

#[test]
fn text_line() {
    let lines = || ["", "hello", " a\tb ", "\0"].map(str::to_owned);

    for codec in [TextLine::new(), TextLine::new().cr(), TextLine::new().crlf().keep_terminator()] {
        Conformance::new(codec).allow_trailing(EVERY_BYTE).run(lines());
        Conformance::new(codec.utf8()).allow_trailing(EVERY_BYTE).run(lines());
    }
}

#[cfg(feature = "fixed")]
#[test]
fn fixed() {
    use datagrammar_protocols::{Fixed, FixedText};

    type Layout = (i32, u16, [u64; 2], bool, FixedText<10>, f64, ((), u8));
    let packets = || -> [Layout; 3] {
        [
            (-1, 2, [3, u64::MAX], true, "abc".into(), 1.5, ((), 0)),
            (i32::MIN, 0, [0; 2], false, "".into(), f64::NAN, ((), 255)),
            (0, 0, [0; 2], false, "né\0 234ß".into(), -0.0, ((), 255)),
        ]
    };

    for fixed in [Fixed::<Layout>::new(), Fixed::new().little_endian()] {
        Conformance::new(fixed).refuse_cuts().run(packets());
    }
}

#[cfg(feature = "bincode-derive")]
#[test]
fn bincode_derive() {
    use bincode::{Decode, Encode};
    use datagrammar_protocols::BincodeDerive;

    #[derive(Debug, Decode, Encode, PartialEq)]
    enum Tree {
        Leaf(u16, f64, String),
        Branch { left: Box<Self>, right: Option<Box<Self>> },
        Branches(std::collections::BTreeMap<String, Self>),
        Bytes(Vec<u8>, [u8; 2], ()),
    }
    let leaf = || Tree::Leaf(300, f64::NAN, "né".to_owned());
    let packets = || {
        let (left, right) =
            (Box::new(leaf()), Some(Box::new(Tree::Bytes(vec![0, 255], [1, 2], ()))));
        [leaf(), Tree::Branches([("a".to_owned(), leaf())].into()), Tree::Branch { left, right }]
    };

    for bincode in [BincodeDerive::<Tree>::new(), BincodeDerive::new().fixed()] {
        Conformance::new(bincode).refuse_cuts().run(packets());
    }
}

#[cfg(feature = "protobuf")]
#[test]
fn protobuf() {
    use datagrammar_protocols::Protobuf;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Tree {
        #[prost(int32, optional, tag = "1")]
        number: Option<i32>,
        #[prost(string, tag = "2")]
        name: String,
        #[prost(double, repeated, tag = "3")]
        values: Vec<f64>,
        #[prost(message, repeated, tag = "4")]
        leaves: Vec<Self>,
    }
    let leaf = Tree { number: Some(150), name: "né".to_owned(), ..Tree::default() };
    let values = vec![0.5, f64::NAN];
    let tree = Tree { values, leaves: vec![leaf.clone(), Tree::default()], ..Tree::default() };

    Conformance::new(Protobuf::new()).allow_trailing(EVERY_BYTE).run([Tree::default(), leaf, tree]);
}

#[test]
fn choice() {
    let either = Raw.layer(Prefix::new([1])).or(Text.when(|bytes: &[u8]| bytes.is_ascii()));

    let packets = [Either::Left(b"\x01\xff".as_slice().into()), Either::Right("text".to_owned())];
    Conformance::new(either).allow_trailing(EVERY_BYTE).run(packets);
}

#[cfg(feature = "base64")]
#[test]
fn base64() {
    use datagrammar_protocols::Base64;

    for layer in [Base64::new(), Base64::new().standard()] {
        Conformance::layer(layer).run(bytes());
    }
}

#[cfg(feature = "sha256")]
#[test]
fn sha256() {
    use datagrammar_protocols::Sha256Digest;

    Conformance::layer(Sha256Digest).refuse_cuts().refuse_altered().run(bytes());
}

#[cfg(feature = "crc32c")]
#[test]
fn crc32c() {
    use datagrammar_protocols::Crc32c;

    Conformance::layer(Crc32c).refuse_cuts().refuse_altered().run(bytes());
}

#[cfg(feature = "zlib")]
#[test]
fn zlib() {
    use datagrammar_protocols::Zlib;

    for level in [0, 1, 9] {
        Conformance::layer(Zlib::with_limit(4_096).level(level)).refuse_cuts().run(bytes());
    }
}

#[cfg(feature = "bzip2")]
#[test]
fn bzip2() {
    use datagrammar_protocols::Bzip2;

    // Only the shorter payloads, because bzip2 is slow without optimization.
    let bytes = bytes().into_iter().take(3);
    Conformance::layer(Bzip2::with_limit(4_096)).refuse_cuts().run(bytes);
}

#[cfg(feature = "zstd")]
#[test]
fn zstd() {
    use datagrammar_protocols::Zstd;

    Conformance::layer(Zstd::with_limit(4_096)).refuse_cuts().run(bytes());
    let dictionary = Zstd::with_limit(4_096).dictionary(b"hello, hello, world, world.");
    Conformance::layer(dictionary).refuse_cuts().run(bytes());
}

#[cfg(feature = "lz4")]
#[test]
fn lz4() {
    use datagrammar_protocols::Lz4;

    Conformance::layer(Lz4::with_limit(4_096)).run(bytes());
}

#[cfg(feature = "signed")]
#[test]
fn signed() {
    use datagrammar_protocols::{Signed, SigningKey};

    let (key, old) = (SigningKey::from([1; 32]), SigningKey::from([2; 32]));

    let signed = Signed::new(&key).accepting(&old);
    Conformance::layer(signed).refuse_cuts().refuse_altered().run(bytes());
}

#[cfg(feature = "sealed")]
#[test]
fn sealed() {
    use datagrammar_protocols::{Sealed, SealingKey};

    let (key, old) = (SealingKey::from([1; 32]), SealingKey::from([2; 32]));

    let sealed = Sealed::new(1, &key).accepting(0, &old).context(b"quiz");
    Conformance::layer(sealed).refuse_cuts().refuse_altered().run(bytes());
}

#[cfg(all(feature = "base64", feature = "json", feature = "signed", feature = "zlib"))]
#[test]
fn a_tower_of_layers() {
    use datagrammar_protocols::{Base64, Json, Signed, SigningKey, Zlib};

    let key = SigningKey::from([1; 32]);
    let tower = Json::<Vec<String>>::new().layer(Zlib::with_limit(4_096)).layer(Signed::new(&key));
    let tower = tower.layer(Base64::new()).layer(Prefix::new(*b"QZ\x02"));

    Conformance::new(tower).refuse_cuts().refuse_altered().run([vec![], texts().to_vec()]);
}

#[test]
fn prefix() {
    let prefix = Prefix::new(*b"QZ\x02");

    Conformance::layer(prefix).allow_trailing(EVERY_BYTE).run(bytes());
}

#[test]
fn layers_around_layers() {
    let layered = Raw.layer(Prefix::new(*b"in")).layer(Prefix::new([])).layer(Prefix::new([0]));

    Conformance::new(layered).allow_trailing(EVERY_BYTE).run(bytes());
}

#[test]
fn shaped() {
    let shape = Shape::first_byte(1..=2).and(Shape::lengths(..=400));
    let shaped = Raw.layer(Prefix::new([1])).or(Text.layer(Prefix::new([2]))).shaped(shape);

    let packets = [Either::Left("hello".into()), Either::Right("text".to_owned())];
    Conformance::new(shaped).allow_trailing(EVERY_BYTE).run(packets);
}

#[test]
fn tagged() {
    let (client, server) = (Tagged::new(Text), TaggedServer::new(Text));
    let is_request = |sent: &String, read: &TaggedRequest<String>| sent == &**read;
    let requests = Conformance::between(&client, &server, is_request);
    requests.allow_trailing(EVERY_BYTE).run(texts());

    let request = server.decode(b"\0\0\0\0\x07").expect("it is a request");
    let responses = texts().map(|text| request.respond(text));
    let is_response =
        |sent: &TaggedResponse<String>, read: &String| *sent == request.respond(read.clone());
    Conformance::between(&server, &client, is_response).allow_trailing(EVERY_BYTE).run(responses);
}

#[test]
fn lock_step() {
    let lock_step = LockStep::new(Text.layer(Prefix::new(*b"QZ")));

    Conformance::new(lock_step).allow_trailing(EVERY_BYTE).run(texts());
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
    requests.allow_trailing(EVERY_BYTE).run(texts());
    let responses = Conformance::between(&server, &client, PartialEq::eq);
    responses.allow_trailing(EVERY_BYTE).run(bytes());
}

#[test]
fn pointers() {
    let boxed: Box<dyn DatagramProtocol<Incoming = String, Outgoing = String>> = Box::new(&Text);

    Conformance::new(boxed).allow_trailing(EVERY_BYTE).run(texts());
}

/// Payloads for a layer: empty, short, text, and many times all byte values.
fn bytes() -> [Bytes; 4] {
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

const EVERY_BYTE: std::ops::RangeInclusive<u8> = 0..=255;
