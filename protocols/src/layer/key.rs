//! Secret keys of 32 bytes that two sides share.

use std::{error::Error, fmt};

use base64ct::{Base64Url, Encoding};
use zeroize::Zeroizing;

/// The error of an invalid key, or of a key that could not be generated.
///
/// It never contains any part of the input, since the input may be a key with one wrong byte.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// # #[cfg(feature = "signed")] {
/// use datagrammar::SigningKey;
///
/// let error = "swordfish".parse::<SigningKey>().unwrap_err();
///
/// assert_eq!(error.to_string(), "the key is not the url-safe base64 of 32 bytes");
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct KeyError {
    problem: Problem,
}

#[derive(Clone, Copy, Debug)]
enum Problem {
    Len(usize),
    NotBase64,
    Random(getrandom::Error),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::Len(bytes) => write!(f, "key is {bytes} bytes, not 32"),
            Problem::NotBase64 => f.write_str("the key is not the url-safe base64 of 32 bytes"),
            Problem::Random(_) => f.write_str("the operating system's random generator failed"),
        }
    }
}

impl Error for KeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            Problem::Random(error) => Some(error),
            Problem::Len(_) | Problem::NotBase64 => None,
        }
    }
}

/// The type of a key. Each one has a module of its own, with the `cfg` of its feature: rustdoc would show
/// the `cfg` of this module as what both keys need.
macro_rules! key {
    ($(#[$attribute:meta])* $Key:ident) => {
        $(#[$attribute])*
        ///
        /// `Debug` does not show the key. Its bytes are zeroed when it is dropped. Rust may leave
        /// copies in places from which the key was moved, so this is a precaution and not a
        /// guarantee.
        ///
        /// # Examples
        ///
        /// ```
        /// # use datagrammar_protocols as datagrammar;
        #[doc = concat!("use datagrammar::", stringify!($Key), ";")]
        ///
        #[doc = concat!("let key: ", stringify!($Key), " =")]
        ///     "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse()?; // do not use this one
        ///
        #[doc = concat!("assert_eq!(format!(\"{key:?}\"), \"", stringify!($Key), " { .. }\");")]
        #[doc = concat!("assert!(", stringify!($Key), "::try_from(&[7; 31][..]).is_err());")]
        /// # Ok::<(), datagrammar::KeyError>(())
        /// ```
        pub struct $Key(Zeroizing<[u8; 32]>);

        impl $Key {
            /// Generates a new key: 32 random bytes from the operating system.
            ///
            /// # Errors
            ///
            /// Returns an error if the operating system's random generator fails. That does not
            /// happen after the system has started completely.
            ///
            /// # Examples
            ///
            /// ```
            /// # use datagrammar_protocols as datagrammar;
            #[doc = concat!("use datagrammar::", stringify!($Key), ";")]
            ///
            #[doc = concat!("let key = ", stringify!($Key), "::generate()?;")]
            #[doc = concat!("let other = ", stringify!($Key), "::generate()?;")]
            ///
            /// assert_ne!(key.to_base64(), other.to_base64());
            /// # Ok::<(), datagrammar::KeyError>(())
            /// ```
            pub fn generate() -> Result<Self, KeyError> {
                key::generate().map(Self)
            }

            /// Encodes the key as url-safe base64 ([RFC 4648], section 5): 44 characters, which
            /// [`FromStr`] parses. The time it takes does not depend on the key.
            ///
            /// The returned text is the secret key, and nothing zeroes it. Store it where nobody
            /// else can read it.
            ///
            /// [RFC 4648]: https://www.rfc-editor.org/rfc/rfc4648#section-5
            ///
            /// # Examples
            ///
            /// ```
            /// # use datagrammar_protocols as datagrammar;
            #[doc = concat!("use datagrammar::", stringify!($Key), ";")]
            ///
            #[doc = concat!("let key = ", stringify!($Key), "::from([0xff; 32]);")]
            ///
            /// assert_eq!(key.to_base64(), "__________________________________________8=");
            /// ```
            #[must_use]
            pub fn to_base64(&self) -> String {
                key::to_base64(&self.0)
            }

            pub(super) fn bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $Key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Key)).finish_non_exhaustive()
            }
        }

        impl From<[u8; 32]> for $Key {
            fn from(bytes: [u8; 32]) -> Self {
                Self(Zeroizing::new(bytes))
            }
        }

        /// Takes exactly 32 bytes, such as the content of a file.
        impl TryFrom<&[u8]> for $Key {
            type Error = KeyError;

            fn try_from(bytes: &[u8]) -> Result<Self, KeyError> {
                key::from_bytes(bytes).map(Self)
            }
        }

        /// Parses the url-safe base64 ([RFC 4648], section 5) of 32 bytes: 44 characters with
        /// padding, and nothing around them. Trim a line of a file first.
        ///
        /// The time it takes reveals whether the text was a key, and nothing else about it.
        ///
        /// [RFC 4648]: https://www.rfc-editor.org/rfc/rfc4648#section-5
        impl FromStr for $Key {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                key::from_base64(text).map(Self)
            }
        }
    };
}

pub(super) use key;

pub(super) fn generate() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    match getrandom::fill(&mut *bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(KeyError { problem: Problem::Random(error) }),
    }
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(_) => Err(KeyError { problem: Problem::Len(bytes.len()) }),
    }
}

pub(super) fn from_base64(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    match Base64Url::decode(text, &mut *bytes) {
        Ok(decoded) if decoded.len() == 32 => Ok(bytes),
        Ok(_) | Err(_) => Err(KeyError { problem: Problem::NotBase64 }),
    }
}

pub(super) fn to_base64(key: &[u8; 32]) -> String {
    let mut text = Zeroizing::new([0; TEXT_LEN]);
    match Base64Url::encode(key, &mut *text) {
        Ok(text) => text.to_owned(),
        Err(_) => unreachable!("32 bytes are 44 characters"),
    }
}

const TEXT_LEN: usize = 44; // characters
