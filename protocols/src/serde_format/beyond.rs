//! Refuses numbers beyond `f32` where serde reads a copy of the data, so that none becomes
//! infinity.
//!
//! A field of type `f32` asks the reader for one, and the reader refuses a number that is too
//! great. But for the attributes `tag`, `content`, `flatten` and `untagged`, serde keeps a copy of
//! the data before it knows the type. From that copy a field accepts any float: an `f64` unchanged,
//! and an `f32` as infinity. Nothing shows which of the two it was, except the text of an error, in
//! which serde names the type that it wants. So a datagram with such a number is read again, with a
//! value in place of the number that neither type accepts.

use std::cell::Cell;

use serde::de::{self, Expected, Unexpected, Visitor, value::BorrowedBytesDeserializer};

use crate::error::DecodeError;

/// The numbers beyond `f32` that one reading has given to a type that accepts anything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beyond {
    seen: usize,
    /// The highest bit and the number of such numbers, if there were any and the packet is not yet
    /// known to be valid.
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

    /// Not zero if the packet may have infinity in place of such a number.
    #[inline]
    pub(crate) const fn doubt(self) -> usize {
        self.doubt
    }
}

/// Returns the packet of a datagram whose reading was in doubt. Reads it `again`, and refuses it if
/// a number became an `f32`.
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

/// Returns whether an `f32` accepted one of the numbers, in a reading with `errors` errors.
fn is_single(seen: usize, errors: usize, read: &mut dyn FnMut()) -> bool {
    // An attacker chooses how many there are, so only some are checked, spread over the packet.
    let readings = seen.min(READINGS);
    (0..readings).any(|nth| {
        let again = Again::withholding(1 + nth * (seen - 1) / (readings - 1).max(1), read);
        // A variant of an `untagged` enum may ask for an `f32` after another variant has accepted
        // the number unchanged. In that case no error follows.
        again.single && (again.single_first || errors > again.errors_before)
    })
}

/// The state of a repeated reading: what it withholds, and its errors, also those that serde drops.
#[derive(Clone, Copy, Default)]
struct Again {
    /// The index of the withheld number, counted from 1.
    withheld: usize,
    /// The number of errors.
    errors: usize,
    /// The number of errors before the first one that names a type in place of the number.
    errors_before: usize,
    anything: bool,
    single: bool,
    single_first: bool,
}

impl Again {
    fn withholding(withheld: usize, read: &mut dyn FnMut()) -> Self {
        /// Ends the repeated reading also after a panic: reading runs code of the types.
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

/// Counts an error of the type.
#[cold]
#[inline(never)]
pub(crate) fn note_error() {
    if let Some(again) = AGAIN.get() {
        AGAIN.set(Some(Again { errors: again.errors + 1, ..again }));
    }
}

/// Notes which type an error wants in place of the withheld number.
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
    // A thread-local, since errors are made without access to the reader, and serde drops those of
    // variants that do not fit.
    static AGAIN: Cell<Option<Again>> = const { Cell::new(None) };
}

/// The withheld number becomes a newtype of these bytes. Almost no type accepts that, not even
/// text.
const NO_TEXT: &[u8] = b"\xff";

/// The greatest number of repeated readings with a number withheld: a limit on what an attacker can
/// cause.
const READINGS: usize = 8;

const DOUBT: usize = 1 << (usize::BITS - 1);
