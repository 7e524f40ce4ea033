//! Authentication: HMAC-SHA-256.

use std::{borrow::Cow, fmt};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{interface::Layer, signing_key::SigningKey};
use crate::{
    error::{DecodeError, EncodeError},
    shape::Shape,
};

/// Authenticates datagrams with a shared key: it appends a signature, and refuses datagrams without
/// a valid one.
///
/// The signature is the HMAC-SHA-256 ([RFC 2104], [FIPS 180-4]) of the payload: 32 bytes after it.
/// Everyone who has the key can sign, so the two sides must trust each other. The payload stays
/// readable; [`Sealed`](crate::Sealed) encrypts it too.
///
/// A datagram is refused if it is altered, cut, too short or signed with another key. All these
/// cases give the same error, before the inner protocol sees any byte. Signatures are compared in
/// constant time.
///
/// It does not refuse a signed datagram that somebody recorded and sends again: for that, put a
/// sequence number into each packet and check it with a [`ReplayWindow`](crate::ReplayWindow). The
/// signature also does not contain the direction. With one key for both directions, an attacker can
/// send a request back to its sender. If that could look like a response, use one key per
/// direction, with [`Split`](crate::Split).
///
/// # Cost
///
/// It allocates nothing. Signing or verifying costs two blocks of SHA-256, and one more for each 64
/// bytes after the first 55. Refusing costs that much for each accepted key.
///
/// [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
/// [FIPS 180-4]: https://doi.org/10.6028/NIST.FIPS.180-4
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Signed, SigningKey, Text};
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
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("hmac", "authenticate"))]
#[derive(Clone)]
pub struct Signed {
    /// Each one has processed its key already, and is cloned for each datagram.
    signing: Hmac<Sha256>,
    accepted: Vec<Hmac<Sha256>>,
}

impl Signed {
    /// Creates a layer that signs with `key`, and accepts datagrams that are signed with it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Signed, SigningKey, Text};
    ///
    /// let key = SigningKey::from([7; 32]); // from a file, in a program
    /// let other = SigningKey::from([8; 32]);
    ///
    /// let mut datagram = Vec::new();
    /// Text.layer(Signed::new(&key)).encode(&"open".to_owned(), &mut datagram)?;
    ///
    /// assert!(Text.layer(Signed::new(&other)).decode(&datagram).is_err());
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        Self { signing: keyed(key), accepted: Vec::new() }
    }

    /// Also accepts datagrams that are signed with `key`, while one key replaces another.
    ///
    /// Keys are tried one after another, so each one adds to the cost of a refused datagram. The
    /// time reveals which key has signed; that is not a secret.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Signed, SigningKey, Text};
    ///
    /// let (old, new) = (SigningKey::generate()?, SigningKey::generate()?);
    /// let server = Text.layer(Signed::new(&new).accepting(&old));
    /// let client = Text.layer(Signed::new(&old));
    ///
    /// let mut datagram = Vec::new();
    /// client.encode(&"open".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(server.decode(&datagram)?, "open");
    /// # Ok::<(), datagrammar::BoxError>(())
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
        let refused = DecodeError::layer("the signature does not match any accepted key");
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

    fn shape(&self, payload: &Shape) -> Shape {
        payload.with_trailer(32)
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

    // P-21: the state of an `Hmac` is two `Sha256` and a buffer, and has no drop of its own. This
    // does not compile without the feature `zeroize` of both crates.
    #[test]
    fn the_state_made_from_a_key_is_zeroed_too() {
        fn is_zeroed<T: ZeroizeOnDrop>() {}

        is_zeroed::<Sha256>();
    }
}
