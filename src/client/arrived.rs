//! Datagrams that have arrived at a client and wait to be taken.

use crate::{
    Addr,
    transport::{Passed, RecvBatch},
};

/// The datagrams that one system call has received for a client, until they are taken.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) batch: RecvBatch,
    /// How many datagrams of the batch were taken, and how many that were too long.
    taken: usize,
    too_long: usize,
}

/// The next datagram of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    Datagram(&'a [u8]),
    /// A datagram that is longer than the receive limit.
    TooLong,
}

impl Arrived {
    /// Makes an empty batch for datagrams of up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { batch: RecvBatch::new(limit), taken: 0, too_long: 0 }
    }

    /// Whether everything was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.batch.len() && self.too_long == self.batch.truncated()
    }

    /// Makes room for another batch.
    pub(crate) fn clear(&mut self) {
        self.batch.clear();
        (self.taken, self.too_long) = (0, 0);
    }

    /// Takes what came with the datagram that [`take`](Self::take) has returned last.
    pub(crate) fn take_passed(&mut self) -> Option<Box<Passed>> {
        self.batch.take_passed(self.taken.checked_sub(1)?)
    }

    /// Takes datagrams from `peer`, as long as `skips` returns true for the next one.
    pub(crate) fn skip_while(&mut self, peer: &Addr, mut skips: impl FnMut(&[u8]) -> bool) {
        loop {
            let before = (self.taken, self.too_long);
            if !matches!(self.take(peer), Some(Next::Datagram(datagram)) if skips(datagram)) {
                (self.taken, self.too_long) = before;
                return;
            }
        }
    }

    /// Takes the first datagram from `peer`. It skips datagrams from other sources: these arrived before the
    /// socket was connected, and the kernel does not discard them.
    pub(crate) fn take(&mut self, peer: &Addr) -> Option<Next<'_>> {
        loop {
            if let Some((behind, from)) = self.batch.truncated_behind(self.too_long)
                && behind == self.taken
            {
                let strange = from.is_some_and(|from| from != peer);
                self.too_long += 1;
                if strange {
                    continue;
                }
                return Some(Next::TooLong);
            }
            let at = self.taken;
            if at == self.batch.len() {
                return None;
            }
            self.taken += 1;
            if self.batch.from(at) == peer {
                return Some(Next::Datagram(self.batch.datagram(at)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    fn addr(port: u16) -> Addr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
    }

    fn receive(arrived: &mut Arrived, from: u16, datagram: &[u8]) {
        arrived.batch.room().unwrap()[..datagram.len()].copy_from_slice(datagram);
        arrived.batch.push(addr(from), datagram.len());
    }

    //
    #[test]
    fn datagrams_are_taken_in_the_order_they_came_and_one_that_is_too_long_at_its_place() {
        let (mut arrived, peer) = (Arrived::new(4), addr(1));
        for datagram in [&b"12345"[..], b"a", b"12345", b"12345", b"b"] {
            receive(&mut arrived, 1, datagram);
        }

        assert_eq!(arrived.take(&peer), Some(Next::TooLong));
        assert_eq!(arrived.take(&peer), Some(Next::Datagram(b"a")));
        assert_eq!(arrived.take(&peer), Some(Next::TooLong));
        assert!(!arrived.is_empty());
        assert_eq!(arrived.take(&peer), Some(Next::TooLong));
        assert_eq!(arrived.take(&peer), Some(Next::Datagram(b"b")));
        assert!(arrived.is_empty());
        assert_eq!(arrived.take(&peer), None);

        arrived.clear();
        receive(&mut arrived, 1, b"c");
        assert_eq!(arrived.take(&peer), Some(Next::Datagram(b"c")));
    }

    //
    #[test]
    fn what_is_not_skipped_stays_in_its_order() {
        let (mut arrived, peer) = (Arrived::new(4), addr(1));
        for (from, datagram) in
            [(1, &b"s1"[..]), (2, b"x"), (1, b"s2"), (1, b"12345"), (1, b"s3"), (1, b"a")]
        {
            receive(&mut arrived, from, datagram);
        }
        let mut skipped = Vec::new();
        let mut skip = |arrived: &mut Arrived| {
            arrived.skip_while(&peer, |datagram| {
                let skips = datagram[0] == b's';
                skipped.extend(skips.then(|| datagram[1]));
                skips
            });
        };

        skip(&mut arrived);
        skip(&mut arrived);
        assert_eq!(arrived.take(&peer), Some(Next::TooLong));
        skip(&mut arrived);
        assert_eq!(arrived.take(&peer), Some(Next::Datagram(b"a")));
        skip(&mut arrived);
        assert!(arrived.is_empty());
        assert_eq!(skipped, b"123");
    }

    // C-3, R-12
    #[test]
    fn datagrams_from_other_sources_are_skipped_also_if_they_are_too_long() {
        let (mut arrived, peer) = (Arrived::new(4), addr(1));
        for (from, datagram) in
            [(2, &b"12345"[..]), (2, b"you"), (1, b"me"), (3, b"12345"), (1, b"12345"), (2, b"")]
        {
            receive(&mut arrived, from, datagram);
        }

        assert_eq!(arrived.take(&peer), Some(Next::Datagram(b"me")));
        assert_eq!(arrived.take(&peer), Some(Next::TooLong));
        assert_eq!(arrived.take(&peer), None);
        assert!(arrived.is_empty());
    }
}
