//! Datagrams that are sent together.

use std::ops::Range;

use super::{BATCH, Route};
use crate::{EncodeError, SendError};

/// Datagrams to be sent, first in, first out. Each has its own buffer, so that a protocol that does not only
/// append cannot damage another datagram. The buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct SendBatch {
    slots: Vec<(Route, Vec<u8>)>,
    pending: Range<usize>,
    bytes: usize,
    /// Whether a buffer has become larger than [`KEPT`].
    oversize: bool,
}

/// Larger buffers are freed, because 64 of the largest would occupy 4 MiB forever.
const KEPT: usize = 16 * 1024;

impl SendBatch {
    /// Adds the datagram that `encode` writes, unless it fails or writes more than `max` bytes.
    pub(crate) fn encode(
        &mut self,
        to: &Route,
        max: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        if self.pending.end == self.slots.len() {
            self.add_slot(to);
        }
        let (addressee, datagram) = &mut self.slots[self.pending.end];
        addressee.clone_from(to);
        datagram.clear();
        encode(datagram).map_err(SendError::Encode)?;
        let len = datagram.len();
        if len > max {
            *datagram = Vec::new();
            return Err(SendError::TooLarge { len, max });
        }
        self.oversize |= datagram.capacity() > KEPT;
        self.pending.end += 1;
        self.bytes += len;
        Ok(())
    }

    /// Makes room for one more datagram.
    #[cold]
    fn add_slot(&mut self, to: &Route) {
        if self.pending.start > self.pending.len() {
            // So a batch that never gets empty also uses the buffers of sent datagrams again.
            self.slots.rotate_left(self.pending.start);
            self.pending = 0..self.pending.len();
        } else {
            self.slots.push((to.clone(), Vec::new()));
        }
    }

    /// Adds a datagram that is already encoded.
    pub(crate) fn push(&mut self, to: &Route, datagram: &[u8]) {
        let added = self.encode(to, usize::MAX, |bytes| {
            bytes.extend_from_slice(datagram);
            Ok(())
        });
        debug_assert!(added.is_ok(), "copying bytes cannot fail");
    }

    pub(crate) fn front(&self) -> Option<(&Route, &[u8])> {
        self.slots[self.pending.clone()].first().map(|(to, datagram)| (to, &datagram[..]))
    }

    /// The datagram that was added last.
    pub(crate) fn last(&self) -> Option<&[u8]> {
        self.slots[self.pending.clone()].last().map(|(_, datagram)| &datagram[..])
    }

    pub(crate) fn pop_front(&mut self) {
        let Some((_, datagram)) = self.slots[self.pending.clone()].first_mut() else { return };
        self.bytes -= datagram.len();
        if datagram.capacity() > KEPT {
            *datagram = Vec::new();
        }
        self.pending.start += 1;
        if self.pending.is_empty() {
            self.clear();
        }
    }

    /// Datagram number `i` and its route.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    pub(super) fn get(&self, i: usize) -> (&Route, &[u8]) {
        let (to, datagram) = &self.slots[self.pending.start + i];
        (to, datagram)
    }

    /// All datagrams and their routes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Route, Vec<u8>)> {
        self.slots[self.pending.clone()].iter()
    }

    /// Removes the first datagram and all others to its peer; returns them in order.
    pub(crate) fn take_first_peer(&mut self) -> Vec<(Route, Vec<u8>)> {
        let Some((first, _)) = self.front() else { return Vec::new() };
        let (first, mut others) = (first.peer.clone(), Self::default());
        let mut taken = Vec::new();
        for (to, datagram) in self.iter() {
            if to.peer == first {
                taken.push((to.clone(), datagram.clone()));
            } else {
                others.push(to, datagram);
            }
        }
        *self = others;
        taken
    }

    /// Removes all datagrams.
    pub(crate) fn clear(&mut self) {
        self.pending = 0..0;
        self.bytes = 0;
        self.slots.truncate(2 * BATCH);
        if std::mem::take(&mut self.oversize) {
            self.slots.retain(|(_, datagram)| datagram.capacity() <= KEPT);
        }
    }

    /// Removes the datagrams for which `keep` is false.
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut kept = Self::default();
        for i in (0..self.len()).filter(|i| keep(*i)) {
            let (to, datagram) = self.get(i);
            kept.push(to, datagram);
        }
        *self = kept;
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// How many bytes the datagrams have together.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::Addr;

    fn addr(port: u16) -> Route {
        Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).into()
    }

    // S-4
    #[test]
    fn datagrams_leave_a_send_batch_in_the_order_they_came() {
        let mut batch = SendBatch::default();
        batch.push(&addr(1), b"a");
        batch.push(&addr(2), b"b");
        batch.pop_front();
        batch.push(&addr(3), b"c");

        assert_eq!(batch.front(), Some((&addr(2), &b"b"[..])));
        batch.pop_front();
        assert_eq!(batch.front(), Some((&addr(3), &b"c"[..])));
        batch.pop_front();
        assert!(batch.is_empty() && batch.bytes() == 0);
    }

    // S-4, U-9
    #[test]
    fn the_datagrams_of_the_first_peer_can_be_taken_out() {
        let mut batch = SendBatch::default();
        for (to, text) in [(9, "gone"), (1, "a"), (2, "b"), (1, "c"), (3, "d")] {
            batch.push(&addr(to), text.as_bytes());
        }
        batch.pop_front();

        assert_eq!(batch.take_first_peer(), [(addr(1), b"a".into()), (addr(1), b"c".into())]);

        let left: Vec<_> = batch.iter().map(|(_, datagram)| datagram.clone()).collect();
        assert_eq!((left, batch.bytes()), (vec![b"b".to_vec(), b"d".to_vec()], 2));
    }

    // S-5, S-6
    #[test]
    fn a_packet_that_fails_to_encode_or_is_too_long_leaves_nothing_behind() {
        let mut batch = SendBatch::default();

        let failed = batch.encode(&addr(1), 4, |bytes| {
            bytes.extend_from_slice(b"half");
            Err(EncodeError::codec("nothing"))
        });
        let long = batch.encode(&addr(1), 4, |bytes| {
            bytes.extend_from_slice(b"12345");
            Ok(())
        });

        assert!(matches!(failed, Err(SendError::Encode(_))));
        assert!(matches!(long, Err(SendError::TooLarge { len: 5, max: 4 })));
        assert!(batch.is_empty() && batch.front().is_none());
        batch.push(&addr(1), b"next");
        assert_eq!(batch.front(), Some((&addr(1), &b"next"[..])));
    }
}
