//! What the store holds of a request.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lease::Lease;
use crate::{StoreError, digest::hex_key, unique};

/// Identifies a request in [`Replies`](super::Replies). While the server keeps it, the lease is renewed.
#[derive(Debug)]
pub struct ReplyKey {
    digest: [u8; 32],
    owner: [u8; 16],
    /// `None` if it has none, or the request has not begun.
    lease: Mutex<Option<Lease>>,
}

/// The format of the entries, and what they are. The owner of the request follows.
const CLAIM: [u8; 2] = [1, b'c'];
const REPLY: [u8; 2] = [1, b'r'];

impl ReplyKey {
    pub(super) fn new(digest: [u8; 32]) -> Self {
        Self { digest, owner: unique::owner(), lease: Mutex::default() }
    }

    pub(super) const fn owner(&self) -> [u8; 16] {
        self.owner
    }

    /// Returns the key of the entry.
    pub(super) fn name(&self) -> String {
        hex_key("r.", self.digest)
    }

    /// Returns the value of the entry while the request is served.
    pub(super) fn claim(&self) -> Vec<u8> {
        [&CLAIM[..], &self.owner].concat()
    }

    /// Returns the value of the entry when the request has a reply.
    pub(super) fn reply(&self, reply: &[u8]) -> Vec<u8> {
        [&REPLY[..], &self.owner, reply].concat()
    }

    /// Keeps a lease, until the request has a reply or this key is dropped. The first one counts.
    pub(super) fn keep(&self, lease: impl FnOnce() -> Lease) {
        self.lease().get_or_insert_with(lease);
    }

    pub(super) fn stop_renewing(&self) {
        if let Some(lease) = &*self.lease() {
            lease.stop_renewing();
        }
    }

    /// Returns whether another replica may have the request, because the lease was not renewed in time.
    pub(super) fn may_be_lost(&self) -> bool {
        self.lease().as_ref().is_some_and(Lease::is_over)
    }

    fn lease(&self) -> MutexGuard<'_, Option<Lease>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReplyKey {
    fn drop(&mut self) {
        self.stop_renewing();
    }
}

/// What the store knows of a request.
pub(super) enum Record {
    /// This owner serves it.
    Claim([u8; 16]),
    Reply(Vec<u8>),
}

impl Record {
    pub(super) fn read(mut value: Vec<u8>) -> Result<Self, StoreError> {
        match value.split_first_chunk() {
            Some((&CLAIM, owner)) => {
                Ok(Self::Claim(owner.try_into().map_err(|_| StoreError::Malformed)?))
            }
            Some((&REPLY, rest)) if rest.len() >= 16 => Ok(Self::Reply(value.split_off(18))),
            _ => Err(StoreError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O-50
    #[test]
    fn entries_have_a_format_an_owner_and_the_reply() {
        let key = ReplyKey { digest: [0xab; 32], owner: [7; 16], lease: Mutex::default() };

        assert_eq!(key.name(), format!("r.{}", "ab".repeat(32)));
        assert_eq!(
            key.claim(),
            b"\x01c\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07"
        );
        assert_eq!(
            key.reply(b"hi"),
            b"\x01r\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07hi"
        );
        assert!(matches!(Record::read(key.claim()), Ok(Record::Claim(owner)) if owner == [7; 16]));
        assert!(
            matches!(Record::read(key.reply(b"")), Ok(Record::Reply(reply)) if reply.is_empty())
        );
    }

    // O-50
    #[test]
    fn entries_of_another_format_are_refused() {
        for value in
            [&b""[..], b"\x01", b"\x01c\x07", b"\x02c1234567890123456", b"\x01x1234567890123456"]
        {
            assert!(
                matches!(Record::read(value.to_vec()), Err(StoreError::Malformed)),
                "{value:?}"
            );
        }
    }
}
