//! Faults that show with packets of honest peers.

use std::borrow::Cow;

use datagrammar_protocols::{
    DatagramProtocol, DecodeError, EncodeError, Layer, Raw, Split, Text, testing::Conformance,
};

use super::{Sound, codec, failure, packets};

#[test]
fn a_sound_codec_passes() {
    Conformance::new(Sound).refuse_cuts().run(packets());
    Conformance::by_bytes(Sound).refuse_cuts().run(packets());
    Conformance::between(Sound, Sound, PartialEq::eq).refuse_cuts().run(packets());
}

#[test]
fn a_packet_that_is_refused_is_not_a_valid_sample() {
    let failure = failure(|| Conformance::new(Sound).run([vec![0; 300]]));

    assert_eq!(failure, "round trip: packet 0 is refused: more than 255 bytes");
}

#[test]
fn without_packets_nothing_is_checked() {
    assert_eq!(failure(|| Conformance::new(Sound).run([])), "there is no packet to check");
}

#[test]
fn a_packet_that_comes_back_as_another_packet_is_found() {
    let sorting = codec(
        |datagram| {
            let mut packet = Sound.decode(datagram)?;
            packet.sort_unstable();
            Ok(packet)
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(sorting).run(packets()));

    assert_eq!(failure, "round trip: packet 2 is read as another packet\n4 bytes: 03030201");
}

#[test]
fn a_packet_that_does_not_come_back_is_found() {
    let one_sided = codec(
        |_| Err(DecodeError::codec("not this").with_source("no 03")),
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(one_sided).run([vec![3]]));

    let expected = "round trip: packet 0 is not read: not this: no 03\n\
        2 bytes: 0103";
    assert_eq!(failure, expected);
}

// P-1
#[test]
fn a_codec_that_clears_the_buffer_is_found() {
    let clearing = codec(
        |datagram| Sound.decode(datagram),
        |packet, datagram| {
            datagram.clear();
            Sound.encode(packet, datagram)
        },
    );

    let failure = failure(|| Conformance::new(clearing).run([vec![5, 6]]));

    let expected = "bytes in the buffer stay: packet 0 changes the bytes in the buffer, which \
        now holds these\n3 bytes: 020506";
    assert_eq!(failure, expected);
}

// P-1
#[test]
fn a_codec_that_clears_the_buffer_when_it_refuses_is_found() {
    let clearing = codec(
        |datagram| Sound.decode(datagram),
        |packet, datagram| Sound.encode(packet, datagram).inspect_err(|_| datagram.clear()),
    );

    let failure = failure(|| Conformance::new(clearing).packet(&vec![0; 300]));

    assert!(failure.starts_with("bytes in the buffer stay: this one changes"), "{failure}");
}

// P-1
#[test]
fn a_codec_that_assumes_an_empty_buffer_is_found() {
    let total = |bytes: &[u8]| bytes.iter().copied().fold(0, u8::wrapping_add);
    let summing = codec(
        |datagram| match datagram.split_last() {
            Some((sum, bytes)) if *sum == total(bytes) => Ok(bytes.to_vec()),
            _ => Err(DecodeError::codec("the sum does not match")),
        },
        |packet, datagram| {
            datagram.extend_from_slice(packet);
            datagram.push(total(datagram));
            Ok(())
        },
    );

    let failure = failure(|| Conformance::new(summing).run([vec![5, 6]]));

    assert!(failure.starts_with("bytes in the buffer stay: packet 0 is not read"), "{failure}");
}

// P-2
#[test]
fn a_codec_that_ignores_trailing_bytes_is_found() {
    let ignoring = || {
        codec(
            |datagram| {
                let len = datagram.first().map_or(0, |len| usize::from(*len) + 1);
                Sound.decode(datagram.get(..len).unwrap_or_default())
            },
            |packet, datagram| Sound.encode(packet, datagram),
        )
    };

    let failure = failure(|| Conformance::new(ignoring()).run(packets()));

    let expected = "trailing bytes are refused: packet 0 and one byte is accepted as a packet\n\
        2 bytes: 0000";
    assert_eq!(failure, expected);
    Conformance::new(ignoring()).allow_trailing(0..=255).run(packets());
}

// P-3
#[test]
fn a_codec_that_accepts_cut_packets_is_found_on_request() {
    let text = || ["text".to_owned()];

    let failure =
        failure(|| Conformance::new(Text).allow_trailing(0..=255).refuse_cuts().run(text()));

    let expected = "cut datagrams are refused: packet 0 cut to 0 bytes is accepted as a \
        packet\n0 bytes: ";
    assert_eq!(failure, expected);
    Conformance::new(Text).allow_trailing(0..=255).run(text());
}

#[test]
fn a_packet_that_is_read_but_changes_when_it_is_written_is_found() {
    let trimming = codec(
        |datagram| Ok(datagram.trim_ascii_end().to_vec()),
        |packet, datagram| {
            datagram.extend(packet);
            datagram.extend(packet.is_empty().then_some(b'!'));
            Ok(())
        },
    );

    let failure = failure(|| Conformance::new(trimming).datagram(b"  "));

    assert_eq!(failure, "second round trip: this one is read as another packet\n1 bytes: 21");
}

// P-7
#[test]
fn a_layer_with_errors_of_another_kind_is_found() {
    struct Wrong;

    impl Layer for Wrong {
        fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
            datagram.insert(start, b'w');
            Ok(())
        }

        fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
            match datagram.strip_prefix(b"w") {
                Some(inner) => Ok(inner.into()),
                None => Err(DecodeError::codec("the first byte is not a w")),
            }
        }
    }

    let failure =
        failure(|| Conformance::layer(Wrong).allow_trailing(0..=255).run(["text".into()]));

    let expected = "errors say what is wrong: packet 0 cut to 0 bytes is refused as Codec, \
        not as Layer\n0 bytes: ";
    assert_eq!(failure, expected);
}

// P-1
#[test]
fn a_layer_that_changes_earlier_bytes_is_found() {
    struct Mask;

    impl Layer for Mask {
        fn apply(&self, datagram: &mut Vec<u8>, _: usize) -> Result<(), EncodeError> {
            datagram.iter_mut().for_each(|byte| *byte ^= 1);
            Ok(())
        }

        fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
            Ok(datagram.iter().map(|byte| byte ^ 1).collect())
        }
    }

    let failure = failure(|| Conformance::layer(Mask).allow_trailing(0..=255).run(["text".into()]));

    assert!(failure.starts_with("bytes in the buffer stay: packet 0 changes"), "{failure}");
}

#[test]
fn each_packet_of_one_side_must_be_received_by_the_other() {
    let (client, server) = (Split::new(Raw, Text), Split::new(Raw, Text));

    let failure = failure(|| {
        let same = |sent: &String, received: &bytes::Bytes| sent.len() == received.len() + 1;
        Conformance::between(client, server, same).run(["text".to_owned()]);
    });

    assert_eq!(failure, "round trip: packet 0 is read as another packet\n4 bytes: 74657874");
}

#[test]
fn nan_passes_although_it_is_not_equal_to_itself() {
    struct Float;

    impl DatagramProtocol for Float {
        type Incoming = f32;
        type Outgoing = f32;

        fn decode(&self, datagram: &[u8]) -> Result<f32, DecodeError> {
            let bytes = datagram.try_into();
            bytes.map(f32::from_le_bytes).map_err(|_| DecodeError::codec("not 4 bytes"))
        }

        fn encode(&self, float: &f32, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
            datagram.extend(float.to_le_bytes());
            Ok(())
        }
    }

    Conformance::new(Float).refuse_cuts().run([f32::NAN, 1.5]);
}
