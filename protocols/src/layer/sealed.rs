//! Encryption and authentication: XChaCha20-Poly1305.

use std::{borrow::Cow, fmt};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{self, AeadInOut},
};

use super::{interface::Layer, sealing_key::SealingKey};
use crate::{
    error::{DecodeError, EncodeError},
    shape::Shape,
};

/// Encrypts and authenticates datagrams with a shared key. It refuses datagrams that were not
/// sealed with that key.
///
/// The cipher is XChaCha20-Poly1305 ([draft-irtf-cfrg-xchacha-03], based on [RFC 8439]), as in
/// libsodium. A sealed datagram is 41 bytes longer than the payload:
///
/// | bytes | what |
/// | --- | --- |
/// | 1 | id of the key |
/// | 24 | nonce: random bytes from the operating system, new for each datagram |
/// | length of the payload | ciphertext |
/// | 16 | tag |
///
/// The tag authenticates the associated data too: the id, followed by the [context](Self::context).
///
/// A datagram is refused if it is altered, cut, too short, sealed with another key, or sealed in
/// another context. All these cases give the same error, before the inner protocol sees any byte.
/// Tags are compared in constant time.
///
/// It does not hide the length, time and destination of a datagram. It does not refuse a sealed
/// datagram that somebody recorded and sends again: for that, put a sequence number into each
/// packet and check it with a [`ReplayWindow`](crate::ReplayWindow).
///
/// Nonces of 192 random bits do not repeat in practice: the chance is below 2⁻³² for the first 2⁸⁰
/// datagrams of a key.
///
/// # Cost
///
/// Each nonce comes from the operating system, so sealing takes a system call. Opening allocates a
/// buffer as long as the datagram, also for a forged one. A datagram that is too short or has an
/// unknown id is refused without that cost.
///
/// [draft-irtf-cfrg-xchacha-03]: https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03
/// [RFC 8439]: https://www.rfc-editor.org/rfc/rfc8439
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{DatagramProtocol, Sealed, SealingKey, Text};
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
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("encrypt", "aead"))]
#[derive(Clone)]
pub struct Sealed {
    sealing: Key,
    accepted: Vec<Key>,
}

impl Sealed {
    /// Creates a layer that seals with `key`, and opens datagrams that are sealed with it.
    ///
    /// The `id` is sent with each datagram, so that the receiver finds the key among those that it
    /// accepts. Any number works, as long as each key has its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Sealed, SealingKey, Text};
    ///
    /// let key = SealingKey::from([7; 32]); // from a file, in a program
    /// let protocol = Text.layer(Sealed::new(1, &key));
    ///
    /// let mut datagram = Vec::new();
    /// protocol.encode(&"swordfish".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(datagram[0], 1);
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub fn new(id: u8, key: &SealingKey) -> Self {
        Self { sealing: Key::new(id, key, &[]), accepted: Vec::new() }
    }

    /// Also opens datagrams that are sealed with `key` under this `id`, while one key replaces
    /// another.
    ///
    /// More keys cost no time, as the id selects the key.
    ///
    /// # Panics
    ///
    /// Panics if another key has this id already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Sealed, SealingKey, Text};
    ///
    /// let (old, new) = (SealingKey::generate()?, SealingKey::generate()?);
    /// let server = Text.layer(Sealed::new(2, &new).accepting(1, &old));
    /// let client = Text.layer(Sealed::new(1, &old));
    ///
    /// let mut datagram = Vec::new();
    /// client.encode(&"swordfish".to_owned(), &mut datagram)?;
    ///
    /// assert_eq!(server.decode(&datagram)?, "swordfish");
    /// # Ok::<(), datagrammar::BoxError>(())
    /// ```
    #[must_use]
    pub fn accepting(mut self, id: u8, key: &SealingKey) -> Self {
        assert!(self.key(id).is_none(), "another key has the id {id}");
        self.accepted.push(Key::new(id, key, self.sealing.context()));
        self
    }

    /// Binds datagrams to bytes that both sides know: a datagram that is sealed in one context is
    /// refused in every other one. The context is not sent. The default is empty.
    ///
    /// It separates datagrams of one key: those to the server from those to the client, and those
    /// of one program, version or room from those of another.
    ///
    /// # Examples
    ///
    /// A server that refuses its own datagrams if somebody sends them back:
    ///
    /// ```
    /// # use datagrammar_protocols as datagrammar;
    /// use datagrammar::{DatagramProtocol, Sealed, SealingKey, Split, Text};
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
    /// # Ok::<(), datagrammar::BoxError>(())
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
        // From the operating system each time. A generator in this process would repeat its nonces
        // in a fork of the process, or in a copy of its virtual machine.
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
        opened().ok_or(DecodeError::layer("the datagram is not sealed with any accepted key"))
    }

    fn shape(&self, payload: &Shape) -> Shape {
        let ids = self.keys().map(|key| Shape::prefix([key.id()])).reduce(Shape::or);
        // The ciphertext has the length of the payload, and any bytes.
        let lengths = payload.patterns().iter().map(|pattern| Shape::lengths(pattern.lengths()));
        let sealed = lengths.reduce(Shape::or).unwrap_or_else(|| payload.clone());
        sealed.with_header(1 + NONCE_LEN).with_trailer(TAG_LEN).and(ids.unwrap_or_else(Shape::any))
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
    /// The id, followed by the context. The id is authenticated, so nobody can change it to the id
    /// of another entry with the same key.
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

    // P-21: this does not compile without the feature `zeroize` of the cipher.
    #[test]
    fn the_state_made_from_a_key_is_zeroed_too() {
        fn is_zeroed<T: ZeroizeOnDrop>() {}

        is_zeroed::<XChaCha20Poly1305>();
    }
}
