//! Takes the headers of proxies off the datagrams of a batch.

use super::RecvBatch;
use crate::{Addr, proxy::Payload};

impl RecvBatch {
    /// Takes the header off each datagram that `judge` accepts, and removes those that it does not accept. What is longer than
    /// `limit` without its header counts as truncated. Returns how many bytes all headers have.
    ///
    /// The numbers of the datagrams change, so it must be called before they are used. Only a Unix socket receives descriptors,
    /// and has no proxies.
    pub(crate) fn sift(
        &mut self,
        limit: usize,
        mut judge: impl FnMut(&Addr, &[u8]) -> Option<Payload>,
    ) -> u64 {
        debug_assert!(self.passed.is_empty(), "it came over a Unix socket");
        let (mut kept, mut headers) = (0, 0);
        // Those that were too long already, with the numbers of the datagrams before them.
        let (mut too_long, mut next) = (std::mem::take(&mut self.truncated), 0);
        for at in 0..self.arrived.len() {
            while let Some((behind, _)) = too_long.get_mut(next).filter(|(behind, _)| *behind <= at)
            {
                *behind = kept;
                next += 1;
            }
            let Some(Payload { header, from }) = judge(self.from(at), self.datagram(at)) else {
                continue;
            };
            let (addr, bytes) = &mut self.arrived[at];
            bytes.start += header;
            if let Some(from) = from {
                *addr = from;
            }
            if bytes.len() > limit {
                let from = addr.clone();
                self.truncated.push((kept, Some(from)));
                continue;
            }
            headers += header as u64;
            self.arrived.swap(kept, at);
            if let Some(ancillary) = self.ancillary.get(at).copied() {
                self.ancillary[kept] = ancillary;
            } else if let Some(ancillary) = self.ancillary.get_mut(kept) {
                *ancillary = Default::default();
            }
            kept += 1;
        }
        for (behind, _) in &mut too_long[next..] {
            *behind = kept;
        }
        self.truncated.append(&mut too_long);
        // In order of the datagrams before them.
        self.truncated.sort_by_key(|(behind, _)| *behind);
        self.total = self.arrived[..kept].iter().map(|(_, bytes)| bytes.end - bytes.start).sum();
        self.arrived.truncate(kept);
        self.ancillary.truncate(kept);
        headers
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

        let headers = batch.sift(3, |from, datagram| {
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
        assert_eq!((headers, batch.truncated()), (6, 1));
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
        assert_eq!(ports, [(0, Some(3)), (0, Some(2)), (0, Some(5))]);
        assert_eq!((batch.len(), batch.total()), (0, 0));
        #[cfg(unix)]
        batch.retain(|_, _, _| false);
    }
}
