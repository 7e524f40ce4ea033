//! The rules of a guard, which can be replaced while the server serves.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Guard, reply_rates::ReplyRates};
use crate::{SendError, lock::locked};

/// A guard, and what it knows about sources.
pub(crate) struct Rules {
    guard: Guard,
    /// One bit for each port whose datagrams are refused.
    ports: Box<[u64; 1 << 10]>,
    reply_rates: Option<ReplyRates>,
    /// How many peers in conversation are not validated.
    pub(super) unvalidated: Arc<AtomicUsize>,
}

impl Rules {
    fn new(guard: Guard, unvalidated: &Arc<AtomicUsize>) -> Self {
        let mut ports = Box::new([0; 1 << 10]);
        for &port in guard.get_refused_ports() {
            ports[usize::from(port) / 64] |= 1 << (port % 64);
        }
        let reply_rates = guard.get_reply_rate().map(|per_second| {
            ReplyRates::new(per_second, guard.get_reply_burst().unwrap_or(per_second))
        });
        Self { guard, ports, reply_rates, unvalidated: Arc::clone(unvalidated) }
    }

    /// Whether datagrams from this port are refused.
    #[inline]
    pub(crate) fn refuses_port(&self, port: u16) -> bool {
        self.ports[usize::from(port) / 64] & 1 << (port % 64) != 0
    }

    /// Whether a reply to `ip` would be refused because of the rate of replies.
    #[inline]
    pub(crate) fn refuses_reply(&self, ip: IpAddr) -> bool {
        self.reply_rates.as_ref().is_some_and(|rates| rates.refuses(ip))
    }

    /// How long a conversation may last whose peer is not validated.
    pub(crate) const fn max_conversation_time(&self) -> Option<Duration> {
        self.guard.get_max_conversation_time()
    }

    /// How many peers in conversation are not validated.
    pub(crate) fn unvalidated(&self) -> usize {
        self.unvalidated.load(Ordering::Relaxed)
    }

    pub(crate) fn allows_reply(&self, ip: IpAddr) -> bool {
        self.reply_rates.as_ref().is_none_or(|rates| rates.allows(ip))
    }

    /// How many bytes a datagram of `len` bytes allows the server to send to a peer that is not validated.
    #[inline]
    pub(crate) fn allowance(&self, len: usize) -> u64 {
        let factor = self.guard.get_reply_factor();
        let Some(factor) = factor else { return u64::MAX };
        (u64::from(factor) * len as u64).max(self.guard.get_min_reply_budget() as u64)
    }

    /// Pays for an answer of `answer` bytes to a peer that is not validated. It answers a datagram of `len` bytes that no
    /// handler receives.
    ///
    /// # Errors
    ///
    /// Returns an error if that datagram does not allow it, or the rate of replies.
    pub(crate) fn pay(
        &self,
        len: usize,
        answer: usize,
        ip: Option<IpAddr>,
    ) -> Result<(), SendError> {
        let left = self.allowance(len);
        if answer as u64 > left {
            return Err(SendError::OverBudget { len: answer, left: left as usize });
        }
        if ip.is_some_and(|ip| !self.allows_reply(ip)) {
            return Err(SendError::OverRate);
        }
        Ok(())
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("guard", &self.guard).finish_non_exhaustive()
    }
}

/// The rules of a server. All sockets share it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Rises with each change.
    version: AtomicU64,
    rules: Mutex<Option<Arc<Rules>>>,
    unvalidated: Arc<AtomicUsize>,
}

impl Watch {
    /// Replaces the rules. Conversations that run keep theirs.
    pub(crate) fn set(&self, guard: Option<Guard>) {
        let rules = guard.map(|guard| Arc::new(Rules::new(guard, &self.unvalidated)));
        *locked(&self.rules) = rules;
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn rules(&self) -> Option<Arc<Rules>> {
        locked(&self.rules).clone()
    }
}
