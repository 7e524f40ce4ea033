//! What the longest datagrams do to the stack of a tokio worker, read by `BincodeDerive`. A child process
//! reads them: this program once more, as for the other codecs.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt::Debug,
    hint::black_box,
    sync::Arc,
    thread,
};

use bincode::{Decode, Encode};
use datagrammar_protocols::{BincodeDerive, DatagramProtocol};

use crate::stack::{DONE, child, ending, part, repeated};

// P-5: not for any shape of a type that contains itself.
#[test]
fn no_datagram_overflows_the_stack() {
    match part() {
        None => {
            let ending = ending("bincode_derive::stack::no_datagram_overflows_the_stack", "");
            assert_eq!(ending.code(), Some(DONE));
        }
        Some(_) => child(|| {
            read_as::<Choice>();
            read_as::<Fields>();
            read_as::<Node>();
            read_as::<Wide>();
            read_as::<Tuple>();
            read_as::<Tree>();
            read_as::<Boxes>();
            read_as::<Slice>();
            read_as::<Deque>();
            read_as::<Map>();
            read_as::<HashedMap>();
            read_as::<Shared>();
            read_as::<Outcome>();
            read_as::<Packet>();
        }),
    }
}

// P-5: nor does what a program does with the deepest packets: drop, clone, compare, print and encode them.
#[test]
fn the_deepest_packets_can_be_used() {
    match part() {
        None => {
            let ending = ending("bincode_derive::stack::the_deepest_packets_can_be_used", "");
            assert_eq!(ending.code(), Some(DONE));
        }
        Some(_) => child(|| {
            use_deepest::<Choice>(&[1], &[0], 400);
            use_deepest::<Fields>(&[1, 7], &[0], 400);
            use_deepest::<Node>(&[1], &[0], 400);
            use_deepest::<Wide>(&[&[7; 32][..], &[1]].concat(), &[0; 33], 64);
            use_deepest::<Tree>(&[1], &[0], 200);
            use_deepest::<Boxes>(&[1], &[0], 200);
            use_deepest::<Slice>(&[1], &[0], 200);
            use_deepest::<Deque>(&[1], &[0], 200);
            use_deepest::<Map>(&[1, 7], &[0], 200);
            use_deepest::<HashedMap>(&[1, 7], &[0], 200);
            use_deepest::<Shared>(&[1], &[0], 400);
            use_deepest::<Outcome>(&[0], &[1, 7], 400);
            use_deepest::<Packet>(&[3, 1], &[0], 64);
            use_deepest::<Packet>(&[4, 1], &[0], 64);
            use_deepest::<Packet>(&[5, 1, 0], &[0], 64);
        }),
    }
}

// That the tests above would notice. A list of boxes of 65,506 nodes does not fit while it is read, and
// maps in maps not even while they are dropped.
#[test]
fn without_the_limit_the_stack_overflows() {
    let Some(step) = part() else {
        for step in ["reading", "dropping"] {
            let ending =
                ending("bincode_derive::stack::without_the_limit_the_stack_overflows", step);
            // Not by a panic, and not by reading to the end: by the system.
            assert!(!matches!(ending.code(), Some(0..=DONE)), "{step}: {ending}");
        }
        return;
    };
    child(move || match &*step {
        "reading" => drop(unlimited::<Node>().decode(&repeated(&[1]))),
        "dropping" => {
            let datagram = [[1, 7].repeat(32_753), vec![0]].concat();
            let large = thread::Builder::new().stack_size(512 * 1024 * 1024);
            let reading = large.spawn(move || unlimited::<Map>().decode(&datagram));
            drop(reading.expect("a thread can be started").join().expect("nothing panics"));
        }
        other => panic!("{other} is no step of this test"),
    });
}

fn unlimited<T>() -> BincodeDerive<T> {
    BincodeDerive::new().stack_limit(usize::MAX)
}

/// Reads what nests deepest as a `T`, in both forms.
fn read_as<T: Decode<()> + Encode>() {
    for piece in [
        &b"\x01"[..],
        b"\x00",
        b"\x01\x00",
        b"\x01\x01\x00",
        b"\x01\x07",
        b"\x02",
        b"\x03\x01",
        b"\x04\x01",
        b"\x05\x01\x00",
        b"\x07",
        b"\xfb\x00\x01",
        b"\x01\0\0\0",
        b"\x01\0\0\0\0\0\0\0",
        b"\x01\0\0\0\0\0\0\0\x07",
        b"\x03\0\0\0\x01\0\0\0\0\0\0\0",
    ] {
        let hostile = repeated(piece);
        drop(BincodeDerive::<T>::new().decode(&hostile));
        drop(BincodeDerive::<T>::new().fixed().decode(&hostile));
    }
}

/// Finds the deepest packet that is read, of `around` so many times and `end`, and does with it what
/// programs do.
fn use_deepest<T>(around: &[u8], end: &[u8], least: usize)
where
    T: Clone + Debug + Decode<()> + Encode + PartialEq,
{
    let bincode: BincodeDerive<T> = BincodeDerive::new();
    let read = |levels| bincode.decode(&[&around.repeat(levels), end].concat());
    let (mut fits, mut does_not) = (0, 65_507 / around.len());
    while does_not - fits > 1 {
        let levels = fits.midpoint(does_not);
        *if read(levels).is_ok() { &mut fits } else { &mut does_not } = levels;
    }
    assert!(fits >= least, "only {fits} levels of {}", std::any::type_name::<T>());

    let packet = read(fits).expect("it was read before");
    let copy = packet.clone();
    assert!(packet == copy);
    drop(copy);
    black_box(format!("{packet:?}"));
    let mut datagram = Vec::new();
    bincode.encode(&packet, &mut datagram).expect("the packet can be encoded");
    assert_eq!(datagram, [&around.repeat(fits), end].concat());
}

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
enum Choice {
    End,
    C(Box<Self>),
}

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
enum Fields {
    End,
    C { v: u8, n: Box<Self> },
}

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Node {
    n: Option<Box<Self>>,
}

/// A node that takes more stack than others.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Wide {
    v: [u64; 32],
    n: Option<Box<Self>>,
}

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Tuple((u8, Option<Box<Self>>), u8);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Tree(Vec<Self>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
#[expect(clippy::vec_box, reason = "it is one more frame")]
struct Boxes(Vec<Box<Self>>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Slice(Box<[Self]>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Deque(VecDeque<Self>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Map(BTreeMap<u8, Self>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct HashedMap(HashMap<u8, Self>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Shared(Option<Arc<Self>>);

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
struct Outcome(Result<Box<Self>, u8>);

/// A packet of 136 bytes, of which each variant has its share of the frame.
#[derive(Clone, Debug, Decode, Encode, PartialEq)]
enum Packet {
    Unit,
    Text(String),
    Numbers { a: u64, b: i64, c: f64 },
    Many(Vec<Self>),
    Optional(Option<Box<Self>>),
    Named(BTreeMap<String, Self>),
    Table([[u64; 4]; 4]),
    Pair(Box<Self>, Box<Self>),
}
