//! How much a peer may be sent before it has proven its address.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::Rules;
use crate::SendError;

/// The budget of one peer: what its datagrams allow the server to send to it, until its address is validated. The
/// conversation of the peer and all its senders share it.
pub(crate) struct Budget {
    rules: Arc<Rules>,
    /// How many more bytes may be sent.
    left: AtomicU64,
    validated: AtomicBool,
    /// Whether this counts as one of the peers in conversation that are not validated.
    counted: AtomicBool,
}

impl Budget {
    pub(crate) fn new(rules: &Arc<Rules>) -> Arc<Self> {
        Arc::new(Self {
            rules: Arc::clone(rules),
            left: AtomicU64::new(0),
            validated: AtomicBool::new(false),
            counted: AtomicBool::new(false),
        })
    }

    /// Makes this the budget of another peer. Nobody else uses it.
    pub(crate) fn renew(&self) {
        self.left.store(0, Relaxed);
        self.validated.store(false, Relaxed);
    }

    /// Whether these are its rules.
    pub(crate) fn has_rules(&self, rules: &Arc<Rules>) -> bool {
        Arc::ptr_eq(&self.rules, rules)
    }

    /// The handler has received a datagram of `len` bytes.
    #[inline]
    pub(crate) fn received(&self, len: usize) {
        let more = self.rules.allowance(len);
        let added = |left: u64| Some(left.saturating_add(more));
        let _ = self.left.fetch_update(Relaxed, Relaxed, added);
    }

    /// Pays for a datagram of `len` bytes to `ip`.
    ///
    /// # Errors
    ///
    /// Returns an error if the budget or the rate of replies does not allow it. Then nothing was paid.
    pub(crate) fn spend(&self, len: usize, ip: Option<IpAddr>) -> Result<(), SendError> {
        if self.is_validated() {
            return Ok(());
        }
        let cost = len as u64;
        let paid = |left: u64| left.checked_sub(cost);
        if let Err(left) = self.left.fetch_update(Relaxed, Relaxed, paid) {
            return Err(SendError::OverBudget { len, left: left as usize });
        }
        if ip.is_some_and(|ip| !self.rules.allows_reply(ip)) {
            self.left.fetch_add(cost, Relaxed);
            return Err(SendError::OverRate);
        }
        Ok(())
    }

    /// How long the conversation of the peer may last, unless it is validated.
    pub(crate) fn max_conversation_time(&self) -> Option<Duration> {
        self.rules.max_conversation_time()
    }

    pub(crate) fn is_validated(&self) -> bool {
        self.validated.load(Relaxed)
    }

    /// The peer has proven that it receives at its address.
    pub(crate) fn validate(&self) {
        self.validated.store(true, Relaxed);
        self.uncount();
    }

    /// The peer has a conversation that waits.
    pub(crate) fn count(&self) {
        if !self.is_validated() && !self.counted.swap(true, Relaxed) {
            self.rules.unvalidated.fetch_add(1, Relaxed);
        }
    }

    /// The conversation is over, or the peer is validated.
    pub(crate) fn uncount(&self) {
        if self.counted.swap(false, Relaxed) {
            self.rules.unvalidated.fetch_sub(1, Relaxed);
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("left", &self.left)
            .field("validated", &self.validated)
            .finish_non_exhaustive()
    }
}
