//! A list of secrets that changes while servers run.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::secret::TokenSecret;
use crate::TokenSecretError;

/// The secrets of [`AddressTokens`](crate::AddressTokens), up to [`MAX`](Self::MAX): the first one signs, and tokens of all
/// of them are valid.
///
/// Clones share one list, so a program can keep a clone and change the secrets while its servers run. Servers with the same
/// secrets accept each other's tokens, and need no store for that.
///
/// # New secrets
///
/// Replace a secret at times, once a month for example, and at once if somebody else may know it. A server that shares its
/// secret with nobody calls [`roll`](Self::roll), and clients notice nothing. Servers that share their secrets take three
/// steps ([RFC 9018], section 5). Each one begins when the one before it is done on all servers:
///
/// 1. `replace([old, new])`: all servers accept tokens of the new secret.
/// 2. `replace([new, old])`: they sign with it.
/// 3. `replace([new])`, when the lifetime of a token has passed.
///
/// [RFC 9018]: https://www.rfc-editor.org/rfc/rfc9018#section-5
///
/// # Examples
///
/// ```
/// use datagrammar::{AddressTokens, TokenSecret, TokenSecrets};
/// use std::time::SystemTime;
///
/// let secrets = TokenSecrets::from(TokenSecret::generate()?);
/// let tokens = AddressTokens::new(secrets.clone());
/// let peer = tokens.for_peer("192.0.2.7:5000".parse()?, SystemTime::now());
/// let token = peer.issue(b"");
///
/// secrets.roll(TokenSecret::generate()?);
/// assert!(peer.is_valid(b"", &token));
/// assert_ne!(peer.issue(b""), token);
///
/// secrets.replace([TokenSecret::generate()?])?;
/// assert!(!peer.is_valid(b"", &token));
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias("key rotation", "rollover"))]
#[derive(Clone)]
pub struct TokenSecrets {
    /// At least one. It never grows beyond its capacity, so no copy of a secret stays behind in memory that was freed.
    list: Arc<RwLock<Vec<TokenSecret>>>,
}

impl TokenSecrets {
    /// How many secrets there are at most: 4. Each one makes it more expensive to refuse a forged token, by one hash.
    pub const MAX: usize = 4;

    /// Makes a list of 1 to [`MAX`](Self::MAX) secrets, of which the first one signs.
    ///
    /// # Errors
    ///
    /// Returns an error if there are none, or more.
    pub fn new(secrets: impl IntoIterator<Item = TokenSecret>) -> Result<Self, TokenSecretError> {
        Ok(Self { list: Arc::new(RwLock::new(list(secrets)?)) })
    }

    /// Lets `secret` sign from now on. Tokens of the secrets before stay valid until their time is over; with more than
    /// [`MAX`](Self::MAX) secrets, the last of the list is forgotten.
    pub fn roll(&self, secret: TokenSecret) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        list.truncate(Self::MAX - 1);
        list.insert(0, secret);
    }

    /// Replaces all secrets, also in clones of this list. Tokens of a secret that is not among the new ones are not valid any
    /// more.
    ///
    /// # Errors
    ///
    /// Returns an error if there are none, or more than [`MAX`](Self::MAX). Then the list stays as it was.
    pub fn replace(
        &self,
        secrets: impl IntoIterator<Item = TokenSecret>,
    ) -> Result<(), TokenSecretError> {
        let new = list(secrets)?;
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Returns how many secrets there are.
    fn len(&self) -> usize {
        self.list.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Hashes with the secret that signs.
    pub(super) fn sign(&self, hash: impl Fn(&TokenSecret) -> u64) -> u64 {
        hash(&self.list.read().unwrap_or_else(PoisonError::into_inner)[0])
    }

    /// Returns the place in the list of the secret for which `is_signed` is true.
    pub(super) fn position(&self, is_signed: impl Fn(&TokenSecret) -> bool) -> Option<usize> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).iter().position(is_signed)
    }
}

impl fmt::Debug for TokenSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecrets").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl From<TokenSecret> for TokenSecrets {
    fn from(secret: TokenSecret) -> Self {
        let mut list = Vec::with_capacity(Self::MAX);
        list.push(secret);
        Self { list: Arc::new(RwLock::new(list)) }
    }
}

fn list(
    secrets: impl IntoIterator<Item = TokenSecret>,
) -> Result<Vec<TokenSecret>, TokenSecretError> {
    let mut list = Vec::with_capacity(TokenSecrets::MAX);
    for secret in secrets {
        if list.len() == TokenSecrets::MAX {
            return Err(TokenSecretError::too_many(TokenSecrets::MAX));
        }
        list.push(secret);
    }
    if list.is_empty() { Err(TokenSecretError::none()) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> TokenSecret {
        [byte; 16].into()
    }

    /// The places of the secrets with these bytes.
    fn places<const N: usize>(secrets: &TokenSecrets, bytes: [u8; N]) -> [Option<usize>; N] {
        let hash = |secret: &TokenSecret| secret.hash(b"", b"");
        bytes.map(|byte| secrets.position(|found| hash(found) == hash(&secret(byte))))
    }

    // A-32
    #[test]
    fn a_list_has_one_to_four_secrets() {
        let secrets = |n: u8| TokenSecrets::new((0..n).map(secret));

        assert_eq!(secrets(0).unwrap_err().to_string(), "the list has no secret");
        assert_eq!((1..=4).map(|n| secrets(n).unwrap().len()).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(secrets(5).unwrap_err().to_string(), "more secrets than the limit of 4");
        assert!(TokenSecrets::new(std::iter::repeat_with(|| secret(1))).is_err());
    }

    // A-32
    #[test]
    fn a_new_secret_signs_and_the_last_one_is_forgotten() {
        let secrets = TokenSecrets::from(secret(1));
        let clone = secrets.clone();

        (2..=4).for_each(|byte| secrets.roll(secret(byte)));
        assert_eq!(places(&clone, [4, 3, 2, 1]), [Some(0), Some(1), Some(2), Some(3)]);
        let capacity = secrets.list.read().unwrap().capacity();
        secrets.roll(secret(5));
        assert_eq!(places(&clone, [5, 4, 2, 1]), [Some(0), Some(1), Some(3), None]);
        assert_eq!(secrets.list.read().unwrap().capacity(), capacity);
    }

    // A-32
    #[test]
    fn a_list_that_is_refused_replaces_nothing() {
        let secrets = TokenSecrets::from(secret(1));

        assert!(secrets.replace([]).is_err() && secrets.replace((0..5).map(secret)).is_err());
        assert_eq!(places(&secrets, [1]), [Some(0)]);
        secrets.clone().replace([secret(2), secret(3)]).unwrap();
        assert_eq!(places(&secrets, [2, 3, 1]), [Some(0), Some(1), None]);
    }

    // A-32
    #[test]
    fn nothing_shows_a_list() {
        let secrets = TokenSecrets::new([secret(0x5a), secret(0x5b)]).unwrap();

        assert_eq!(format!("{secrets:?}"), "TokenSecrets { len: 2, .. }");
    }
}
