//! Faults that show with datagrams of hostile peers.

use std::cell::Cell;

use datagrammar_protocols::{
    DatagramProtocol, DecodeError, EncodeError, Shape, testing::Conformance,
};

use super::{Sound, codec, failure, packets};

// P-20
#[test]
fn a_checksum_that_does_not_cover_all_bits_is_found_on_request() {
    let summing = |digits: fn(u8) -> u8| {
        codec(
            move |datagram| match datagram.split_last() {
                Some((sum, [byte])) if digits(*byte) == *sum => Ok(vec![*byte]),
                _ => Err(DecodeError::codec("not a byte and its sum")),
            },
            move |packet, datagram| {
                datagram.extend([packet[0], digits(packet[0])]);
                Ok(())
            },
        )
    };
    let packet = [vec![0x57]];

    let half = failure(|| Conformance::new(summing(|it| it & 15)).refuse_altered().run(packet));

    let expected = "altered datagrams are refused: packet 0 with bytes altered is accepted as \
        a packet\n2 bytes: 0707";
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
        failure.starts_with("no panic: packet 0 cut to 0 bytes makes `decode` panic: index out")
    );
}

// P-5
#[test]
fn a_codec_that_panics_at_one_value_is_found() {
    let adding = codec(
        |datagram| match *datagram {
            [byte, sum] if sum == byte.checked_add(1).expect("there is room") => Ok(vec![byte]),
            _ => Err(DecodeError::codec("not a byte and the next")),
        },
        |packet, datagram| {
            datagram.extend([packet[0], packet[0] + 1]);
            Ok(())
        },
    );

    let failure = failure(|| Conformance::new(adding).run([vec![5]]));

    let expected = "no panic: packet 0 with bytes altered makes `decode` panic: there is room\n\
        2 bytes: ff06";
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
fn a_codec_that_allocates_a_declared_length_is_found() {
    let claimed = Cell::new(0);
    let reserving = codec(
        |datagram| {
            let Some((len, bytes)) = datagram.split_first_chunk() else {
                return Err(DecodeError::codec("no length"));
            };
            let len = u32::from_be_bytes(*len) as usize;
            claimed.set(len); // like `Vec::with_capacity`
            match bytes.len() == len {
                true => Ok(bytes.to_vec()),
                false => Err(DecodeError::codec("fewer bytes than claimed")),
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
    assert!(failure.contains(" bytes of memory, limit is 1048576\n"), "{failure}");
}

// P-6
#[test]
fn a_codec_that_keeps_trailing_bytes_for_the_next_datagram_is_found() {
    let left_over = Cell::new(Vec::new());
    let streaming = codec(
        |datagram| {
            let mut bytes = left_over.take();
            bytes.extend_from_slice(datagram);
            Sound.decode(&bytes).inspect_err(|_| {
                bytes.truncate(300);
                left_over.set(bytes.clone());
            })
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::by_bytes(streaming).run(packets()));

    assert!(failure.starts_with("no state: "), "{failure}");
}

// P-6
#[test]
fn a_codec_that_refuses_everything_after_an_error_is_found() {
    let broken = Cell::new(false);
    let latched = codec(
        |datagram| match broken.get() {
            true => Err(DecodeError::codec("the stream is broken")),
            false => Sound.decode(datagram).inspect_err(|_| broken.set(true)),
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(latched).run(packets()));

    assert!(failure.starts_with("no state: "), "{failure}");
}

// P-6
#[test]
fn a_codec_that_mixes_in_the_packet_before_is_found() {
    let last = Cell::new(Vec::new());
    let remembering = codec(
        |datagram| {
            let packet = Sound.decode(datagram)?;
            let before = last.replace(packet.clone());
            // Like a reused buffer that was not cleared.
            Ok(if before.len() == 2 && packet.len() == 1 { before } else { packet })
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure =
        failure(|| Conformance::new(remembering).run([vec![1], vec![2, 3], vec![4, 5, 6]]));

    assert!(failure.starts_with("no state: "), "{failure}");
}

// P-7
#[test]
fn errors_that_quote_the_datagram_are_found() {
    let quoting = codec(
        |datagram| {
            Sound
                .decode(datagram)
                .map_err(|_| DecodeError::codec(format!("{datagram:?} is wrong").leak()))
        },
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(quoting).run(packets()));

    assert!(failure.starts_with("errors say what is wrong: "), "{failure}");
    assert!(failure.contains("more than 100 different texts, such as \"["), "{failure}");
}

// P-7
#[test]
fn errors_without_text_are_found() {
    let silent = codec(
        |datagram| Sound.decode(datagram).map_err(|_| DecodeError::codec("")),
        |packet, datagram| Sound.encode(packet, datagram),
    );

    let failure = failure(|| Conformance::new(silent).run([vec![]]));

    let expected = "errors say what is wrong: packet 0 and one byte is refused with an empty \
        text\n2 bytes: 0000";
    assert_eq!(failure, expected);
}

#[test]
fn a_failure_can_be_repeated_from_its_seed() {
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
fn the_first_bytes_of_a_long_datagram_are_shown() {
    let panicking = codec(|_| panic!("too long"), |_, _| Ok(()));

    let failure = failure(|| Conformance::new(panicking).datagram(&[0xaa; 60_000]));

    let expected = "no panic: this one makes `decode` panic: too long\n60000 bytes: aaaaaaaa aaa";
    assert!(failure.starts_with(expected) && failure.ends_with("aaaaaaaa …"), "{failure}");
    assert!(failure.len() < 2_000);
}

//
#[test]
fn a_shape_that_lacks_a_datagram_is_found() {
    /// It accepts more bytes than its shape says.
    struct Claims(usize);

    impl DatagramProtocol for Claims {
        type Incoming = Vec<u8>;
        type Outgoing = Vec<u8>;

        fn decode(&self, datagram: &[u8]) -> Result<Vec<u8>, DecodeError> {
            Sound.decode(datagram)
        }

        fn encode(&self, packet: &Vec<u8>, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
            Sound.encode(packet, datagram)
        }

        fn shape(&self) -> Shape {
            Shape::lengths(1..=self.0)
        }
    }

    Conformance::new(Claims(256)).run(packets());
    let failure = failure(|| Conformance::new(Claims(3)).run(packets()));

    let expected = "a true shape: packet 2 is accepted as a packet, and does not have the shape of \
        the protocol\n4 bytes: 03030201";
    assert_eq!(failure, expected);
}
