//! How much memory a datagram can make a codec allocate.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::CString,
};

use datagrammar_protocols::{
    Bincode, Cbor, DatagramProtocol, DecodeError, EncodeError, Msgpack, Postcard, Text,
    testing::Conformance,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::counting::peak_of;

// P-5
#[test]
fn sixteen_bytes_never_allocate_more_than_1_mib() {
    let lengths: [u64; 6] = [16, 1_000, 65_507, 1 << 20, 1 << 32, u64::MAX];
    for length in lengths {
        let (little, big) = (length.to_le_bytes(), length.to_be_bytes());
        let varint: Vec<u8> = (0..10).map(|n| (length >> (7 * n)) as u8 | 0x80).collect();

        for datagram in [
            [&[0xfd][..], &little, &[0; 7]].concat(), // bincode
            [&little[..], &[0; 8]].concat(),
            [little, little].concat(),
            [&varint[..9], &[1; 7]].concat(),         // postcard
            [&[0x9b][..], &big, &[0x9b; 7]].concat(), // CBOR: array, map, text, bytes
            [&[0xbb][..], &big, &[0xbb; 7]].concat(),
            [&[0x7b][..], &big, &[0; 7]].concat(),
            [&[0x5b][..], &big, &[0; 7]].concat(),
            [&[0x81, 0x9b], &big[..], &[0; 6]].concat(),
            [&[0xdd][..], &big[4..], &[0xdd; 11]].concat(), // MessagePack: the same
            [&[0xdf][..], &big[4..], &[0xdf; 11]].concat(),
            [&[0xdb][..], &big[4..], &[0; 11]].concat(),
            [&[0xc6][..], &big[4..], &[0; 11]].concat(),
            [&[0x91, 0xdd], &big[4..], &[0; 10]].concat(),
        ] {
            assert_eq!(datagram.len(), 16);
            stays_small(&datagram);
        }
    }
}

// P-5
#[test]
fn any_sixteen_bytes_never_allocate_more_than_1_mib() {
    let mut random = fastrand::Rng::with_seed(16);

    for _ in 0..5_000 {
        let mut datagram = [0; 16];
        datagram.fill_with(|| random.u8(..));
        datagram[0] = random.u8(128..);
        stays_small(&datagram);
    }
}

// P-5: what one list declares is taken from what the lists inside may declare.
#[test]
fn lists_in_lists_do_not_multiply_what_is_allocated() {
    let repeated = |piece: &[u8]| piece.iter().copied().cycle().take(65_507).collect::<Vec<u8>>();
    let bincode = repeated(&[0xfb, 0x00, 0x04]);
    let postcard = repeated(&[0x80, 0x08]);
    let cbor = repeated(&[0x99, 0x04, 0x00]);
    let msgpack = repeated(&[0xdc, 0x04, 0x00]);

    let peaks = [
        peak_of(|| Bincode::<Tree, ()>::new().decode(&bincode).map(drop)),
        peak_of(|| Postcard::<Tree, ()>::new().decode(&postcard).map(drop)),
        peak_of(|| Cbor::<Tree, ()>::new().decode(&cbor).map(drop)),
        peak_of(|| Msgpack::<Tree, ()>::new().decode(&msgpack).map(drop)),
    ];

    assert!(peaks.iter().all(|&peak| peak < 4 * MIB), "{peaks:?} bytes");
}

#[test]
fn text_of_a_declared_length_is_not_allocated_before_it_is_there() {
    let bincode = [0xfc, 0x00, 0x00, 0x0f, 0x00]; // 983,040, within the limit of size
    let postcard = [0x80, 0x80, 0x3c];

    let peaks = [
        peak_of(|| Bincode::<String>::new().decode(&bincode).map(drop)),
        peak_of(|| Bincode::<CString>::new().decode(&bincode).map(drop)),
        peak_of(|| Postcard::<String>::new().decode(&postcard).map(drop)),
        peak_of(|| Postcard::<CString>::new().decode(&postcard).map(drop)),
        peak_of(|| Cbor::<String>::new().decode(b"\x7a\0\x0f\0\0").map(drop)),
        peak_of(|| Cbor::<CString>::new().decode(b"\x5a\0\x0f\0\0").map(drop)),
        peak_of(|| Msgpack::<String>::new().decode(b"\xdb\0\x0f\0\0").map(drop)),
        peak_of(|| Msgpack::<CString>::new().decode(b"\xc6\0\x0f\0\0").map(drop)),
    ];

    assert!(peaks.iter().all(|&peak| peak < 1024), "{peaks:?} bytes");
}

// P-5
#[cfg(feature = "protobuf")]
#[test]
fn a_protobuf_message_allocates_for_elements_that_are_there() {
    #[derive(prost::Message)]
    struct Lists {
        #[prost(message, repeated, tag = "1")]
        lists: Vec<Self>,
        #[prost(string, tag = "2")]
        text: String,
        #[prost(fixed64, repeated, tag = "3")]
        numbers: Vec<u64>,
    }
    let protobuf: datagrammar_protocols::Protobuf<Lists> = datagrammar_protocols::Protobuf::new();
    let elements: Vec<u8> = [0x0a, 0x00].into_iter().cycle().take(65_506).collect();

    let many = peak_of(|| protobuf.decode(&elements).map(drop));
    assert!(many <= 3 * 32_753 * size_of::<Lists>(), "{many} bytes");

    for field in [0x0a, 0x12, 0x1a] {
        for length in [&[0x7f][..], &[0xff, 0xff, 0x03], &[0xff, 0xff, 0xff, 0xff, 0x0f]] {
            let declared = [&[field], length, &[0; 11]].concat();

            let peak = peak_of(|| protobuf.decode(&declared).map(drop));
            assert!(peak < 1024, "{peak} bytes");
        }
    }
}

// P-5: what the test kit makes of honest packets.
#[test]
fn no_datagram_allocates_more_than_it_justifies() {
    let numbers = || [vec![], vec![1, 2, 3], vec![u64::MAX; 40]];

    Conformance::new(Text).allow_trailing(0..=255).peak(MIB, peak).run(["text".to_owned()]);
    Conformance::new(Bincode::<Vec<u64>>::new()).peak(MIB, peak).run(numbers());
    Conformance::new(Bincode::<Vec<u64>>::new().fixed()).peak(MIB, peak).run(numbers());
    Conformance::new(Cbor::<Vec<u64>>::new()).peak(MIB, peak).run(numbers());
    Conformance::new(Msgpack::<Vec<u64>>::new()).peak(MIB, peak).run(numbers());
    Conformance::new(Postcard::<Vec<u64>>::new()).peak(MIB, peak).run(numbers());
}

// P-5: that it would be found.
#[test]
#[should_panic = "no allocation beyond the limit: packet 0 "]
fn a_codec_that_allocates_what_a_length_claims_is_found() {
    struct Blocks;

    impl DatagramProtocol for Blocks {
        type Incoming = Vec<[u8; 1024]>;
        type Outgoing = Vec<[u8; 1024]>;

        fn decode(&self, datagram: &[u8]) -> Result<Vec<[u8; 1024]>, DecodeError> {
            let error = DecodeError::codec("fewer blocks than claimed");
            let Some((len, bytes)) = datagram.split_first_chunk() else { return Err(error) };
            let mut blocks = Vec::with_capacity(u16::from_be_bytes(*len).into());
            let (whole, rest) = bytes.as_chunks();
            if whole.len() != blocks.capacity() || !rest.is_empty() {
                return Err(error);
            }
            blocks.extend_from_slice(whole);
            Ok(blocks)
        }

        fn encode(
            &self,
            blocks: &Self::Outgoing,
            datagram: &mut Vec<u8>,
        ) -> Result<(), EncodeError> {
            datagram.extend((blocks.len() as u16).to_be_bytes());
            datagram.extend(blocks.as_flattened());
            Ok(())
        }
    }

    Conformance::new(Blocks).peak(MIB, peak).run([vec![], vec![[7; 1024]]]);
}

#[test]
fn an_error_without_source_allocates_nothing() {
    let peak = peak_of(|| {
        let error = DecodeError::codec("header is shorter than 12 bytes");
        assert!(error.kind() == datagrammar_protocols::ErrorKind::Codec);
        Err::<(), _>(error)
    });

    assert_eq!(peak, 0);
}

#[test]
fn encoding_into_a_buffer_with_room_allocates_nothing() {
    let packet = "hello, world.".to_owned();
    let mut datagram = Vec::with_capacity(128);

    let peak = peak_of(|| {
        Text.encode(&packet, &mut datagram).unwrap();
        Bincode::<(), String>::new().encode(&packet, &mut datagram).unwrap();
        Cbor::<(), String>::new().encode(&packet, &mut datagram).unwrap();
        Msgpack::<(), String>::new().encode(&packet, &mut datagram).unwrap();
        Postcard::<(), String>::new().encode(&packet, &mut datagram).unwrap();
        Ok(())
    });

    assert_eq!(peak, 0);
}

// P-20
#[cfg(feature = "signed")]
#[test]
fn signing_and_verifying_allocate_nothing() {
    use datagrammar_protocols::{Layer, Signed};

    let layer = Signed::new(&[7; 32].into()).accepting(&[8; 32].into());
    let mut datagram = Vec::with_capacity(1_032);
    datagram.resize(1_000, b'x');

    let peak = peak_of(|| {
        layer.apply(&mut datagram, 0).unwrap();
        assert_eq!(layer.undo(&datagram)?.len(), 1_000);
        assert!(layer.undo(&datagram[1..]).is_err());
        assert!(layer.undo(b"").is_err());
        Ok(())
    });

    assert_eq!(peak, 0);
}

// P-5, P-22
#[cfg(feature = "sealed")]
#[test]
fn opening_allocates_what_is_inside_and_sealing_nothing() {
    use datagrammar_protocols::{Layer, Sealed};

    let layer = Sealed::new(1, &[7; 32].into());
    let mut datagram = Vec::with_capacity(1_041);
    datagram.resize(1_000, b'x');

    let sealing = peak_of(|| {
        layer.apply(&mut datagram, 0).unwrap();
        Ok(())
    });
    let opening = peak_of(|| layer.undo(&datagram).map(drop));
    let unknown_id = peak_of(|| layer.undo(&datagram[1..]).map(drop));

    assert_eq!((sealing, opening), (0, 1_000));
    assert_eq!(unknown_id, if datagram[1] == 1 { 999 } else { 0 });
}

#[track_caller]
fn stays_small(datagram: &[u8]) {
    of::<Vec<u64>>(datagram);
    of::<Vec<Vec<u64>>>(datagram);
    of::<Vec<[u64; 32]>>(datagram);
    of::<Vec<Option<[u64; 32]>>>(datagram);
    of::<HashMap<u64, Vec<u64>>>(datagram);
    of::<HashSet<u64>>(datagram);
    of::<BTreeMap<u64, Vec<Vec<u64>>>>(datagram);
    of::<String>(datagram);
    of::<Vec<String>>(datagram);
    of::<CString>(datagram);
    of::<Tree>(datagram);

    #[track_caller]
    fn of<T: DeserializeOwned>(datagram: &[u8]) {
        for peak in [
            peak_of(|| Bincode::<T, ()>::new().decode(datagram).map(drop)),
            peak_of(|| Bincode::<T, ()>::new().fixed().decode(datagram).map(drop)),
            peak_of(|| Cbor::<T, ()>::new().decode(datagram).map(drop)),
            peak_of(|| Msgpack::<T, ()>::new().decode(datagram).map(drop)),
            peak_of(|| Postcard::<T, ()>::new().decode(datagram).map(drop)),
        ] {
            assert!(peak <= MIB, "{peak} bytes for {datagram:?}");
        }
    }
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Tree(Vec<Self>);

/// `peak_of`, as the test kit asks for it.
fn peak(call: &mut dyn FnMut()) -> usize {
    peak_of(|| {
        call();
        Ok(())
    })
}

const MIB: usize = 1024 * 1024;
