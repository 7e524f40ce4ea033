//! Reading under guard.
//!
//! ciborium keeps its deserializer to itself and takes no seed, so nothing can be handed to it but
//! octets. What the guard has to know therefore goes ahead of the datagram, as CBOR.

use std::{
    fmt,
    io::{self, Read},
    marker::PhantomData,
    mem,
};

use ciborium::de::{Error, from_reader_with_recursion_limit};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, SeqAccess, Visitor};

use crate::guard::{Format, Guard};

/// Reads one packet, and returns how many octets are left after it.
pub(super) fn read<T: DeserializeOwned>(
    datagram: &[u8],
    levels: usize,
) -> Result<(T, usize), Error<io::Error>> {
    let mut head = [0x1b; HEAD];
    head[0] = 0x83; // an array of three: the octets, the levels, the packet
    head[2..10].copy_from_slice(&(datagram.len() as u64).to_be_bytes());
    head[11..].copy_from_slice(&(levels as u64).to_be_bytes());

    let mut input = Input { unread: &head, then: datagram };
    // That array is a level, and an enum counts twice. So the guard's limit is the one that counts.
    let recursion = levels.saturating_mul(2).saturating_add(2);
    let Bounded(packet) = from_reader_with_recursion_limit(&mut input, recursion)?;
    Ok((packet, input.unread.len() + input.then.len()))
}

const HEAD: usize = 1 + 9 + 9; // octets

/// The head and then the datagram. Nothing that is read lies across.
struct Input<'h> {
    unread: &'h [u8],
    then: &'h [u8],
}

impl Read for Input<'_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.read_exact(octets)?;
        Ok(octets.len())
    }

    #[inline]
    fn read_exact(&mut self, octets: &mut [u8]) -> io::Result<()> {
        if self.unread.is_empty() {
            self.unread = mem::take(&mut self.then);
        }
        self.unread.read_exact(octets)
    }
}

struct Bounded<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(3, Parts(PhantomData))
    }
}

struct Parts<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
    type Value = Bounded<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the limits and the packet")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let (Some(octets), Some(levels)) = (parts.next_element()?, parts.next_element()?) else {
            return Err(A::Error::custom("the limits were expected"));
        };
        let guard = Guard::new(octets, levels, Format::Described);
        match parts.next_element_seed(guard.seed())? {
            Some(packet) => Ok(Bounded(packet)),
            None => Err(A::Error::custom("the packet was expected")),
        }
    }
}
