//! The error of all formats of serde types.

use std::{borrow::Cow, fmt};

use serde::{de, ser};

#[cfg(any(feature = "cbor", feature = "json", feature = "msgpack"))]
use crate::serde_format::beyond;

/// Why a packet and a format do not fit each other: the source of a codec's error.
#[derive(Debug)]
pub(crate) struct Mismatch(Cow<'static, str>);

impl Mismatch {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }

    /// Adds the nesting limit to the error if it was reached. The reader only counts down, and does
    /// not know the limit any more.
    #[cold]
    pub(crate) fn with_limit(self, levels: usize) -> Self {
        if self.0 == TOO_DEEP.0 {
            return Self(Cow::Owned(format!("recursion limit ({levels}) reached")));
        }
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// A packet has more levels than the limit allows.
pub(crate) const TOO_DEEP: Mismatch = Mismatch::new("recursion limit reached");

// Errors of the type itself, or of serde for it.

impl de::Error for Mismatch {
    #[cold]
    fn custom<T: fmt::Display>(reason: T) -> Self {
        #[cfg(any(feature = "cbor", feature = "json", feature = "msgpack"))]
        beyond::note_error();
        Self(Cow::Owned(reason.to_string()))
    }

    #[cfg(any(feature = "cbor", feature = "json", feature = "msgpack"))]
    #[cold]
    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        beyond::note_expected(found, expected);
        Self::custom(format_args!("invalid type: {found}, expected {expected}"))
    }
}

impl ser::Error for Mismatch {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self(Cow::Owned(reason.to_string()))
    }
}
