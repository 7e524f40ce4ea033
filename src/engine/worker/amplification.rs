//! Notices that a server without a guard sends much more than it receives.

/// The bytes of requests, and those of the replies of conversations that did not wait.
#[derive(Debug, Default)]
pub(super) struct Amplification {
    pub(super) received: u64,
    pub(super) sent: u64,
}

/// So many times as much may be sent, as QUIC allows.
const FACTOR: u64 = 3;

/// Less is not worth an event.
const LEAST: u64 = 1 << 20;

impl Amplification {
    /// Whether an attacker could use the server to amplify traffic.
    #[inline]
    pub(super) const fn is_large(&self) -> bool {
        self.sent >= LEAST && self.sent / FACTOR > self.received
    }

    /// The ratio, in tenths. Begins to count again.
    pub(super) fn take(&mut self) -> u64 {
        let Self { received, sent } = std::mem::take(self);
        10 * sent / received.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn only_much_more_than_three_times_is_large() {
        let large = |received, sent| Amplification { received, sent }.is_large();

        assert!(!large(0, LEAST - 1) && large(0, LEAST));
        assert!(!large(LEAST, 3 * LEAST + 2) && large(LEAST, 3 * LEAST + 3));
        assert_eq!(Amplification { received: 0, sent: 7 }.take(), 70);
        assert_eq!(Amplification { received: 4, sent: 50 }.take(), 125);
    }
}
