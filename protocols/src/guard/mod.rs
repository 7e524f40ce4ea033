//! Bounds for serde formats that have none of their own, or not everywhere.
//!
//! Such a format believes the lengths that a datagram declares, follows it as deep as it likes, and
//! does not look at what a type leaves unread of a list or map. The guard goes around its
//! `Deserializer` and around everything that serde passes on from there, and refuses all three.

mod access;
mod deserializer;
mod visitor;

use std::{cell::Cell, marker::PhantomData};

use serde::de::Error;

/// What one datagram may cost.
pub(crate) struct Guard {
    octets: usize,
    levels: usize,
    elements: Cell<usize>,
    format: Format,
}

/// How a format is read.
#[allow(dead_code, reason = "the features decide which are read")]
#[derive(Clone, Copy)]
pub(crate) enum Format {
    /// The octets tell values only: bincode, postcard.
    ///
    /// Text and octets are asked for as borrowed ones: for owned ones some formats reserve the
    /// declared length before they look at what is there.
    Packed,

    /// The octets tell what is there: CBOR, MessagePack.
    ///
    /// Newtypes and `Some` take none. Text and octets are asked for as owned ones: as borrowed ones
    /// some formats read short ones only.
    Described,
}

impl Guard {
    /// Creates the guard for a datagram of `octets`, to be nested `levels` deep at most.
    pub(crate) const fn new(octets: usize, levels: usize, format: Format) -> Self {
        let elements = Cell::new(octets.saturating_add(EMPTY_ELEMENTS));
        Self { octets, levels, elements, format }
    }

    /// Returns what deserializes a `T` under guard.
    pub(crate) const fn seed<T>(&self) -> Guarded<'_, PhantomData<T>> {
        let limits = Limits { levels: self.levels, wrappers: WRAPPERS, guard: self };
        Guarded { inner: PhantomData, limits }
    }
}

/// A part of serde's machinery with the guard around it.
pub(crate) struct Guarded<'g, T> {
    inner: T,
    limits: Limits<'g>,
}

/// What is left at one place of the datagram.
#[derive(Clone, Copy)]
struct Limits<'g> {
    levels: usize,
    wrappers: usize,
    guard: &'g Guard,
}

impl Limits<'_> {
    /// Goes into something that contains others.
    fn one_level_down<E: Error>(self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, wrappers: WRAPPERS, ..self }),
            None => Err(E::custom("nesting within the limit was expected")),
        }
    }

    /// Goes into a newtype or a `Some`.
    fn unwrapped<E: Error>(self) -> Result<Self, E> {
        match self.guard.format {
            Format::Packed => self.one_level_down(),
            Format::Described => match self.wrappers.checked_sub(1) {
                Some(wrappers) => Ok(Self { wrappers, ..self }),
                None => Err(E::custom("a type that ends was expected")),
            },
        }
    }

    /// Takes a declared number of elements from what the datagram has left, before any of them is
    /// read.
    ///
    /// Every element starts with an octet that starts no other element of a sequence or map, so
    /// honest lengths add up to no more than the octets there are.
    fn claim<E: Error>(self, elements: usize) -> Result<(), E> {
        match self.guard.elements.get().checked_sub(elements) {
            Some(left) => self.guard.elements.set(left),
            None => return Err(E::custom("no more elements than octets were expected")),
        }
        Ok(())
    }
}

// `()` and its like take no octets. Enough for honest lists of them, too few for a datagram to keep
// a thread busy.
const EMPTY_ELEMENTS: usize = 1_024;

// Newtypes and `Some` in a row without anything between them. More has only a type that contains
// itself and nothing else.
const WRAPPERS: usize = 64;
