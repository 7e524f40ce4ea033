//! Numbers beyond `f32` where serde reads a copy, so that none becomes infinity.
//!
//! A field that is an `f32` asks a reader for one, which refuses what is beyond. But for its attributes `tag`,
//! `content`, `flatten` and `untagged` serde keeps a copy of what is there before it knows the type, and of that
//! copy a field takes any float: an `f64` as it is, an `f32` as infinity, and nobody is told which of the two it
//! was. Only in an error serde says which type it wants. So a datagram with such a number is read once more
//! with something else in its place that neither takes.

use std::cell::Cell;

use serde::de::{self, Expected, Unexpected, Visitor, value::BorrowedBytesDeserializer};

use crate::error::DecodeError;

/// Of one reading, the numbers beyond `f32` that were given to a type that takes anything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beyond {
    seen: usize,
    /// The highest bit and their number, if there were any, and the packet is not yet known to be right.
    doubt: usize,
}

impl Beyond {
    #[inline]
    pub(crate) fn visit<'de, V: Visitor<'de>, E: de::Error>(
        &mut self,
        number: f64,
        visitor: V,
    ) -> Result<V::Value, E> {
        if is_beyond(number) && self.is_withheld() {
            return visitor.visit_newtype_struct(BorrowedBytesDeserializer::new(NO_TEXT));
        }
        visitor.visit_f64(number)
    }

    #[cold]
    fn is_withheld(&mut self) -> bool {
        self.seen += 1;
        let again = AGAIN.get();
        if again.is_none() {
            self.doubt = DOUBT | self.seen;
        }
        again.is_some_and(|again| again.withheld == self.seen)
    }

    /// Whether a packet may have infinity for one of them: then not zero.
    #[inline]
    pub(crate) const fn doubt(self) -> usize {
        self.doubt
    }
}

/// Returns the packet of a datagram whose reading was in doubt: it is read `again`, and refused if a number
/// became an `f32`.
#[cold]
#[inline(never)]
pub(crate) fn without_doubt<T>(
    doubt: usize,
    mut again: impl FnMut() -> Result<T, DecodeError>,
    invalid: &'static str,
) -> Result<T, DecodeError> {
    let mut packet = None;
    let all = Again::withholding(0, &mut || packet = Some(again()));
    let is_single = is_single(doubt & !DOUBT, all.errors, &mut || drop(again()));
    packet.filter(|_| !is_single).unwrap_or_else(|| {
        Err(DecodeError::codec(invalid).with_source("number out of range of its type"))
    })
}

/// Returns whether the number is finite, but not as an `f32`.
#[inline]
pub(crate) fn is_beyond(number: f64) -> bool {
    number.is_finite() && (number as f32).is_infinite()
}

/// Returns whether an `f32` took one of the numbers in a reading that had so many errors.
fn is_single(seen: usize, errors: usize, read: &mut dyn FnMut()) -> bool {
    // Of more than a few those that are spread over the packet: a stranger chooses how many there are.
    let readings = seen.min(READINGS);
    (0..readings).any(|nth| {
        let again = Again::withholding(1 + nth * (seen - 1) / (readings - 1).max(1), read);
        // One variant of an `untagged` enum may ask for an `f32` after another could take the number as it is. If
        // that did, then nothing was refused from there on.
        again.single && (again.single_first || errors > again.errors_before)
    })
}

/// What a datagram is read again for, and what its errors tell, also those of which serde makes nothing.
#[derive(Clone, Copy, Default)]
struct Again {
    /// Which one of the numbers is withheld, counted from 1.
    withheld: usize,
    /// How many errors there were.
    errors: usize,
    /// How many there were before a type was wanted in the place of the number.
    errors_before: usize,
    anything: bool,
    single: bool,
    single_first: bool,
}

impl Again {
    fn withholding(withheld: usize, read: &mut dyn FnMut()) -> Self {
        /// The reading may panic, as it runs the code of types.
        struct End;

        impl Drop for End {
            fn drop(&mut self) {
                AGAIN.set(None);
            }
        }

        AGAIN.set(Some(Self { withheld, ..Self::default() }));
        let _end = End;
        read();
        AGAIN.get().unwrap_or_default()
    }
}

/// An error of the type is made.
#[cold]
#[inline(never)]
pub(crate) fn note_error() {
    if let Some(again) = AGAIN.get() {
        AGAIN.set(Some(Again { errors: again.errors + 1, ..again }));
    }
}

/// As before, and it says which type is wanted.
#[cold]
#[inline(never)]
pub(crate) fn note_expected(found: Unexpected<'_>, expected: &dyn Expected) {
    let Some(mut again) = AGAIN.get() else { return };
    if matches!(found, Unexpected::NewtypeStruct | Unexpected::Bytes(NO_TEXT)) {
        let single = expected.to_string() == "f32";
        if !again.anything {
            (again.anything, again.single_first) = (true, single);
            again.errors_before = again.errors;
        }
        again.single |= single;
        AGAIN.set(Some(again));
    }
}

thread_local! {
    // An error is made without a reader at hand, and serde drops those of variants that do not fit.
    static AGAIN: Cell<Option<Again>> = const { Cell::new(None) };
}

/// What is withheld becomes a newtype of these bytes: next to no type takes that, text neither.
const NO_TEXT: &[u8] = b"\xff";

/// How often a stranger can have a datagram read with a number withheld.
const READINGS: usize = 8;

const DOUBT: usize = 1 << (usize::BITS - 1);
