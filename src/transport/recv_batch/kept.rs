//! Datagrams that another process has received, or that are for another process.

use super::RecvBatch;
use crate::{Addr, transport::Ancillary};

impl RecvBatch {
    /// Adds a datagram that another process has received. There must be [`room`](Self::room).
    pub(crate) fn push_kept(&mut self, from: Addr, ancillary: Ancillary, datagram: &[u8]) {
        let Some(room) = self.room() else { return };
        let Some(room) = room.get_mut(..datagram.len()) else {
            return self.push_truncated(Some(from));
        };
        room.copy_from_slice(datagram);
        if datagram.len() <= self.limit && ancillary != Ancillary::default() {
            self.ancillary.resize(self.arrived.len(), Ancillary::default());
            self.ancillary.push(ancillary);
        }
        self.push(from, datagram.len());
    }

    /// Keeps only the datagrams for which `keep` returns true.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Addr, Ancillary, &[u8]) -> bool) {
        let is_removed = |i: &usize| !keep(self.from(*i), self.ancillary(*i), self.datagram(*i));
        let removed: Vec<_> = (0..self.len()).filter(is_removed).collect();
        self.remove(&removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrafficClass;

    fn addr(port: u16) -> Addr {
        std::net::SocketAddr::from(([192, 0, 2, 7], port)).into()
    }

    fn class(byte: u8) -> Ancillary {
        Ancillary { traffic_class: Some(TrafficClass::from(byte)), ..Ancillary::default() }
    }

    /// Four datagrams from ports 1, 2, 1 and 2, and one between them that was too long.
    fn batch() -> RecvBatch {
        let mut batch = RecvBatch::new(4);
        batch.push_kept(addr(1), Ancillary::default(), b"a");
        batch.push_kept(addr(2), class(2), b"bb");
        batch.push_kept(addr(3), class(9), b"12345");
        batch.push_kept(addr(1), Ancillary::default(), b"");
        batch.push_kept(addr(2), class(4), b"dddd");
        batch
    }

    // O-31, R-12
    #[test]
    fn datagrams_of_another_process_are_as_if_they_were_received() {
        let batch = batch();

        let all: Vec<_> = (0..batch.len())
            .map(|i| (batch.from(i).port().unwrap(), batch.datagram(i), batch.ancillary(i)))
            .collect();
        let none = Ancillary::default();
        let expected: [(_, &[u8], _); 4] =
            [(1, b"a", none), (2, b"bb", class(2)), (1, b"", none), (2, b"dddd", class(4))];
        assert_eq!(all, expected);
        assert_eq!((batch.truncated(), batch.total()), (1, 7));
    }

    // O-31
    #[test]
    fn what_is_taken_out_leaves_the_others_with_what_came_with_them() {
        let mut batch = batch();

        batch.retain(|from, _, _| *from == addr(2));

        let all: Vec<_> =
            (0..batch.len()).map(|i| (batch.datagram(i), batch.ancillary(i))).collect();
        assert_eq!(all, [(&b"bb"[..], class(2)), (b"dddd", class(4))]);
        assert_eq!((batch.total(), batch.truncated_behind(0)), (6, Some((1, Some(&addr(3))))));
        batch.retain(|_, _, _| false);
        assert_eq!((batch.len(), batch.truncated()), (0, 1));
    }
}
