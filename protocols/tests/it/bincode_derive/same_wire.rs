//! What `BincodeDerive` and `Bincode` write and read is the same, for types that derive the traits of both.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    ffi::CString,
    fmt::Debug,
    net::{IpAddr, SocketAddr},
    num::{NonZeroI64, NonZeroU16, Wrapping},
    ops::{Bound, Range, RangeInclusive},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use bincode::{Decode, Encode};
use datagrammar_protocols::{Bincode, BincodeDerive, DatagramProtocol};
use fastrand::Rng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::encode;

#[derive(Clone, Debug, Decode, Deserialize, Encode, PartialEq, Serialize)]
enum Shape {
    Unit,
    Newtype(Wrapped),
    Nothing(Marker),
    Signed(i8, i16, i32, i64, i128, isize),
    Unsigned(u8, u16, u32, u64, u128, usize),
    Floats { single: f32, double: f64 },
    Small(bool, char, (), (u8, u16)),
    Optional(Option<Option<Box<Self>>>),
    Many(Vec<Self>),
    Named(BTreeMap<String, Self>),
    Lists(Vec<u8>, VecDeque<u16>, BTreeSet<i32>, HashMap<u8, String>, Box<[u64]>, Box<str>),
    Arrays([u8; 3], [u32; 2], [Vec<u8>; 2], [(); 2]),
    Outcome(Result<u8, String>),
    Addresses(IpAddr, IpAddr, SocketAddr, SocketAddr),
    Times(Duration, SystemTime),
    Ranges(Range<u16>, RangeInclusive<u16>, Bound<u8>),
    Numbers(NonZeroU16, NonZeroI64, Wrapping<u32>),
    Names(CString, PathBuf),
}

#[derive(Clone, Debug, Decode, Deserialize, Encode, PartialEq, Serialize)]
struct Wrapped(i32);

#[derive(Clone, Debug, Decode, Deserialize, Encode, PartialEq, Serialize)]
struct Marker;

impl Shape {
    fn one_of_each() -> Vec<Self> {
        let address = |text: &str| text.parse().expect("it is an address");
        let socket = |text: &str| text.parse().expect("it is an address with a port");
        vec![
            Self::Unit,
            Self::Newtype(Wrapped(-70_000)),
            Self::Nothing(Marker),
            Self::Signed(-1, -300, i32::MIN, i64::MAX, i128::MIN, -5),
            Self::Unsigned(255, 250, 251, u64::MAX, u128::MAX, 65_536),
            Self::Floats { single: 0.1, double: -0.0 },
            Self::Small(true, '€', (), (7, 65_535)),
            Self::Optional(None),
            Self::Optional(Some(None)),
            Self::Optional(Some(Some(Box::new(Self::Unit)))),
            Self::Many(vec![Self::Unit, Self::Many(vec![]), Self::Newtype(Wrapped(1))]),
            Self::Named([("é".to_owned(), Self::Unit), (String::new(), Self::Unit)].into()),
            Self::Lists(
                vec![0, 255],
                [1, 300].into(),
                [-1, 1].into(),
                [(7, "seven".to_owned())].into(),
                Box::new([u64::MAX]),
                "text".into(),
            ),
            Self::Arrays([1, 2, 3], [4, 70_000], [vec![5], vec![]], [(); 2]),
            Self::Outcome(Ok(1)),
            Self::Outcome(Err("no".to_owned())),
            Self::Addresses(
                address("127.0.0.1"),
                address("::1"),
                socket("10.0.0.1:53"),
                socket("[::2]:9"),
            ),
            Self::Times(
                Duration::new(7, 999_999_999),
                SystemTime::UNIX_EPOCH + Duration::new(1, 2),
            ),
            Self::Ranges(1..300, 0..=251, Bound::Included(1)),
            Self::Ranges(7..7, 0..=0, Bound::Unbounded),
            Self::Ranges(0..0, 0..=0, Bound::Excluded(2)),
            Self::Numbers(300.try_into().unwrap(), (-1).try_into().unwrap(), Wrapping(u32::MAX)),
            Self::Names(c"\xff\x01".to_owned(), "a/b".into()),
        ]
    }
}

#[test]
fn the_bytes_are_those_of_bincode() {
    fn agree(ours: BincodeDerive<Shape>, other: Bincode<Shape>) {
        for packet in Shape::one_of_each() {
            let datagram = encode(&ours, &packet);

            assert_eq!(datagram, encode(&other, &packet), "{packet:?}");
            assert_eq!(ours.decode(&datagram).unwrap(), packet);
            assert_eq!(other.decode(&datagram).unwrap(), packet);
        }
    }

    agree(BincodeDerive::new(), Bincode::new());
    agree(BincodeDerive::new().fixed(), Bincode::new().fixed());
}

// P-5: neither reads what the other refuses.
#[test]
fn whatever_is_read_is_what_bincode_reads() {
    fn agree<T>(ours: BincodeDerive<T>, other: Bincode<T>, packets: &[T], seed: u64)
    where
        T: Decode<()> + DeserializeOwned + Debug + Encode + Serialize,
    {
        let packets: Vec<_> = packets.iter().map(|packet| encode(&ours, packet)).collect();
        let mut random = Rng::with_seed(seed);
        let mut accepted = 0;
        for _ in 0..20_000 {
            let mut datagram = random.choice(&packets).expect("there are packets").clone();
            for _ in 0..random.usize(1..3) {
                let at = random.usize(..datagram.len().max(1));
                match (random.u8(..4), datagram.get_mut(at)) {
                    (0, Some(byte)) => *byte = random.u8(..),
                    (1, Some(byte)) => *byte ^= 1 << random.u8(..8),
                    (2, Some(_)) => drop(datagram.remove(at)),
                    _ => datagram.insert(at, random.u8(..)),
                }
            }

            // As bytes: a float may be not a number, which equals nothing.
            let read = ours.decode(&datagram).ok().map(|packet| encode(&ours, &packet));
            let expected = other.decode(&datagram).ok().map(|packet| encode(&other, &packet));
            assert_eq!(read, expected, "{datagram:?}");
            accepted += usize::from(read.is_some());
        }
        assert!(accepted > 1_000, "only {accepted} datagrams were packets");
    }

    let packets = Shape::one_of_each();
    agree(BincodeDerive::new(), Bincode::new(), &packets, 1);
    agree(BincodeDerive::new().fixed(), Bincode::new().fixed(), &packets, 2);
}
