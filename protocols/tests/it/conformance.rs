//! The test kit finds what is wrong with a protocol, and says what. Each of these codecs breaks one
//! promise.

use std::{
    borrow::Cow,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use datagrammar_protocols::{
    DatagramProtocol, DecodeError, EncodeError, Layer, Raw, Split, Text, testing::Conformance,
};

#[test]
fn a_sound_codec_passes() {
    Conformance::new(Sound).refuse_cuts().run(packets());
    Conformance::by_octets(Sound).refuse_cuts().run(packets());
    Conformance::between(Sound, Sound, PartialEq::eq).refuse_cuts().run(packets());
}

#[test]
fn a_packet_that_is_refused_is_no_sample() {
    let failure = failure(|| Conformance::new(Sound).run([vec![0; 300]]));

    assert_eq!(failure, "round trip: packet 0 is refused: at most 255 octets were expected");
}

#[test]
fn without_packets_nothing_is_checked() {
    assert_eq!(failure(|| Conformance::new(Sound).run([])), "at least one packet was expected");
}

#[test]
fn a_packet_that_comes_back_as_another_one_is_found() {
    let sorting = codec(
        |datagram| {
            let mut packet = Sound.decode(datagram)?;
            packet.sort_unstable();
            Ok(packet)
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(sorting).run(packets()));

    assert_eq!(failure, "round trip: packet 2 is read as another packet\n4 octets: 03030201");
}

#[test]
fn a_packet_that_does_not_come_back_is_found() {
    let one_sided = codec(
        |_| Err(DecodeError::codec("something else was expected").with_source("no 03")),
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(one_sided).run([vec![3]]));

    let expected = "round trip: packet 0 is not read: something else was expected: no 03\n\
        2 octets: 0103";
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

    let expected = "what is in the buffer stays: packet 0 changes what was in the buffer, which \
        now holds these\n3 octets: 020506";
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

    assert!(failure.starts_with("what is in the buffer stays: this one changes"), "{failure}");
}

// P-1
#[test]
fn a_codec_that_takes_the_buffer_for_its_own_octets_is_found() {
    let summing = codec(
        |datagram| match datagram.split_last() {
            Some((sum, octets)) if *sum == total(octets) => Ok(octets.to_vec()),
            _ => Err(DecodeError::codec("octets and their sum were expected")),
        },
        |packet, datagram| {
            datagram.extend_from_slice(packet);
            datagram.push(total(datagram));
            Ok(())
        },
    );

    let failure = failure(|| Conformance::new(summing).run([vec![5, 6]]));

    assert!(failure.starts_with("what is in the buffer stays: packet 0 is not read"), "{failure}");
}

// P-2
#[test]
fn a_codec_that_ignores_trailing_octets_is_found() {
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

    let expected = "trailing octets are refused: packet 0 and one octet is a packet, an error was \
        expected\n2 octets: 0000";
    assert_eq!(failure, expected);
    Conformance::new(ignoring()).allow_trailing(0..=255).run(packets());
}

// P-3
#[test]
fn a_codec_that_reads_what_is_left_of_a_packet_is_found_if_it_is_asked_for() {
    let text = || ["text".to_owned()];

    let failure =
        failure(|| Conformance::new(Text).allow_trailing(0..=255).refuse_cuts().run(text()));

    let expected = "cut datagrams are refused: packet 0 cut to 0 octets is a packet, an error was \
        expected\n0 octets: ";
    assert_eq!(failure, expected);
    Conformance::new(Text).allow_trailing(0..=255).run(text());
}

// P-20
#[test]
fn a_checksum_that_does_not_see_all_octets_is_found_if_it_is_asked_for() {
    let summing = |digits: fn(u8) -> u8| {
        codec(
            move |datagram| match datagram.split_last() {
                Some((sum, [octet])) if digits(*octet) == *sum => Ok(vec![*octet]),
                _ => Err(DecodeError::codec("an octet and its sum were expected")),
            },
            move |packet, datagram| {
                datagram.extend([packet[0], digits(packet[0])]);
                Ok(())
            },
        )
    };
    let packet = [vec![0x57]];

    let half = failure(|| Conformance::new(summing(|it| it & 15)).refuse_altered().run(packet));

    let expected = "altered datagrams are refused: packet 0 with octets altered is a packet, an \
        error was expected\n2 octets: 0707";
    assert_eq!(half, expected);
}

// P-5
#[test]
fn a_codec_that_panics_is_found() {
    let indexing = codec(
        |datagram| Ok(datagram[1..1 + usize::from(datagram[0])].to_vec()),
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure =
        failure(|| Conformance::new(indexing).allow_trailing(0..=255).run([vec![1, 2, 3]]));

    assert!(
        failure.starts_with("no panic: packet 0 cut to 0 octets makes `decode` panic: index out")
    );
}

// P-5
#[test]
fn a_codec_that_panics_at_one_value_is_found() {
    let adding = codec(
        |datagram| match *datagram {
            [octet, sum] if sum == octet.checked_add(1).expect("there is room") => Ok(vec![octet]),
            _ => Err(DecodeError::codec("an octet and the next were expected")),
        },
        |packet, datagram| {
            datagram.extend([packet[0], packet[0] + 1]);
            Ok(())
        },
    );

    let failure = failure(|| Conformance::new(adding).run([vec![5]]));

    let expected = "no panic: packet 0 with octets altered makes `decode` panic: there is room\n\
        2 octets: ff06";
    assert_eq!(failure, expected);
}

// P-5
#[test]
fn a_codec_that_panics_while_it_encodes_is_found() {
    let failure = failure(|| {
        let panicking = codec(|datagram| Sound.decode(datagram), |_, _| panic!("no room"));
        Conformance::new(panicking).run(packets());
    });

    assert_eq!(failure, "no panic: packet 0 makes `encode` panic: no room");
}

// P-5
#[test]
fn a_codec_that_allocates_what_a_length_claims_is_found() {
    let claimed = Cell::new(0);
    let reserving = codec(
        |datagram| {
            let Some((len, octets)) = datagram.split_first_chunk() else {
                return Err(DecodeError::codec("a length was expected"));
            };
            let len = u32::from_be_bytes(*len) as usize;
            claimed.set(len); // as `Vec::with_capacity` does
            match octets.len() == len {
                true => Ok(octets.to_vec()),
                false => Err(DecodeError::codec("as many octets as claimed were expected")),
            }
        },
        |packet, datagram| {
            datagram.extend((packet.len() as u32).to_be_bytes());
            datagram.extend(packet);
            Ok(())
        },
    );

    let failure = failure(|| {
        let measured = Conformance::new(reserving).peak(1024 * 1024, |call| {
            claimed.set(0);
            call();
            claimed.get()
        });
        measured.run(packets());
    });

    assert!(failure.starts_with("no allocation beyond the limit: packet 0 "), "{failure}");
    assert!(failure.contains(" octets of memory, at most 1048576 were expected\n"), "{failure}");
}

// P-6
#[test]
fn a_codec_that_remembers_what_was_left_over_is_found() {
    let left_over = Cell::new(Vec::new());
    let streaming = codec(
        |datagram| {
            let mut octets = left_over.take();
            octets.extend_from_slice(datagram);
            Sound.decode(&octets).inspect_err(|_| {
                octets.truncate(300);
                left_over.set(octets.clone());
            })
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::by_octets(streaming).run(packets()));

    assert!(failure.starts_with("no memory: "), "{failure}");
}

// P-6
#[test]
fn a_codec_that_refuses_all_after_an_error_is_found() {
    let broken = Cell::new(false);
    let latched = codec(
        |datagram| match broken.get() {
            true => Err(DecodeError::codec("an unbroken stream was expected")),
            false => Sound.decode(datagram).inspect_err(|_| broken.set(true)),
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(latched).run(packets()));

    assert!(failure.starts_with("no memory: "), "{failure}");
}

// P-6
#[test]
fn a_codec_that_mixes_in_the_packet_before_is_found() {
    let last = Cell::new(Vec::new());
    let remembering = codec(
        |datagram| {
            let packet = Sound.decode(datagram)?;
            let before = last.replace(packet.clone());
            // As if a buffer that is used again had not been cleared.
            Ok(if before.len() == 2 && packet.len() == 1 { before } else { packet })
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure =
        failure(|| Conformance::new(remembering).run([vec![1], vec![2, 3], vec![4, 5, 6]]));

    assert!(failure.starts_with("no memory: "), "{failure}");
}

// P-7
#[test]
fn errors_that_quote_the_datagram_are_found() {
    let quoting = codec(
        |datagram| {
            Sound
                .decode(datagram)
                .map_err(|_| DecodeError::codec(format!("{datagram:?} was not expected").leak()))
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(quoting).run(packets()));

    assert!(failure.starts_with("errors say what was expected: "), "{failure}");
    assert!(failure.contains("ever new texts, such as \"["), "{failure}");
}

// P-7
#[test]
fn errors_without_a_word_are_found() {
    let silent = codec(
        |datagram| Sound.decode(datagram).map_err(|_| DecodeError::codec("")),
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(silent).run([vec![]]));

    let expected = "errors say what was expected: packet 0 and one octet is refused without a \
        word\n2 octets: 0000";
    assert_eq!(failure, expected);
}

#[test]
fn what_is_read_and_cannot_be_written_so_that_it_is_read_is_found() {
    let trimming = codec(
        |datagram| Ok(datagram.trim_ascii_end().to_vec()),
        |packet, datagram| {
            datagram.extend(packet);
            datagram.extend(packet.is_empty().then_some(b'!'));
            Ok(())
        },
    );

    let failure = failure(|| Conformance::new(trimming).datagram(b"  "));

    assert_eq!(failure, "one to one: this one is read as another packet\n1 octets: 21");
}

// P-7
#[test]
fn a_layer_whose_errors_are_of_another_kind_is_found() {
    struct Wrong;

    impl Layer for Wrong {
        fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
            datagram.insert(start, b'w');
            Ok(())
        }

        fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
            match datagram.strip_prefix(b"w") {
                Some(inner) => Ok(inner.into()),
                None => Err(DecodeError::codec("a w was expected")),
            }
        }
    }

    let failure =
        failure(|| Conformance::layer(Wrong).allow_trailing(0..=255).run(["text".into()]));

    let expected = "errors say what was expected: packet 0 cut to 0 octets is refused as Codec, \
        Layer was expected\n0 octets: ";
    assert_eq!(failure, expected);
}

// P-1
#[test]
fn a_layer_that_changes_what_was_there_is_found() {
    struct Mask;

    impl Layer for Mask {
        fn apply(&self, datagram: &mut Vec<u8>, _: usize) -> Result<(), EncodeError> {
            datagram.iter_mut().for_each(|octet| *octet ^= 1);
            Ok(())
        }

        fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
            Ok(datagram.iter().map(|octet| octet ^ 1).collect())
        }
    }

    let failure = failure(|| Conformance::layer(Mask).allow_trailing(0..=255).run(["text".into()]));

    assert!(failure.starts_with("what is in the buffer stays: packet 0 changes"), "{failure}");
}

#[test]
fn what_one_side_sends_the_other_must_receive() {
    let (client, server) = (Split::new(Raw, Text), Split::new(Raw, Text));

    let failure = failure(|| {
        let same = |sent: &String, received: &bytes::Bytes| sent.len() == received.len() + 1;
        Conformance::between(client, server, same).run(["text".to_owned()]);
    });

    assert_eq!(failure, "round trip: packet 0 is read as another packet\n4 octets: 74657874");
}

#[test]
fn a_float_that_is_not_equal_to_itself_comes_back_all_the_same() {
    struct Float;

    impl DatagramProtocol for Float {
        type Incoming = f32;
        type Outgoing = f32;

        fn decode(&self, datagram: &[u8]) -> Result<f32, DecodeError> {
            let octets = datagram.try_into();
            octets.map(f32::from_le_bytes).map_err(|_| DecodeError::codec("4 octets were expected"))
        }

        fn encode(&self, float: &f32, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
            datagram.extend(float.to_le_bytes());
            Ok(())
        }
    }

    Conformance::new(Float).refuse_cuts().run([f32::NAN, 1.5]);
}

#[test]
fn a_failure_comes_back_from_its_seed() {
    let rare = || {
        codec(
            |datagram| match datagram {
                [_, rare, _, b'r', ..] if *rare > 128 => panic!("rare"),
                _ => Ok(datagram.to_vec()),
            },
            |packet, datagram| {
                datagram.extend(packet);
                Ok(())
            },
        )
    };
    let found = |seed| {
        failure(|| {
            let conformance = Conformance::new(rare()).allow_trailing(0..=255);
            conformance.rounds(100_000).seed(seed).run([vec![]]);
        })
    };

    assert_eq!(found(1), found(1));
    assert_ne!(found(1), found(2));
}

#[test]
fn of_a_long_datagram_the_first_octets_are_told() {
    let panicking = codec(|_| panic!("too long"), |_, _| Ok(()));

    let failure = failure(|| Conformance::new(panicking).datagram(&[0xaa; 60_000]));

    let expected = "no panic: this one makes `decode` panic: too long\n60000 octets: aaaaaaaa aaa";
    assert!(failure.starts_with(expected) && failure.ends_with("aaaaaaaa …"), "{failure}");
    assert!(failure.len() < 2_000);
}

/// At most 255 octets after their number.
struct Sound;

impl DatagramProtocol for Sound {
    type Incoming = Vec<u8>;
    type Outgoing = Vec<u8>;

    fn decode(&self, datagram: &[u8]) -> Result<Vec<u8>, DecodeError> {
        match datagram.split_first() {
            Some((len, octets)) if usize::from(*len) == octets.len() => Ok(octets.to_vec()),
            _ => Err(DecodeError::codec("as many octets as the first one says were expected")),
        }
    }

    fn encode(&self, packet: &Vec<u8>, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Ok(len) = u8::try_from(packet.len()) else {
            return Err(EncodeError::codec("at most 255 octets were expected"));
        };
        datagram.push(len);
        datagram.extend_from_slice(packet);
        Ok(())
    }
}

fn packets() -> [Vec<u8>; 4] {
    [vec![], vec![1], vec![3, 2, 1], vec![7; 255]]
}

fn total(octets: &[u8]) -> u8 {
    octets.iter().copied().fold(0, u8::wrapping_add)
}

/// A codec of two closures.
fn codec<D, E>(decode: D, encode: E) -> Codec<D, E>
where
    D: Fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    E: Fn(&Vec<u8>, &mut Vec<u8>) -> Result<(), EncodeError>,
{
    Codec { decode, encode }
}

struct Codec<D, E> {
    decode: D,
    encode: E,
}

impl<D, E> DatagramProtocol for Codec<D, E>
where
    D: Fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    E: Fn(&Vec<u8>, &mut Vec<u8>) -> Result<(), EncodeError>,
{
    type Incoming = Vec<u8>;
    type Outgoing = Vec<u8>;

    fn decode(&self, datagram: &[u8]) -> Result<Vec<u8>, DecodeError> {
        (self.decode)(datagram)
    }

    fn encode(&self, packet: &Vec<u8>, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        (self.encode)(packet, datagram)
    }
}

/// What the test kit says of a protocol that is not sound.
fn failure(checks: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(checks)).expect_err("a failure was expected");
    *payload.downcast().expect("the kit panics with text")
}
