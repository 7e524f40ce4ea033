//! The error of a secret of address tokens.

use std::{error::Error, fmt};

/// The error of an invalid [`TokenSecret`](crate::TokenSecret), of one that could not be generated, or of a list with
/// none or too many of them.
///
/// It never contains any part of the input, since the input may be a secret with one wrong digit.
///
/// # Examples
///
/// ```
/// use datagrammar::TokenSecret;
///
/// let error = "swordfish".parse::<TokenSecret>().unwrap_err();
///
/// assert_eq!(error.to_string(), "the secret is not 32 hexadecimal digits");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokenSecretError {
    problem: Problem,
}

#[derive(Clone, Copy, Debug)]
enum Problem {
    Len(usize),
    NotHex,
    Random(getrandom::Error),
    None,
    TooMany(usize),
}

impl TokenSecretError {
    pub(crate) const fn len(bytes: usize) -> Self {
        Self { problem: Problem::Len(bytes) }
    }

    pub(crate) const fn not_hex() -> Self {
        Self { problem: Problem::NotHex }
    }

    pub(crate) const fn random(error: getrandom::Error) -> Self {
        Self { problem: Problem::Random(error) }
    }

    pub(crate) const fn none() -> Self {
        Self { problem: Problem::None }
    }

    pub(crate) const fn too_many(limit: usize) -> Self {
        Self { problem: Problem::TooMany(limit) }
    }
}

impl fmt::Display for TokenSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::Len(bytes) => write!(f, "secret is {bytes} bytes, not 16"),
            Problem::NotHex => f.write_str("the secret is not 32 hexadecimal digits"),
            Problem::Random(_) => f.write_str("the operating system's random generator failed"),
            Problem::None => f.write_str("the list has no secret"),
            Problem::TooMany(limit) => write!(f, "more secrets than the limit of {limit}"),
        }
    }
}

impl Error for TokenSecretError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Random(error) => Some(error),
            Problem::Len(_) | Problem::NotHex | Problem::None | Problem::TooMany(_) => None,
        }
    }
}
