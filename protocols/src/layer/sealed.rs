//! Encryption and authentication: XChaCha20-Poly1305.

use std::{borrow::Cow, fmt};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{self, AeadInOut},
};

use super::{interface::Layer, key::SealingKey};
use crate::error::{DecodeError, EncodeError};

/// Hides datagrams from all who have not the key, and refuses those that were not sealed with it.
///
/// The cipher is XChaCha20-Poly1305 ([draft-irtf-cfrg-xchacha-03], built from [RFC 8439]), as in
/// libsodium. A sealed datagram is 41 bytes longer than the bytes of the protocol inside:
///
/// | bytes | what |
/// | --- | --- |
/// | 1 | the id of the key |
/// | 24 | nonce: random bytes of the operating system, others for each datagram |
/// | as many as inside | ciphertext |
/// | 16 | tag |
///
/// The associated data, which the tag vouches for too, are the id and then the
/// [context](Self::context).
///
/// What is altered, cut, too short, sealed with another key or in another context is refused with one
/// same error, before the protocol inside sees anything of it. Tags are compared in constant time.
///
/// It does not hide how long a datagram is, when it is sent and to whom. It does not refuse what was
/// sealed once and is sent again: for that, count packets and keep a
/// [`ReplayWindow`](crate::ReplayWindow).
///
/// Nonces of 192 random bits do not repeat: the chance is below 2⁻³² for the first 2⁸⁰ datagrams of a
/// key. They are the operating system's, so to seal takes a system call. To open takes a buffer as long
/// as the datagram, the forged ones too; what is too short or has an unknown id costs nothing.
///
/// [draft-irtf-cfrg-xchacha-03]: https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03
/// [RFC 8439]: https://www.rfc-editor.org/rfc/rfc8439
///
/// # Examples
///
/// ```
/// use datagrammar_protocols::{DatagramProtocol, Sealed, SealingKey, Text};
///
/// let key = SealingKey::generate()?;
/// let protocol = Text.layer(Sealed::new(1, &key));
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"swordfish".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram.len(), 9 + 41);
/// assert_eq!(protocol.decode(&datagram)?, "swordfish");
/// datagram[30] ^= 1;
/// assert!(protocol.decode(&datagram).is_err());
/// # Ok::<(), datagrammar_protocols::BoxError>(())
/// ```
#[derive(Clone)]
pub struct Sealed {
    sealing: Key,
    accepted: Vec<Key>,
}

impl Sealed {
    /// Creates the layer that seals with `key`, and opens what is sealed with it.
    ///
    /// The `id` is on the wire, so that the other side finds the key among those that it accepts.
    /// Any number does, as long as each key has its own.
    #[must_use]
    pub fn new(id: u8, key: &SealingKey) -> Self {
        Self { sealing: Key::new(id, key, &[]), accepted: Vec::new() }
    }

    /// Opens what is sealed with `key` under this `id` too, for the time in which one key takes the
    /// place of another.
    ///
    /// More keys cost nothing, as the id tells which one it is.
    ///
    /// # Panics
    ///
    /// Panics if there is a key with this id already.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Sealed, SealingKey, Text};
    ///
    /// let (old, new) = (SealingKey::generate()?, SealingKey::generate()?);
    /// let server = Text.layer(Sealed::new(2, &new).accepting(1, &old));
    /// let client = Text.layer(Sealed::new(1, &old));
    ///
    /// let mut datagram = Vec::new();
    /// client.encode(&"swordfish".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(server.decode(&datagram)?, "swordfish");
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    #[must_use]
    pub fn accepting(mut self, id: u8, key: &SealingKey) -> Self {
        assert!(self.key(id).is_none(), "another key has the id {id}");
        self.accepted.push(Key::new(id, key, self.sealing.context()));
        self
    }

    /// Binds datagrams to bytes that both sides know: what is sealed in one context is refused in
    /// every other. Those bytes are not sent. The default is none.
    ///
    /// It keeps datagrams of one key apart: those to the server from those to the client, those of
    /// one program, version or room from those of another.
    ///
    /// # Examples
    ///
    /// A server to which nobody can send back what it has sent itself:
    ///
    /// ```
    /// use datagrammar_protocols::{DatagramProtocol, Sealed, SealingKey, Split, Text};
    ///
    /// let sealed = Sealed::new(1, &SealingKey::generate()?);
    /// let server = Split::new(
    ///     Text.layer(sealed.clone().context(b"quiz 2, to server")),
    ///     Text.layer(sealed.context(b"quiz 2, to client")),
    /// );
    ///
    /// let mut datagram = Vec::new();
    /// server.encode(&"2 + 2?".to_owned(), &mut datagram)?;
    ///
    /// assert!(server.decode(&datagram).is_err());
    /// # Ok::<(), datagrammar_protocols::BoxError>(())
    /// ```
    #[must_use]
    pub fn context(mut self, context: &[u8]) -> Self {
        self.sealing.set_context(context);
        self.accepted.iter_mut().for_each(|key| key.set_context(context));
        self
    }

    fn key(&self, id: u8) -> Option<&Key> {
        self.keys().find(|key| key.id() == id)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.sealing).chain(&self.accepted)
    }
}

impl Layer for Sealed {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        // Of the operating system each time: a generator in this process would give the same nonces
        // again in a fork of it, or in a copy of its virtual machine.
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|error| {
            EncodeError::layer("the operating system's random generator failed").with_source(error)
        })?;
        let Key { cipher, associated } = &self.sealing;

        datagram.reserve(1 + NONCE_LEN + TAG_LEN);
        datagram.splice(start..start, std::iter::once(self.sealing.id()).chain(nonce));
        let inner = &mut datagram[start + 1 + NONCE_LEN..];
        let tag = cipher
            .encrypt_inout_detached(&nonce.into(), associated, inner.into())
            .map_err(|aead::Error| EncodeError::layer("the packet is longer than 256 GiB"))?;
        datagram.extend_from_slice(&tag);
        Ok(())
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        let opened = || {
            let (id, sealed) = datagram.split_first()?;
            let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
            let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
            let Key { cipher, associated } = self.key(*id)?;

            let mut inner = ciphertext.to_vec();
            cipher
                .decrypt_inout_detached(
                    nonce.into(),
                    associated,
                    inner.as_mut_slice().into(),
                    tag.into(),
                )
                .ok()?;
            Some(inner.into())
        };
        opened().ok_or(DecodeError::layer("the datagram is sealed with no accepted key"))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u8> = self.keys().map(Key::id).collect();
        f.debug_struct("Sealed").field("ids", &ids).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Key {
    cipher: XChaCha20Poly1305,
    /// The id, so that it cannot be altered to that of the same key under another, and the context.
    associated: Box<[u8]>,
}

impl Key {
    fn new(id: u8, key: &SealingKey, context: &[u8]) -> Self {
        let cipher = XChaCha20Poly1305::new(key.bytes().into());
        Self { cipher, associated: associated(id, context) }
    }

    fn id(&self) -> u8 {
        self.associated[0]
    }

    fn context(&self) -> &[u8] {
        &self.associated[1..]
    }

    fn set_context(&mut self, context: &[u8]) {
        self.associated = associated(self.id(), context);
    }
}

fn associated(id: u8, context: &[u8]) -> Box<[u8]> {
    [&[id], context].concat().into()
}

const NONCE_LEN: usize = 24; // bytes
const TAG_LEN: usize = 16; // bytes

#[cfg(test)]
mod tests {
    use chacha20poly1305::XChaCha20Poly1305;
    use zeroize::ZeroizeOnDrop;

    // P-21: without the feature `zeroize` of the cipher this does not compile.
    #[test]
    fn what_a_key_was_taken_into_is_zeroed_too() {
        fn is_zeroed<T: ZeroizeOnDrop>() {}

        is_zeroed::<XChaCha20Poly1305>();
    }
}
