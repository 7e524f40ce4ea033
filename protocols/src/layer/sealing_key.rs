//! The key of `Sealed`.

use std::{fmt, str::FromStr};

use zeroize::Zeroizing;

use super::key::{self, KeyError, key};

key! {
    /// The key of [`Sealed`](crate::Sealed): exactly 32 bytes.
    SealingKey
}
