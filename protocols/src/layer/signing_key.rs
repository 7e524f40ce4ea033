//! The key of `Signed`.

use std::{fmt, str::FromStr};

use base64ct::{Base64Url, Encoding};
use zeroize::Zeroizing;

use super::key::{KeyError, Problem, TEXT_LEN, key};

key! {
    /// The key of [`Signed`](crate::Signed): exactly 32 bytes.
    SigningKey
}
