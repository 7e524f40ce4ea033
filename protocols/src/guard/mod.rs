//! Bounds for serde formats that have none of their own.
//!
//! Such a format believes the lengths that a datagram declares and follows it as deep as it likes.
//! The guard goes around its `Deserializer` and around everything that serde passes on from there,
//! and refuses both.

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
}

impl Guard {
    /// Creates the guard for a datagram of `octets`, to be nested `levels` deep at most.
    pub(crate) const fn new(octets: usize, levels: usize) -> Self {
        Self { octets, levels, elements: Cell::new(octets.saturating_add(EMPTY_ELEMENTS)) }
    }

    /// Returns what deserializes a `T` under guard.
    pub(crate) const fn seed<T>(&self) -> Guarded<'_, PhantomData<T>> {
        Guarded { inner: PhantomData, limits: Limits { levels: self.levels, guard: self } }
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
    guard: &'g Guard,
}

impl Limits<'_> {
    fn one_level_down<E: Error>(self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..self }),
            None => Err(E::custom("nesting within the limit was expected")),
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
