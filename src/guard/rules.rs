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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(guard: Guard) -> Rules {
        Rules::new(guard, &Arc::default())
    }

    //
    #[test]
    fn exactly_the_ports_of_the_list_are_refused() {
        let refused = |guard: Guard| {
            let rules = rules(guard);
            (0..=u16::MAX).filter(|port| rules.refuses_port(*port)).collect::<Vec<_>>()
        };

        let reflectors = [0, 17, 19, 53, 111, 123, 137, 138, 161, 389, 500];
        assert_eq!(refused(Guard::internet()), reflectors);
        assert_eq!(refused(Guard::internet().refused_ports([63, 64, 65_535])), [63, 64, 65_535]);
        assert!(refused(Guard::internet().refused_ports([])).is_empty());
    }

    //
    #[test]
    fn a_datagram_allows_a_multiple_of_its_length_and_at_least_the_least_budget() {
        assert_eq!(rules(Guard::internet()).allowance(7), 21);
        let least = rules(Guard::internet().reply_factor(2).min_reply_budget(10));
        assert_eq!([0, 5, 6].map(|len| least.allowance(len)), [10, 10, 12]);
        assert_eq!(rules(Guard::internet().reply_factor(None)).allowance(0), u64::MAX);
    }

    //
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_no_handler_gives_needs_room_in_the_budget_and_the_rate() {
        let rules = rules(Guard::internet().reply_rate(1).reply_burst(None));
        let ip = IpAddr::from([192, 0, 2, 7]);

        let over = rules.pay(10, 31, Some(ip));
        assert!(matches!(over, Err(SendError::OverBudget { len: 31, left: 30 })), "{over:?}");
        assert!(!rules.refuses_reply(ip));
        assert!(rules.pay(10, 30, Some(ip)).is_ok(), "what is over the budget pays no rate");
        assert!(matches!(rules.pay(10, 30, Some(ip)), Err(SendError::OverRate)));
        assert!(rules.refuses_reply(ip) && !rules.allows_reply(ip));
        assert!(rules.pay(10, 30, None).is_ok(), "without an IP address there is no rate");
    }

    //
    #[test]
    fn each_change_of_the_rules_has_another_version() {
        let watch = Watch::default();
        let versions = [Some(Guard::internet()), None].map(|guard| {
            let before = watch.version();
            watch.set(guard);
            (watch.rules().is_some(), watch.version() > before)
        });

        assert_eq!(versions, [(true, true), (false, true)]);
    }
}
