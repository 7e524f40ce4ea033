//! The key of `Signed`.

use std::{fmt, str::FromStr};

use zeroize::Zeroizing;

use super::key::{self, KeyError, key};

key! {
    /// The key of [`Signed`](crate::Signed): exactly 32 bytes.
    SigningKey
}
