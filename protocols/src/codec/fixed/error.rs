use std::fmt;

use serde::{de, ser};

/// Why a packet and a fixed layout do not go together.
#[derive(Debug)]
pub(super) enum Error {
    /// The datagram ends before the packet.
    Cut,

    /// The type has no size of its own.
    Unsized(&'static str),

    /// The type contains itself.
    Endless,

    /// What the type itself refuses.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("the rest of the packet was expected"),
            Self::Unsized(kind) => write!(f, "a type of fixed size was expected, not {kind}"),
            Self::Endless => f.write_str("a type of at most 64 levels was expected"),
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Refused(reason.to_string())
    }
}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Refused(reason.to_string())
    }
}
