//! What a network in memory does to datagrams.

use std::{ops::RangeInclusive, time::Duration};

/// What a [`Network`](super::Network) does to datagrams. By default it delivers all of them at once.
#[derive(Clone, Debug)]
pub struct Conditions {
    pub(super) loss: f64,
    pub(super) duplicate: f64,
    pub(super) reorder: f64,
    pub(super) delay: RangeInclusive<Duration>,
    pub(super) mtu: usize,
    pub(super) buffer: usize,
}

impl Conditions {
    /// Sets the probability, from 0 to 1, that a datagram is lost.
    #[must_use]
    pub const fn loss(mut self, probability: f64) -> Self {
        self.loss = probability;
        self
    }

    /// Sets the probability, from 0 to 1, that a datagram arrives twice.
    #[must_use]
    pub const fn duplicate(mut self, probability: f64) -> Self {
        self.duplicate = probability;
        self
    }

    /// Sets the probability, from 0 to 1, that a datagram is held back for up to 10 ms, so that others
    /// overtake it.
    #[must_use]
    pub const fn reorder(mut self, probability: f64) -> Self {
        self.reorder = probability;
        self
    }

    /// Sets how long a datagram is under way: any time of the range is as likely as any other, so a
    /// wide range reorders.
    #[must_use]
    pub const fn delay(mut self, delay: RangeInclusive<Duration>) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the longest datagram, in bytes, that gets through; a longer one is lost. By default there
    /// is no bound beyond that of UDP.
    #[must_use]
    pub const fn mtu(mut self, bytes: usize) -> Self {
        self.mtu = bytes;
        self
    }

    /// Sets how many datagrams may be under way to one socket; what comes beyond is lost. The default
    /// is 4,096.
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
