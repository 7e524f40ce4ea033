use crate::transport::RecvBatch;

/// What one system call has received for a client, until somebody takes it.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) batch: RecvBatch,
    /// How many datagrams of it were taken, and how many that were too long.
    taken: usize,
    too_long: usize,
}

/// The next datagram of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    Datagram(&'a [u8]),
    /// One that is longer than the receive limit.
    TooLong,
}

impl Arrived {
    /// For datagrams of up to `limit` octets.
    pub(super) fn new(limit: usize) -> Self {
        Self { batch: RecvBatch::new(limit), taken: 0, too_long: 0 }
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.batch.len() && self.too_long == self.batch.truncated()
    }

    /// Makes room for another batch.
    pub(super) fn clear(&mut self) {
        self.batch.clear();
        (self.taken, self.too_long) = (0, 0);
    }

    /// Takes what came first.
    pub(super) fn take(&mut self) -> Option<Next<'_>> {
        if self.batch.truncated_behind(self.too_long) == Some(self.taken) {
            self.too_long += 1;
            return Some(Next::TooLong);
        }
        let at = self.taken;
        (at < self.batch.len()).then(|| {
            self.taken += 1;
            Next::Datagram(self.batch.datagram(at))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    //
    #[test]
    fn datagrams_are_taken_in_the_order_they_came_and_one_that_is_too_long_at_its_place() {
        let mut arrived = Arrived::new(4);
        let receive = |arrived: &mut Arrived, datagram: &[u8]| {
            let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into();
            arrived.batch.room().unwrap()[..datagram.len()].copy_from_slice(datagram);
            arrived.batch.push(from, datagram.len());
        };
        for datagram in [&b"12345"[..], b"a", b"12345", b"12345", b"b"] {
            receive(&mut arrived, datagram);
        }

        assert_eq!(arrived.take(), Some(Next::TooLong));
        assert_eq!(arrived.take(), Some(Next::Datagram(b"a")));
        assert_eq!(arrived.take(), Some(Next::TooLong));
        assert!(!arrived.is_empty());
        assert_eq!(arrived.take(), Some(Next::TooLong));
        assert_eq!(arrived.take(), Some(Next::Datagram(b"b")));
        assert!(arrived.is_empty());
        assert_eq!(arrived.take(), None);

        arrived.clear();
        receive(&mut arrived, b"c");
        assert_eq!(arrived.take(), Some(Next::Datagram(b"c")));
    }
}
