//! `BincodeDerive`: limits on memory, on the stack and on the size of what is decoded.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque},
    error::Error,
    ffi::CString,
};

use bincode::{Decode, Encode};
use datagrammar_protocols::{BincodeDerive, DatagramProtocol};

use crate::{encode, hex, on_small_stack};

// P-5
#[test]
fn a_declared_length_beyond_the_bytes_is_refused_at_once() {
    on_small_stack(|| {
        for length in
            ["ffffffffffffffff", "0000000000000010", "ffffffffffffff7f", "0000000001000000"]
        {
            let standard = hex(&format!("fd {length}"));
            let fixed = hex(length);

            refuses::<Vec<u8>>(&standard, &fixed);
            refuses::<Vec<u64>>(&standard, &fixed);
            refuses::<Vec<Vec<u8>>>(&standard, &fixed);
            refuses::<Vec<Vec<u8>>>(&[&[1], &standard[..]].concat(), &fixed);
            refuses::<Vec<(String, Vec<u8>)>>(&standard, &fixed);
            refuses::<Vec<[u64; 32]>>(&standard, &fixed);
            refuses::<VecDeque<u16>>(&standard, &fixed);
            refuses::<BinaryHeap<u8>>(&standard, &fixed);
            refuses::<Box<[u64]>>(&standard, &fixed);
            refuses::<Box<str>>(&standard, &fixed);
            refuses::<HashMap<u64, Vec<u64>>>(&standard, &fixed);
            refuses::<HashMap<(), u8>>(&standard, &fixed);
            refuses::<HashSet<u8>>(&standard, &fixed);
            refuses::<BTreeMap<u64, Vec<u64>>>(&standard, &fixed);
            refuses::<BTreeSet<u8>>(&standard, &fixed);
            refuses::<String>(&standard, &fixed);
            refuses::<CString>(&standard, &fixed);
            refuses::<std::path::PathBuf>(&standard, &fixed);
            refuses::<Tree>(&standard, &fixed);
        }
    });
}

// P-5: bytes of a datagram, or a list of them, that declare all the memory a datagram may have.
#[test]
fn longest_datagrams_full_of_lengths_are_refused() {
    on_small_stack(|| {
        for piece in
            ["fd ffffffffffffffff", "fc ffffff00", "fb ffff", "fa", "fb 0004", "01", "02", "00 fa"]
        {
            let standard: Vec<u8> = hex(piece).into_iter().cycle().take(LONGEST).collect();
            let fixed: Vec<u8> =
                hex("0001000000000000").into_iter().cycle().take(LONGEST).collect();

            refuses::<Vec<Vec<Vec<u64>>>>(&standard, &fixed);
            refuses::<Vec<(String, Vec<u8>)>>(&standard, &fixed);
            refuses::<HashMap<u8, HashMap<u8, String>>>(&standard, &fixed);
            refuses::<BTreeMap<u8, BTreeMap<u8, String>>>(&standard, &fixed);
            refuses::<Tree>(&standard, &fixed);
            refuses::<Option<Box<Tree>>>(&standard, &fixed);
        }
    });
}

// P-26
#[test]
fn a_datagram_beyond_the_limit_of_size_is_refused() {
    let bincode: BincodeDerive<String> = BincodeDerive::new();
    let datagram = |bytes| encode(&bincode, &"a".repeat(bytes - 5)); // 5 for the length

    assert!(bincode.decode(&datagram(MIB)).is_ok());
    assert!(bincode.decode(&datagram(MIB + 1)).is_err());
}

// P-26
#[test]
fn the_longest_udp_datagram_may_be_full_of_the_smallest_elements() {
    fn reads<T: Clone + Decode<()> + Encode + PartialEq>(element: &T, bytes: usize) {
        let bincode: BincodeDerive<Vec<T>> = BincodeDerive::new();
        let packet = vec![element.clone(); (LONGEST - 3) / bytes]; // 3 for the length

        let datagram = encode(&bincode, &packet);

        assert_eq!(datagram.len(), 3 + packet.len() * bytes);
        assert!(bincode.decode(&datagram).unwrap() == packet);
    }

    on_small_stack(|| {
        reads(&1_u128, 1);
        reads(&String::new(), 1);
        reads(&(String::new(), Vec::<u8>::new()), 2);
        reads(&Vec::<Vec<u8>>::new(), 1);
        reads(&BTreeMap::<u8, u8>::new(), 1);
        reads(&None::<[u64; 3]>, 1);
        reads(&None::<Box<u8>>, 1);
    });
}

// P-5
#[test]
fn elements_take_up_to_32_bytes_of_memory_for_each_byte_of_a_datagram() {
    type Element = Option<[u64; 32]>;
    let packet = vec![None; 1_000];
    let bincode: BincodeDerive<Vec<Element>> = BincodeDerive::new();

    let error = bincode.decode(&encode(&bincode, &packet)).unwrap_err();

    assert_eq!(error.source().unwrap().to_string(), "memory limit (131072 bytes) reached");
    let higher = bincode.memory_limit(8 + 1_000 * size_of::<Element>());
    assert_eq!(higher.decode(&encode(&bincode, &packet)).unwrap(), packet);
    let packet = vec![None; 131_072 / size_of::<Element>() - 1];
    assert_eq!(bincode.decode(&encode(&bincode, &packet)).unwrap(), packet);
}

#[test]
fn the_memory_limit_can_be_set() {
    let bincode: BincodeDerive<Vec<u8>> = BincodeDerive::new().memory_limit(16);

    assert!(bincode.decode(&encode(&bincode, &vec![7; 8])).is_ok());
    assert!(bincode.decode(&encode(&bincode, &vec![7; 9])).is_err());
    assert!(bincode.memory_limit(usize::MAX).decode(&encode(&bincode, &vec![7; 9])).is_ok());
    assert!(bincode.memory_limit(0).decode(&[0]).is_err());
}

#[cfg(not(miri))] // which has no stack to measure
#[test]
fn the_stack_limit_can_be_set() {
    let bincode: BincodeDerive<List> = BincodeDerive::new();
    let datagram = encode(&bincode, &List::of(100));

    assert!(bincode.decode(&datagram).is_ok());
    let error = bincode.stack_limit(4_096).decode(&datagram).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "stack limit (4096 bytes) reached");
}

// P-5
#[cfg(not(miri))]
#[test]
fn a_hundred_levels_of_an_ordinary_type_are_read() {
    on_small_stack(|| {
        let bincode: BincodeDerive<List> = BincodeDerive::new();

        assert!(bincode.decode(&encode(&bincode, &List::of(100))).is_ok());
        assert!(bincode.decode(&[1; LONGEST]).is_err());
    });
}

#[test]
fn neighbours_do_not_add_up_to_levels() {
    let bincode: BincodeDerive<Vec<Vec<u8>>> = BincodeDerive::new();
    let packet = vec![vec![1, 2, 3]; 1_000];

    assert_eq!(bincode.decode(&encode(&bincode, &packet)).unwrap(), packet);
}

#[track_caller]
fn refuses<T: Decode<()>>(standard: &[u8], fixed: &[u8]) {
    assert!(BincodeDerive::<T, ()>::new().decode(standard).is_err());
    assert!(BincodeDerive::<T, ()>::new().fixed().decode(fixed).is_err());
}

const LONGEST: usize = 65_507; // bytes of a UDP datagram over IPv4
const MIB: usize = 1024 * 1024;

#[derive(Debug, Decode, Encode)]
enum List {
    Nil,
    Cons(Box<Self>),
}

impl List {
    fn of(len: usize) -> Self {
        (0..len).fold(Self::Nil, |tail, _| Self::Cons(Box::new(tail)))
    }
}

#[derive(Decode)]
#[expect(dead_code)]
struct Tree(Vec<Self>);
