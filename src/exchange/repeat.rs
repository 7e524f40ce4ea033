//! When a packet is repeated, and what becomes of duplicates.

use std::time::Duration;

use crate::timing::Timing;

/// When [`Client::exchange_with`](crate::Client::exchange_with) and [`Peer::exchange_with`](crate::Peer::exchange_with)
/// repeat a packet. Every option has a default. (A [`RequestClient`](crate::RequestClient) has these options on its
/// builder.)
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Peer, Repeat};
/// use std::time::Duration;
///
/// /// Asks up to four times, first after half a second.
/// async fn confirm(peer: &mut Peer<String, String>) -> Result<bool, BoxError> {
///     let repeat = Repeat::default().initial_timeout(Duration::from_millis(500)).max_attempts(4);
///     Ok(peer.exchange_with("sure?".to_owned(), &repeat).await? == "yes")
/// }
/// ```
#[derive(Clone, Debug)]
#[doc(alias("retry", "retransmit", "backoff"))]
#[must_use = "it only takes effect in `exchange_with` or `begin_exchange`"]
pub struct Repeat {
    pub(super) timing: Timing,
    pub(super) max_attempts: u32,
    pub(super) duplicates: Duplicates,
    pub(super) seed: Option<u64>,
}

impl Repeat {
    /// Sets the first timer, as long as the round-trip time of this client or conversation is not known. The default is 1 s
    /// (RFC 8085). Later it follows the round-trip time: SRTT + 4 · RTTVAR (RFC 6298).
    pub fn initial_timeout(mut self, timeout: Duration) -> Self {
        self.timing.initial = timeout;
        self
    }

    /// Sets the shortest timer. The default is 200 ms.
    pub fn min_timeout(mut self, timeout: Duration) -> Self {
        self.timing.min = timeout;
        self
    }

    /// Sets the longest timer. Timers double up to it, ± 10 %. The default is 16 s.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.timing.max = timeout;
        self
    }

    /// Sets all timers to the same time: the packet is repeated at this interval, whatever the round-trip time is. It
    /// replaces the [first](Self::initial_timeout), the [shortest](Self::min_timeout) and the
    /// [longest](Self::max_timeout) timer.
    ///
    /// Take it if the protocol prescribes an interval, such as the option `timeout` of TFTP (RFC 2349). Without longer
    /// and longer timers, nothing relieves a network that loses datagrams because of overload.
    pub fn fixed_timeout(self, timeout: Duration) -> Self {
        self.initial_timeout(timeout).min_timeout(timeout).max_timeout(timeout)
    }

    /// Sets how long an exchange lasts in all. The default is 30 s.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.timing.total = timeout;
        self
    }

    /// Sets how often the packet is sent at most, without the repetitions that answer
    /// [duplicates](Self::duplicates). By default, only the total time limits it. 0 counts as 1.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets what happens to duplicates of the previous packet. By default they are skipped.
    pub fn duplicates(mut self, duplicates: Duplicates) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// Sets the seed of the jitter of timers, for tests. By default it is random.
    #[cfg(feature = "testing")]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl Default for Repeat {
    fn default() -> Self {
        Self {
            timing: Timing::default(),
            max_attempts: u32::MAX,
            duplicates: Duplicates::Skip,
            seed: None,
        }
    }
}

/// What an exchange does with a datagram that has the same bytes as the previous packet, which the peer or the network
/// has sent once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Duplicates {
    /// It is skipped. If both sides answered duplicates, one delayed packet would double all that follow (RFC 1123,
    /// section 4.2.3.1), so only one side may answer them.
    #[default]
    Skip,
    /// It is answered: the packet of the exchange is sent once more for each duplicate. For protocols whose other side
    /// alone repeats packets.
    Answer,
    /// It is a packet like any other. For protocols in which a peer may send two equal packets one after the other.
    Accept,
}
