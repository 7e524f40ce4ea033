//! The conditions of a network in memory.

use std::{ops::RangeInclusive, time::Duration};

/// The conditions of a [`Network`](super::Network): loss, delay, duplicates, reordering, MTU and buffers. By
/// default it delivers all datagrams without delay.
///
/// # Examples
///
/// ```
/// use datagrammar::testing::{Conditions, Network};
/// use std::time::Duration;
///
/// let mobile = Conditions::default()
///     .loss(0.02)
///     .delay(Duration::from_millis(40)..=Duration::from_millis(120))
///     .mtu(1_400);
/// let network = Network::new(7, mobile);
/// assert_eq!((network.sent(), network.lost()), (0, 0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) reorder: f64,
    pub(super) delay: RangeInclusive<Duration>,
    pub(super) mtu: usize,
    pub(super) buffer: usize,
}

impl Conditions {
    /// Sets the probability, from 0 to 1, that a datagram is lost. The default is 0.
    #[must_use]
    pub const fn loss(mut self, probability: f64) -> Self {
        self.loss = probability;
        self
    }

    /// Sets the probability, from 0 to 1, that a datagram arrives twice. The default is 0.
    #[must_use]
    pub const fn duplicate(mut self, probability: f64) -> Self {
        self.duplicate = probability;
        self
    }

    /// Sets the probability, from 0 to 1, that a datagram arrives up to 10 ms later, so that others overtake
    /// it. The default is 0.
    #[must_use]
    pub const fn reorder(mut self, probability: f64) -> Self {
        self.reorder = probability;
        self
    }

    /// Sets how long a datagram travels. Each time in the range is equally likely, so a wide range changes
    /// the order of datagrams. The default is 0.
    #[must_use]
    pub const fn delay(mut self, delay: RangeInclusive<Duration>) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the length of the longest datagram that the network carries, in bytes. Longer datagrams are lost.
    /// By default only the limit of UDP applies.
    #[must_use]
    pub const fn mtu(mut self, bytes: usize) -> Self {
        self.mtu = bytes;
        self
    }

    /// Sets how many datagrams to one socket may travel or wait at the same time. Further datagrams are lost.
    /// The default is 4,096.
    #[must_use]
    pub const fn buffer(mut self, datagrams: usize) -> Self {
        self.buffer = datagrams;
        self
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            delay: Duration::ZERO..=Duration::ZERO,
            mtu: usize::MAX,
            buffer: 4096,
        }
    }
}
