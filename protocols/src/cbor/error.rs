use std::{borrow::Cow, fmt};

use serde::{de, ser};

/// Why a packet and CBOR do not go together.
#[derive(Debug)]
pub(super) struct Error(Cow<'static, str>);

impl Error {
    pub(super) const fn expected(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

// What the type itself refuses, or serde in its place.

impl de::Error for Error {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self(Cow::Owned(reason.to_string()))
    }
}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self(Cow::Owned(reason.to_string()))
    }
}
