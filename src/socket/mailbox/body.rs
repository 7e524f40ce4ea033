//! A copy of a datagram that waits.

use std::ops::Deref;

use crate::{
    Addr,
    reply_cache::Ticket,
    transport::{Ancillary, Passed},
};

/// The bytes of a datagram that waits, and what came with it. Few datagrams have more than bytes, so the rest
/// is behind a second pointer, and takes no memory in the others.
#[derive(Debug)]
pub(crate) enum Body {
    Bytes(Box<[u8]>),
    Passed(Box<(Box<[u8]>, Box<Passed>)>),
}

const _: () = assert!(size_of::<Body>() == size_of::<Box<[u8]>>());

/// A datagram and its ancillary data.
pub(crate) type Waiting = (Ancillary, Body);

/// The most memory, in bytes, that the rest takes without the descriptors: two blocks, and the overhead of an allocator.
pub(super) const PASSED: usize = 136;

const _: () = assert!(size_of::<Passed>() + size_of::<(Box<[u8]>, Box<Passed>)>() + 32 <= PASSED);

/// The memory, in bytes, that the source of a datagram takes: two blocks. Each of them may be the only one with its address.
const SOURCE: usize = 160;

const _: () = assert!(size_of::<Addr>() + Addr::SHARED + 32 <= SOURCE);

/// How many bytes the rest counts.
pub(super) fn counted(passed: &Passed) -> usize {
    if passed.from.is_some() { PASSED + SOURCE } else { PASSED }
}

impl Body {
    pub(crate) fn new(datagram: &[u8], passed: Option<Box<Passed>>) -> Self {
        match passed {
            None => Self::Bytes(datagram.into()),
            Some(passed) => Self::Passed(Box::new((datagram.into(), passed))),
        }
    }

    /// How many bytes it counts.
    pub(super) fn counted(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Passed(both) => both.0.len() + counted(&both.1),
        }
    }

    /// How many descriptors came with the bytes.
    pub(super) fn fds(&self) -> usize {
        match self {
            Self::Bytes(_) => 0,
            Self::Passed(both) => both.1.count(),
        }
    }

    /// The source of the datagram, if it is kept.
    pub(crate) fn source(&self) -> Option<&Addr> {
        match self {
            Self::Bytes(_) => None,
            Self::Passed(both) => both.1.from.as_deref(),
        }
    }

    /// The ticket of a request that the reply cache knows, and the bytes.
    pub(super) fn ticket(&mut self) -> Option<(&mut Ticket, &[u8])> {
        match self {
            Self::Bytes(_) => None,
            Self::Passed(both) => both.1.ticket.as_mut().map(|ticket| (ticket, &*both.0)),
        }
    }

    /// The bytes, and what came with them.
    pub(crate) fn into_parts(self) -> (Box<[u8]>, Option<Box<Passed>>) {
        match self {
            Self::Bytes(bytes) => (bytes, None),
            Self::Passed(both) => {
                let (bytes, passed) = *both;
                (bytes, Some(passed))
            }
        }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Passed(both) => &both.0,
        }
    }
}
