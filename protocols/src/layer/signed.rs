//! Signatures: HMAC-SHA-256.

use std::{borrow::Cow, fmt};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{interface::Layer, key::SigningKey};
use crate::error::{DecodeError, EncodeError};

/// Appends a signature that only a key makes, and refuses datagrams without one.
///
/// The signature is HMAC-SHA-256 ([RFC 2104], [FIPS 180-4]) of the bytes of the protocol inside: 32
/// bytes behind them. Everyone who has the key can sign, so both sides trust each other, and nobody else
/// is heard. The bytes stay readable; [`Sealed`](crate::Sealed) hides them too.
///
/// What is altered, cut, too short or signed with another key is refused with one same error, before
/// the protocol inside sees anything of it. Signatures are compared in constant time.
///
/// It does not refuse what was signed once and is sent again: for that, count packets and keep a
/// [`ReplayWindow`](crate::ReplayWindow). Nor does it say in which direction a datagram went: with
/// one key for both, a request can be thrown back at its sender. Where that could be taken for a
/// response, give each direction a key of its own, with [`Split`](crate::Split).
///
/// Nothing is allocated. To sign or to verify costs two blocks of SHA-256 and one more for each 64
/// bytes after the first 55; to refuse costs that for each key that is accepted.
///
/// [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
/// [FIPS 180-4]: https://doi.org/10.6028/NIST.FIPS.180-4
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, Signed, SigningKey, Text};
///
/// let key = SigningKey::generate()?;
/// let protocol = Text.layer(Signed::new(&key));
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"open".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram.len(), 4 + 32);
/// assert_eq!(protocol.decode(&datagram)?, "open");
/// datagram[0] ^= 1;
/// assert!(protocol.decode(&datagram).is_err());
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[derive(Clone)]
pub struct Signed {
    /// Each has taken in its key already, and is cloned for each datagram.
    signing: Hmac<Sha256>,
    accepted: Vec<Hmac<Sha256>>,
}

impl Signed {
    /// Creates the layer that signs with `key`, and accepts what is signed with it.
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        Self { signing: keyed(key), accepted: Vec::new() }
    }

    /// Accepts what is signed with `key` too, for the time in which one key takes the place of
    /// another.
    ///
    /// Keys are tried one after another, so each one makes a datagram that is refused dearer. Which
    /// of them has signed can be told from the time it takes; it is no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Signed, SigningKey, Text};
    ///
    /// let (old, new) = (SigningKey::generate()?, SigningKey::generate()?);
    /// let server = Text.layer(Signed::new(&new).accepting(&old));
    /// let client = Text.layer(Signed::new(&old));
    ///
    /// let mut datagram = Vec::new();
    /// client.encode(&"open".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(server.decode(&datagram)?, "open");
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    #[must_use]
    pub fn accepting(mut self, key: &SigningKey) -> Self {
        self.accepted.push(keyed(key));
        self
    }
}

impl Layer for Signed {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let signature = self.signing.clone().chain_update(&datagram[start..]).finalize();
        datagram.extend_from_slice(&signature.into_bytes());
        Ok(())
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        let refused = DecodeError::layer("the signature is of no accepted key");
        let Some((inner, signature)) = datagram.split_last_chunk::<32>() else {
            return Err(refused);
        };
        let signed_with =
            |key: &Hmac<Sha256>| key.clone().chain_update(inner).verify(signature.into()).is_ok();
        if !signed_with(&self.signing) && !self.accepted.iter().any(signed_with) {
            return Err(refused);
        }
        Ok(inner.into())
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("accepted_keys", &(1 + self.accepted.len()))
            .finish_non_exhaustive()
    }
}

fn keyed(key: &SigningKey) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key.bytes()) {
        Ok(keyed) => keyed,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

#[cfg(test)]
mod tests {
    use sha2::Sha256;
    use zeroize::ZeroizeOnDrop;

    // P-21: the state of an `Hmac` is two of `Sha256` and its buffer, and has no drop of its own.
    // Without the feature `zeroize` of both crates this does not compile.
    #[test]
    fn what_a_key_was_taken_into_is_zeroed_too() {
        fn is_zeroed<T: ZeroizeOnDrop>() {}

        is_zeroed::<Sha256>();
    }
}
