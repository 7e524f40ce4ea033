//! What a datagram may make `BincodeDerive` allocate.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::CString,
};

use bincode::Decode;
use datagrammar_protocols::{BincodeDerive, DatagramProtocol};

use crate::counting::peak_of;

// P-5
#[test]
fn sixteen_bytes_never_allocate_more_than_1_mib() {
    for length in [16, 1_000, 65_507, 114_689, 131_064, 131_072, 1 << 20, 1 << 32, u64::MAX] {
        let little = length.to_le_bytes();
        for datagram in [
            [&[0xfd][..], &little, &[0; 7]].concat(),
            [&[0x01, 0xfd][..], &little, &[0; 6]].concat(),
            [&little[..], &[0; 8]].concat(),
            [little, little].concat(),
            [&[0xfc][..], &little[..4], &[0xfc], &little[..4], &[0xfc], &little[..4], &[0]]
                .concat(),
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
        datagram[0] = random.u8(240..);
        stays_small(&datagram);
    }
}

// P-5: what one list declares is taken from what the lists inside may declare.
#[test]
fn lists_in_lists_do_not_multiply_what_is_allocated() {
    for piece in [&b"\xfb\0\x04"[..], b"\xfb\xff\xff", b"\xfc\0\0\x01\0", b"\x02", b"\xfa"] {
        let datagram = repeated(piece);
        let peak = peak_of(|| BincodeDerive::<Tree, ()>::new().decode(&datagram).map(drop));
        assert!(peak < 4 * MIB, "{peak} bytes");
    }
    for length in [64, 256, 4_096, 65_536_u64] {
        let datagram = repeated(&length.to_le_bytes());
        let peak = peak_of(|| BincodeDerive::<Tree, ()>::new().fixed().decode(&datagram).map(drop));
        assert!(peak < 4 * MIB, "{peak} bytes");
    }
}

// P-5: the lists that are complete, and one beside them that declares all memory that is left.
#[test]
fn the_longest_datagram_allocates_what_its_elements_take_and_the_limit() {
    fn of<T: Decode<()>>(element: &[u8], most: usize) {
        let datagram = repeated(element);
        let longest = (32 * datagram.len() / size_of::<T>() - 8).to_le_bytes();
        for length in [&[0xfb, 0xff, 0xff][..], &[0xfc, longest[0], longest[1], longest[2], 0]] {
            let declared = [length, &datagram[5..]].concat();
            let peak = peak_of(|| BincodeDerive::<Vec<T>, ()>::new().decode(&declared).map(drop));
            assert!(peak <= most, "{peak} bytes for {element:?}");
        }
    }

    of::<u64>(&[1], 3 * MIB);
    of::<Vec<u8>>(&[1, 7], 4 * MIB);
    of::<(String, Vec<u8>)>(&[1, b'a', 1, 7], 4 * MIB);
    of::<Vec<Vec<u8>>>(&[1, 1, 7], 4 * MIB);
    of::<HashSet<u8>>(&[2, 7, 7], 6 * MIB);
    of::<HashMap<u8, u64>>(&[1, 7, 7], 6 * MIB);
    of::<BTreeMap<u8, u64>>(&[1, 7, 7], 8 * MIB);
}

// P-5: no more than 5 times the limit, as the documentation has it.
#[test]
fn a_hash_set_reserves_up_to_5_times_what_it_declares() {
    let peaks = (0..64).map(|step| {
        let length: u32 = 70_000 + step * 954;
        let datagram = [&[0xfc][..], &length.to_le_bytes()].concat();
        let peak = peak_of(|| BincodeDerive::<HashSet<u8>, ()>::new().decode(&datagram).map(drop));
        peak as f64 / f64::from(length)
    });

    let most = peaks.fold(0.0, f64::max);
    assert!((4.0..5.0).contains(&most), "{most} bytes for each that is declared");
}

#[test]
fn text_of_a_declared_length_is_bounded_before_it_is_there() {
    let datagram = [0xfc, 0x00, 0x00, 0x0f, 0x00]; // 983,040, within the limit of size

    for peak in [
        peak_of(|| BincodeDerive::<String>::new().decode(&datagram).map(drop)),
        peak_of(|| BincodeDerive::<CString>::new().decode(&datagram).map(drop)),
        peak_of(|| BincodeDerive::<Box<str>>::new().decode(&datagram).map(drop)),
    ] {
        assert!(peak < 1024, "{peak} bytes");
    }
}

// P-5: what the test kit makes of honest packets.
#[cfg(feature = "testing")]
#[test]
fn no_datagram_allocates_more_than_it_justifies() {
    use datagrammar_protocols::testing::Conformance;

    for bincode in [BincodeDerive::<Vec<u64>>::new(), BincodeDerive::new().fixed()] {
        let peak = |call: &mut dyn FnMut()| {
            peak_of(|| {
                call();
                Ok(())
            })
        };
        let numbers = [vec![], vec![1, 2, 3], vec![u64::MAX; 40]];
        Conformance::new(bincode).peak(4 * MIB, peak).run(numbers);
    }
}

#[test]
fn encoding_into_a_buffer_with_room_allocates_nothing() {
    let packet = "hello, world.".to_owned();
    let mut datagram = Vec::with_capacity(64);

    let peak = peak_of(|| {
        BincodeDerive::<(), String>::new().encode(&packet, &mut datagram).unwrap();
        BincodeDerive::<(), String>::new().fixed().encode(&packet, &mut datagram).unwrap();
        Ok(())
    });

    assert_eq!(peak, 0);
}

#[track_caller]
fn stays_small(datagram: &[u8]) {
    of::<Vec<u8>>(datagram);
    of::<Vec<u64>>(datagram);
    of::<Vec<Vec<u64>>>(datagram);
    of::<Vec<[u64; 32]>>(datagram);
    of::<Vec<Option<[u64; 32]>>>(datagram);
    of::<Vec<(String, Vec<u8>)>>(datagram);
    of::<HashMap<u8, u8>>(datagram);
    of::<HashMap<u64, Vec<u64>>>(datagram);
    of::<HashMap<u8, HashMap<u8, u8>>>(datagram);
    of::<HashSet<u8>>(datagram);
    of::<HashSet<u64>>(datagram);
    of::<BTreeMap<u64, Vec<Vec<u64>>>>(datagram);
    of::<Box<[u64]>>(datagram);
    of::<String>(datagram);
    of::<Vec<String>>(datagram);
    of::<CString>(datagram);
    of::<Tree>(datagram);
    of::<Option<Box<Node>>>(datagram);

    #[track_caller]
    fn of<T: Decode<()>>(datagram: &[u8]) {
        for peak in [
            peak_of(|| BincodeDerive::<T, ()>::new().decode(datagram).map(drop)),
            peak_of(|| BincodeDerive::<T, ()>::new().fixed().decode(datagram).map(drop)),
        ] {
            assert!(peak <= MIB, "{peak} bytes for {datagram:?}");
        }
    }
}

/// The longest UDP datagram over IPv4, full of a piece.
fn repeated(piece: &[u8]) -> Vec<u8> {
    piece.iter().copied().cycle().take(65_507).collect()
}

#[derive(Decode)]
#[expect(dead_code)]
struct Tree(Vec<Self>);

#[derive(Decode)]
#[expect(dead_code)]
struct Node {
    values: Vec<u64>,
    next: Option<Box<Self>>,
}

const MIB: usize = 1024 * 1024;
