//! Types without a fixed size, which a form may refuse.

use super::form::Form;
use crate::serde_format::mismatch::Mismatch;

// The reasons of a refusal.
pub(super) const TEXT: &str = "text has no fixed size";
pub(super) const SEQUENCE: &str = "a sequence has no fixed size";
pub(super) const MAP: &str = "a map has no fixed size";
pub(super) const ENUM: &str = "an enum has no fixed size";
pub(super) const OPTION: &str = "an option has no fixed size";
pub(super) const OF_THE_BYTES: &str = "a type that the datagram selects has no fixed size";
pub(super) const MISSING_FIELD: &str = "a field that may be missing has no fixed size";

/// Refuses a type without a fixed size if the form requires fixed sizes.
#[inline]
pub(super) fn allow<F: Form>(refusal: &'static str) -> Result<(), Mismatch> {
    if F::SIZED { Err(Mismatch::new(refusal)) } else { Ok(()) }
}
