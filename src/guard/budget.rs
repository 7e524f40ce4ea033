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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{Guard, guard::Watch};

    const IP: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));

    fn rules(guard: Guard) -> Arc<Rules> {
        let watch = Watch::default();
        watch.set(Some(guard));
        watch.rules().unwrap()
    }

    /// How many bytes were left, if the budget allows no more.
    fn left(budget: &Budget, len: usize) -> Option<usize> {
        match budget.spend(len, IP) {
            Ok(()) => None,
            Err(SendError::OverBudget { len: refused, left }) if refused == len => Some(left),
            Err(error) => panic!("{error:?}"),
        }
    }

    //
    #[test]
    fn what_a_peer_has_sent_allows_three_times_as_much_until_it_is_validated() {
        let rules = rules(Guard::internet().reply_rate(None));
        let budget = Budget::new(&rules);
        budget.received(4);
        budget.received(1);

        assert_eq!(left(&budget, 10), None);
        assert_eq!(left(&budget, 6), Some(5));
        assert_eq!(left(&budget, 5), None);
        assert_eq!(left(&budget, 1), Some(0));

        budget.validate();
        assert!(budget.is_validated());
        assert_eq!(left(&budget, 1_000_000), None);

        budget.received(100);
        budget.renew();
        assert!(!budget.is_validated());
        assert_eq!(left(&budget, 1), Some(0), "it is the budget of another peer");
    }

    //
    #[tokio::test(start_paused = true)]
    async fn a_reply_that_the_rate_refuses_costs_no_bytes() {
        let budget = Budget::new(&rules(Guard::internet().reply_rate(1).reply_burst(2)));
        budget.received(10);
        assert!(budget.spend(10, IP).is_ok() && budget.spend(10, IP).is_ok());

        assert!(matches!(budget.spend(10, IP), Err(SendError::OverRate)));

        assert!(budget.spend(10, None).is_ok(), "without an IP address there is no rate");
        assert_eq!(left(&budget, 1), Some(0));
    }

    //
    #[test]
    fn a_peer_counts_from_its_conversation_until_that_is_over_or_the_peer_is_validated() {
        let rules = rules(Guard::internet());
        let [first, second] = [(); 2].map(|()| Budget::new(&rules));
        first.count();
        first.count();
        second.count();
        assert_eq!(rules.unvalidated(), 2);

        first.validate();
        first.uncount();
        first.count();
        assert_eq!(rules.unvalidated(), 1);

        second.uncount();
        assert_eq!(rules.unvalidated(), 0);
    }

    // a guard applies to conversations that begin afterwards
    #[test]
    fn a_budget_keeps_the_rules_with_which_it_began() {
        let second = Duration::from_secs(1);
        let (before, after) = (rules(Guard::internet()), rules(Guard::internet()));
        let budget = Budget::new(&rules(Guard::internet().max_conversation_time(second)));

        assert!(Budget::new(&before).has_rules(&before) && !Budget::new(&before).has_rules(&after));
        assert_eq!(budget.max_conversation_time(), Some(second));
    }
}
