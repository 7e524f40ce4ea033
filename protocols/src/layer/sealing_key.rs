//! The key of `Sealed`.

use std::{fmt, str::FromStr};

use base64ct::{Base64Url, Encoding};
use zeroize::Zeroizing;

use super::key::{KeyError, Problem, TEXT_LEN, key};

key! {
    /// The key of [`Sealed`](crate::Sealed): exactly 32 bytes.
    SealingKey
}
