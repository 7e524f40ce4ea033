//! Bincode: limits on nesting and on the decoded size.

use std::collections::{BTreeMap, BTreeSet};

use datagrammar_protocols::{Bincode, DatagramProtocol};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{encode, hex, on_small_stack};

// P-5: with no kind of recursive type can a datagram choose the depth of the stack.
#[test]
fn endless_nesting_is_an_ordinary_error() {
    on_small_stack(|| {
        let ones = vec![1; LONGEST];
        let fixed_ones: Vec<u8> = [1, 0, 0, 0].into_iter().cycle().take(LONGEST).collect();
        let fixed_lengths: Vec<u8> =
            [1, 0, 0, 0, 0, 0, 0, 0].into_iter().cycle().take(LONGEST).collect();

        refuses::<List>(&ones, &fixed_ones);
        refuses::<Pairs>(&ones, &fixed_ones);
        refuses::<Fields>(&ones, &fixed_ones);
        refuses::<Node>(&ones, &ones);
        refuses::<Transparent>(&ones, &ones);
        refuses::<Tuple>(&ones, &ones);
        refuses::<Tree>(&ones, &fixed_lengths);
        refuses::<Map>(&ones, &ones);
        refuses::<Bottomless>(&[], &[]);
    });
}

// P-5
#[test]
fn nesting_is_limited_to_64_levels() {
    let bincode: Bincode<List> = Bincode::new();

    assert!(bincode.decode(&encode(&bincode, &List::of(64))).is_ok());
    assert!(bincode.decode(&encode(&bincode, &List::of(65))).is_err());
}

#[test]
fn the_nesting_limit_can_be_set() {
    let bincode = Bincode::<List>::new().nesting_limit(2);

    assert!(bincode.decode(&encode(&bincode, &List::of(2))).is_ok());
    assert!(bincode.decode(&encode(&bincode, &List::of(3))).is_err());
}

#[test]
fn empty_values_are_not_a_level() {
    let number = Bincode::<u8>::new().nesting_limit(0);
    let unit_variant = Bincode::<List>::new().nesting_limit(0);

    assert!(number.decode(&[7]).is_ok());
    assert!(unit_variant.decode(&[0]).is_ok());
}

#[test]
fn values_beside_each_other_do_not_add_up_to_levels() {
    let bincode: Bincode<Vec<Vec<u8>>> = Bincode::new();
    let packet = vec![vec![1, 2, 3]; 1_000];

    assert_eq!(bincode.decode(&encode(&bincode, &packet)).unwrap(), packet);
}

// P-5
#[test]
fn a_declared_length_beyond_the_bytes_is_refused_at_once() {
    let declared = hex("fd 0000000000000010"); // 2^60
    let fixed = hex("0000000000000010");

    refuses::<Vec<()>>(&declared, &fixed);
    refuses::<Vec<u64>>(&declared, &fixed);
    refuses::<BTreeSet<()>>(&declared, &fixed);
    refuses::<BTreeMap<(), ()>>(&declared, &fixed);
    refuses::<Vec<Empty>>(&declared, &fixed);
    refuses::<Vec<Vec<()>>>(&[&[1], &declared[..]].concat(), &fixed);
    refuses::<String>(&declared, &fixed);
    refuses::<std::ffi::CString>(&declared, &fixed);
}

// P-5
#[test]
fn the_total_length_of_all_sequences_is_bounded() {
    let bincode: Bincode<Vec<Vec<()>>> = Bincode::new();
    let packet = vec![vec![(); 200]; 100];

    assert!(bincode.decode(&encode(&bincode, &packet)).is_err());
}

#[test]
fn a_thousand_elements_without_bytes_are_read() {
    let bincode: Bincode<Vec<()>> = Bincode::new();

    assert_eq!(bincode.decode(&encode(&bincode, &vec![(); 1_000])).unwrap().len(), 1_000);
}

// P-26
#[test]
fn a_datagram_beyond_the_size_limit_is_refused() {
    let bincode: Bincode<String> = Bincode::new();
    let datagram = |bytes| encode(&bincode, &"a".repeat(bytes - 5)); // 5 for the length

    assert!(bincode.decode(&datagram(MIB)).is_ok());
    assert!(bincode.decode(&datagram(MIB + 1)).is_err());
}

// P-26
#[test]
fn the_longest_udp_datagram_may_be_full_of_the_smallest_elements() {
    let bincode: Bincode<Vec<u128>> = Bincode::new();
    let packet = vec![1; LONGEST - 3]; // 3 for the length

    let datagram = encode(&bincode, &packet);

    assert_eq!(datagram.len(), LONGEST);
    assert_eq!(bincode.decode(&datagram).unwrap(), packet);
}

#[track_caller]
fn refuses<T: DeserializeOwned>(standard: &[u8], fixed: &[u8]) {
    assert!(Bincode::<T, ()>::new().decode(standard).is_err());
    assert!(Bincode::<T, ()>::new().fixed().decode(fixed).is_err());
}

const LONGEST: usize = 65_507; // bytes of a UDP datagram over IPv4
const MIB: usize = 1024 * 1024;

#[derive(Debug, Deserialize, Serialize)]
enum List {
    Nil,
    Cons(Box<Self>),
}

impl List {
    fn of(len: usize) -> Self {
        (0..len).fold(Self::Nil, |tail, _| Self::Cons(Box::new(tail)))
    }
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Pairs {
    End,
    Pair(u8, Box<Self>),
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Fields {
    End,
    Next { value: u8, next: Box<Self> },
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Node {
    next: Option<Box<Self>>,
}

#[derive(Deserialize)]
#[serde(transparent)]
#[expect(dead_code)]
struct Transparent(Option<Box<Self>>);

#[derive(Deserialize)]
#[expect(dead_code)]
struct Tuple((u8, Option<Box<Self>>), u8);

#[derive(Deserialize)]
#[serde(transparent)]
#[expect(dead_code)]
struct Tree(Vec<Self>);

#[derive(Deserialize)]
#[serde(transparent)]
#[expect(dead_code)]
struct Map(BTreeMap<u8, Self>);

/// A type without values: decoding it recurses without end and reads no bytes.
#[derive(Deserialize)]
#[expect(dead_code)]
struct Bottomless(Box<Self>);

#[derive(Deserialize)]
struct Empty {}
