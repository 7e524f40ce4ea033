//! Takes the headers of proxies off the datagrams of a batch.

use super::RecvBatch;
use crate::{Addr, proxy::Payload};

impl RecvBatch {
    /// Takes the header off each datagram that `judge` accepts, and removes those that it does not accept. What is longer than
    /// `limit` without its header counts as truncated.
    ///
    /// The numbers of the datagrams change, so it must be called before they are used.
    pub(crate) fn sift(
        &mut self,
        limit: usize,
        mut judge: impl FnMut(&Addr, &[u8]) -> Option<Payload>,
    ) {
        let mut removed = Vec::new();
        for at in 0..self.len() {
            let Some(Payload { header, from }) = judge(self.from(at), self.datagram(at)) else {
                removed.push(at);
                continue;
            };
            self.strip(at, header);
            let (addr, bytes) = &mut self.arrived[at];
            if let Some(from) = from {
                *addr = from;
            }
            if bytes.len() > limit {
                self.truncated.push((at, Some(addr.clone())));
                removed.push(at);
            }
        }
        // In order of the datagrams before them.
        self.truncated.sort_by_key(|(behind, _)| *behind);
        self.remove(&removed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::transport::Ancillary;

    fn peer(port: u16) -> Addr {
        SocketAddr::from(([192, 0, 2, 7], port)).into()
    }

    // O-3, G-9
    #[test]
    fn what_is_left_keeps_its_source_its_ancillary_data_and_its_order() {
        let told =
            |byte: u8| Ancillary { traffic_class: Some(byte.into()), ..Ancillary::default() };
        let mut batch = RecvBatch::new(8);
        for (port, datagram) in
            [(1, "__a"), (2, "no"), (3, "__b"), (4, "__long"), (5, "__c"), (6, "no")]
        {
            let room = batch.room().unwrap();
            room[..datagram.len()].copy_from_slice(datagram.as_bytes());
            batch.push(peer(port), datagram.len());
        }
        batch.ancillary = vec![told(1), told(2), told(3)];

        batch.sift(3, |from, datagram| {
            let from = (from.port() == Some(3)).then(|| peer(30));
            datagram.starts_with(b"__").then_some(Payload { header: 2, from })
        });

        let left: Vec<_> = (0..batch.len())
            .map(|i| (batch.from(i).port(), batch.datagram(i), batch.ancillary(i)))
            .collect();
        let nothing = Ancillary::default();
        let expected: [(_, &[u8], _); 3] =
            [(Some(1), b"a", told(1)), (Some(30), b"b", told(3)), (Some(5), b"c", nothing)];
        assert_eq!(left, expected);
        assert_eq!((batch.total(), batch.truncated()), (3, 1));
    }

    // O-25, G-9
    #[test]
    fn those_that_were_too_long_keep_their_places() {
        let mut batch = RecvBatch::new(3);
        let mut push = |port, datagram: &str| {
            let room = batch.room().unwrap();
            let len = datagram.len().min(room.len());
            room[..len].copy_from_slice(&datagram.as_bytes()[..len]);
            batch.push(peer(port), datagram.len());
        };
        push(1, "no");
        push(2, "too long");
        push(3, "__a");
        push(4, "no");
        push(5, "too long");

        batch.sift(0, |_, datagram| {
            datagram.starts_with(b"__").then_some(Payload { header: 2, from: None })
        });

        let behind: Vec<_> = (0..3).map(|i| batch.truncated_behind(i).unwrap()).collect();
        let ports: Vec<_> = behind.iter().map(|(at, from)| (*at, from.unwrap().port())).collect();
        assert_eq!(ports, [(0, Some(2)), (0, Some(3)), (0, Some(5))]);
        assert_eq!((batch.len(), batch.total()), (0, 0));
        #[cfg(unix)]
        batch.retain(|_, _, _| false);
    }
}
