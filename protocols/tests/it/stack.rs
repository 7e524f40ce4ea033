//! The longest datagrams that nest as deep as they can, on the stack of a tokio worker. A stack overflow
//! aborts the process, so a child process reads them: this program once more, with its part in an
//! environment variable.

use std::{
    collections::BTreeMap,
    env,
    process::{Command, ExitStatus, Stdio, exit},
};

use datagrammar_protocols::{
    Bincode, Cbor, DatagramProtocol, DecodeError, Fixed, Json, Msgpack, Postcard,
};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, json};

// P-5, P-13, P-25: not with any codec, for any shape of a type that contains itself.
#[test]
fn no_datagram_runs_over_the_stack() {
    match part() {
        None => assert_eq!(ending("stack::no_datagram_runs_over_the_stack", "").code(), Some(DONE)),
        Some(_) => child(read_the_deepest_datagrams),
    }
}

// P-25: what nests as deep as it may, and is kept by serde before it becomes a type, too.
#[test]
fn the_deepest_packets_are_read() {
    match part() {
        None => assert_eq!(ending("stack::the_deepest_packets_are_read", "").code(), Some(DONE)),
        Some(_) => child(|| {
            fits::<Untagged>(json!(1), |inner| json!([inner]));
            fits::<Untagged>(json!(1), |inner| json!({"n": inner}));
            fits::<Tagged>(json!({"t": "End"}), |inner| json!({"t": "C", "n": inner}));
            fits::<Flat>(json!({}), |inner| json!({"n": inner}));
            fits::<Wide>(json!({"n": null}), |inner| json!({"n": inner}));
            fits::<Tree>(json!([]), |inner| json!([inner]));
            fits::<Value>(json!(null), |inner| json!([inner]));
        }),
    }
}

/// Reads a packet that nests 99 levels deep.
fn fits<T: DeserializeOwned>(innermost: Value, around: fn(Value) -> Value) {
    let packet = (0..98).fold(innermost, |inner, _| around(inner));
    let encode = |protocol: &dyn DatagramProtocol<Incoming = (), Outgoing = Value>| {
        let mut datagram = Vec::new();
        protocol.encode(&packet, &mut datagram).expect("JSON can be encoded");
        datagram
    };

    assert!(Json::<T, ()>::new().decode(&encode(&Json::new())).is_ok());
    assert!(Cbor::<T, ()>::new().decode(&encode(&Cbor::new())).is_ok());
    assert!(Msgpack::<T, ()>::new().decode(&encode(&Msgpack::new())).is_ok());
}

// That the tests above would notice.
#[test]
fn without_the_limit_the_stack_is_run_over() {
    let Some(codec) = part() else {
        for codec in ["bincode", "cbor", "json", "msgpack", "postcard"] {
            let ending = ending("stack::without_the_limit_the_stack_is_run_over", codec);
            // Not by a panic, and not by reading to the end: by the system.
            assert!(!matches!(ending.code(), Some(0..=DONE)), "{codec}: {ending}");
        }
        return;
    };
    child(move || match &*codec {
        "bincode" => {
            drop(without_limit(Bincode::<Choice, ()>::new().nesting_limit(usize::MAX), &[1]))
        }
        "cbor" => drop(without_limit(Cbor::<Tree, ()>::new().nesting_limit(usize::MAX), b"\x81")),
        "json" => drop(without_limit(Json::<Tree, ()>::new().nesting_limit(usize::MAX), b"[")),
        "msgpack" => {
            drop(without_limit(
                Msgpack::<Choice, ()>::new().nesting_limit(usize::MAX),
                b"\x81\xa1C",
            ));
        }
        "postcard" => {
            drop(without_limit(Postcard::<Choice, ()>::new().nesting_limit(usize::MAX), &[1]))
        }
        other => panic!("{other} is no codec of this test"),
    });
}

fn without_limit<P: DatagramProtocol>(codec: P, piece: &[u8]) -> Result<P::Incoming, DecodeError> {
    codec.decode(&repeated(piece))
}

/// Says to a child process which part of a test it is.
const PART: &str = "DATAGRAMMAR_STACK_TEST";
/// What a child process ends with that has done its part. A test that panics ends with 101.
pub(crate) const DONE: i32 = 102;

pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Runs a part of the `test` in a process of its own, and tells how that ended.
pub(crate) fn ending(test: &str, part: &str) -> ExitStatus {
    let this = env::current_exe().expect("a test knows its program");
    let mut child = Command::new(this);
    child.args(["--exact", test]).env(PART, part).stdout(Stdio::null()).stderr(Stdio::null());
    child.status().expect("the program runs once more")
}

/// Reads on the stack of a tokio worker, and ends this process.
pub(crate) fn child(read: impl FnOnce() + Send + 'static) -> ! {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(read);
    thread.expect("a thread can be started").join().expect("nothing panics");
    exit(DONE)
}

fn read_the_deepest_datagrams() {
    read_as::<Choice>();
    read_as::<Fields>();
    read_as::<Pair>();
    read_as::<Node>();
    read_as::<Wide>();
    read_as::<Tuple>();
    read_as::<Tree>();
    read_as::<Map>();
    read_as::<Numbered>();
    read_as::<Skipping>();
    described_as::<Untagged>();
    described_as::<Tagged>();
    described_as::<Flat>();
    described_as::<Value>();
    described_as::<IgnoredAny>();
    hollow::<Chain>();
    hollow::<Bottomless>();
    hollow::<Keyed>();
}

/// Reads what nests deepest in each format as a `T`.
fn read_as<T: DeserializeOwned>() {
    for piece in [&b"\x01"[..], b"\x01\0", b"\x01\x01\0", b"\x01\0\0\0", b"\x01\0\0\0\0\0\0\0"] {
        let hostile = repeated(piece);
        drop(Bincode::<T, ()>::new().decode(&hostile));
        drop(Bincode::<T, ()>::new().fixed().decode(&hostile));
        drop(Postcard::<T, ()>::new().decode(&hostile));
    }
    described_as::<T>();
}

/// Reads what nests deepest in each format that describes itself as a `T`.
fn described_as<T: DeserializeOwned>() {
    for piece in ["[", "[0,", "{\"C\":", "{\"n\":", "{\"v\":0,\"n\":", "{\"C\":{\"n\":", "{\"0\":"]
    {
        let hostile = repeated(piece.as_bytes());
        drop(Json::<T, ()>::new().decode(&hostile));
    }
    for piece in [
        &b"\x81"[..],
        b"\x9f",
        b"\x82\0",
        b"\x9b\0\0\0\0\0\0\0\x01",
        b"\xa1\0",
        b"\xbf\0",
        b"\xa1\x61n",
        b"\xbf\x61n",
        b"\xa2\x61v\0\x61n",
        b"\xa1\x61C",
        b"\xa1\x61C\xa1\x61n",
        b"\xa1\x61C\x82\0",
        b"\xc1",
        b"\xc1\x81",
        b"\xc2",
        b"\x5f",
        b"\x7f",
        b"\xa1\x81",
    ] {
        drop(Cbor::<T, ()>::new().decode(&repeated(piece)));
    }
    for piece in [
        &b"\x91"[..],
        b"\x91\0",
        b"\x92\0",
        b"\xdc\0\x01",
        b"\xdd\0\0\0\x01",
        b"\x81\0",
        b"\x81\xa1n",
        b"\x82\xa1v\0\xa1n",
        b"\x81\xa1C",
        b"\x81\xa1C\x81\xa1n",
        b"\x81\xa1C\x92\0",
        b"\x81\x91",
        b"\x91\x91",
        b"\xd4",
        b"\xd4\0",
        b"\xc7\x01",
    ] {
        drop(Msgpack::<T, ()>::new().decode(&repeated(piece)));
    }
}

/// Reads a `T` that no bytes end.
fn hollow<T: DeserializeOwned>() {
    let ones = repeated(&[1]);

    for json in ["1", "null", "[1]", "{\"1\":1}", "{\"C\":1}"] {
        drop(Json::<T, ()>::new().decode(json.as_bytes()));
    }
    drop(Fixed::<T, ()>::new().decode(&ones));
    drop(Bincode::<T, ()>::new().decode(&ones));
    drop(Cbor::<T, ()>::new().decode(&ones));
    drop(Msgpack::<T, ()>::new().decode(&ones));
    drop(Postcard::<T, ()>::new().decode(&ones));
}

/// The longest UDP datagram over IPv4, full of a piece.
pub(crate) fn repeated(piece: &[u8]) -> Vec<u8> {
    piece.iter().copied().cycle().take(65_507).collect()
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Choice {
    End,
    C(Box<Self>),
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Fields {
    End,
    C { v: u8, n: Box<Self> },
}

#[derive(Deserialize)]
#[expect(dead_code)]
enum Pair {
    End,
    C(u8, Box<Self>),
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Node {
    n: Option<Box<Self>>,
}

/// A node that takes more stack than others.
#[derive(Deserialize)]
#[expect(dead_code)]
struct Wide {
    #[serde(default)]
    v: [u64; 32],
    n: Option<Box<Self>>,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Tuple((u8, Option<Box<Self>>), u8);

#[derive(Deserialize)]
#[expect(dead_code)]
struct Tree(Vec<Self>);

#[derive(Deserialize)]
#[expect(dead_code)]
struct Map(BTreeMap<String, Self>);

#[derive(Deserialize)]
#[expect(dead_code)]
struct Numbered(BTreeMap<u8, Self>);

#[derive(Deserialize)]
#[expect(dead_code)]
struct Skipping {
    end: u8,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code)]
enum Untagged {
    Number(u8),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

#[derive(Deserialize)]
#[serde(tag = "t")]
#[expect(dead_code)]
enum Tagged {
    End,
    C { n: Box<Self> },
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Flat {
    #[serde(flatten)]
    all: BTreeMap<String, Self>,
}

/// A type that takes no bytes, but where it ends.
#[derive(Deserialize)]
#[serde(transparent)]
#[expect(dead_code)]
struct Chain(Option<Box<Self>>);

/// A type without values, which takes no bytes to follow for ever.
#[derive(Deserialize)]
#[expect(dead_code)]
struct Bottomless(Box<Self>);

/// The same as the key of a map.
#[derive(Deserialize)]
#[expect(dead_code)]
struct Keyed(BTreeMap<Key, u8>);

#[derive(Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
struct Key(Option<Box<Self>>);
