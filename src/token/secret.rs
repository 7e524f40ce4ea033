//! A secret that tokens are made with.

use std::{fmt, hash::Hasher, str::FromStr};

use siphasher::sip::SipHasher24;
use zeroize::Zeroizing;

use crate::TokenSecretError;

/// The secret of [`AddressTokens`](crate::AddressTokens): exactly 16 bytes.
///
/// `Debug` does not show the secret. Its bytes are zeroed when it is dropped. Rust may leave copies in places from which
/// the secret was moved, so this is a precaution and not a guarantee.
///
/// Servers that share an address, or that run one after the other, need the same secret. Write it as 32 hexadecimal digits,
/// the form that DNS servers use for their cookie secrets. `openssl rand -hex 16` makes one. A single server can
/// [generate](Self::generate) a secret at its start.
///
/// # Examples
///
/// ```
/// use datagrammar::TokenSecret;
///
/// let secret: TokenSecret = "e5e973e5a6b2a43f48e7dc849e37bfcf".parse()?; // do not use this one
///
/// assert_eq!(format!("{secret:?}"), "TokenSecret { .. }");
/// assert!(TokenSecret::try_from(&[7; 15][..]).is_err());
/// # Ok::<(), datagrammar::TokenSecretError>(())
/// ```
pub struct TokenSecret(Zeroizing<[u8; 16]>);

impl TokenSecret {
    /// Generates a new secret: 16 random bytes from the operating system.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system's random generator fails. That does not happen after the system has
    /// started completely.
    pub fn generate() -> Result<Self, TokenSecretError> {
        let mut bytes = Zeroizing::new([0; 16]);
        getrandom::fill(&mut *bytes).map_err(TokenSecretError::random)?;
        Ok(Self(bytes))
    }

    /// Returns the SipHash-2-4 of `head` and `tail` together.
    pub(super) fn hash(&self, head: &[u8], tail: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(head);
        hasher.write(tail);
        hasher.finish()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecret").finish_non_exhaustive()
    }
}

impl From<[u8; 16]> for TokenSecret {
    fn from(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// Takes exactly 16 bytes, such as the content of a file.
impl TryFrom<&[u8]> for TokenSecret {
    type Error = TokenSecretError;

    fn try_from(bytes: &[u8]) -> Result<Self, TokenSecretError> {
        match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) => Ok(bytes.into()),
            Err(_) => Err(TokenSecretError::len(bytes.len())),
        }
    }
}

/// Parses 32 hexadecimal digits in upper or lower case, and nothing around them. Trim a line of a file first.
impl FromStr for TokenSecret {
    type Err = TokenSecretError;

    fn from_str(text: &str) -> Result<Self, TokenSecretError> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(TokenSecretError::not_hex());
        };
        let mut bytes = Zeroizing::new([0; 16]);
        if pairs.len() != bytes.len() {
            return Err(TokenSecretError::not_hex());
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                return Err(TokenSecretError::not_hex());
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A-32
    #[test]
    fn a_secret_is_16_bytes_or_32_hexadecimal_digits() {
        let secret = |text: &str| text.parse::<TokenSecret>().map(|secret| *secret.0);
        let bytes = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";

        assert_eq!(secret("00112233445566778899aabbccddeeff").unwrap(), bytes);
        assert_eq!(secret("00112233445566778899AABBCCDDEEFF").unwrap(), bytes);
        assert_eq!(*TokenSecret::try_from(&bytes[..]).unwrap().0, bytes);
        for wrong in [
            "",
            "00112233445566778899aabbccddeef",
            "00112233445566778899aabbccddeefff",
            "00112233445566778899aabbccddeefff0",
            "00112233445566778899aabbccddeefg",
            "00112233445566778899aabbccddeef\n",
            "0x112233445566778899aabbccddeeff",
            "+0112233445566778899aabbccddeeff",
            "ééééééééééééééé",
            "éééééééééééééééé",
        ] {
            let error = secret(wrong).unwrap_err();
            assert_eq!(error.to_string(), "the secret is not 32 hexadecimal digits", "{wrong}");
        }
        for len in [0, 15, 17, 32] {
            let error = TokenSecret::try_from(&vec![7; len][..]).unwrap_err();
            assert_eq!(error.to_string(), format!("secret is {len} bytes, not 16"));
        }
    }

    // A-32
    #[test]
    fn generated_secrets_differ() {
        assert_ne!(*TokenSecret::generate().unwrap().0, *TokenSecret::generate().unwrap().0);
    }

    // A-32
    #[test]
    fn nothing_shows_a_secret() {
        let secret = TokenSecret::from([0x5a; 16]);

        assert_eq!(format!("{secret:?} {secret:#?}"), "TokenSecret { .. } TokenSecret { .. }");
    }

    // A-32: the bytes have no other owner, so they are zeroed with it
    #[test]
    fn the_bytes_of_a_secret_are_zeroed_when_it_is_dropped() {
        fn is_zeroed(_: &impl zeroize::ZeroizeOnDrop) {}

        let secret = TokenSecret::from([7; 16]);
        is_zeroed(&secret.0);
    }

    // A-30: the first, the second and the last of the vectors of the authors of SipHash
    #[test]
    fn the_hash_is_siphash_2_4() {
        let bytes: Vec<u8> = (0..63).collect();
        let secret = TokenSecret::try_from(&bytes[..16]).unwrap();
        let hash = |len: usize, at: usize| {
            let (head, tail) = bytes[..len].split_at(at);
            secret.hash(head, tail).to_le_bytes()
        };

        assert_eq!(hash(0, 0), [0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72]);
        assert_eq!(hash(1, 0), [0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74]);
        for at in 0..=63 {
            assert_eq!(hash(63, at), [0x72, 0x45, 0x06, 0xeb, 0x4c, 0x32, 0x8a, 0x95]);
        }
    }
}
