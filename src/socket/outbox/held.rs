//! Replies of functions that wait because their peers have no room.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    time::Duration,
};

use tokio::time::Instant;

use super::backlog::{MOST_BYTES, MOST_DATAGRAMS};
use crate::{Addr, transport::Route};

/// The first and the longest pause between two tries.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// The replies that wait, in order per peer.
#[derive(Debug, Default)]
pub(super) struct Held {
    peers: HashMap<Addr, VecDeque<Waiting>>,
    datagrams: usize,
    bytes: usize,
    /// The time of the next try, and the pause before it.
    next: Option<(Instant, Duration)>,
}

#[derive(Debug)]
struct Waiting {
    to: Route,
    datagram: Vec<u8>,
    since: Instant,
}

/// What became of a reply that was tried again.
pub(super) enum Outcome {
    /// It was sent, or will never be.
    Done,
    NoRoom,
}

impl Held {
    pub(super) const fn len(&self) -> usize {
        self.datagrams
    }

    /// Whether no more replies should be added.
    pub(super) const fn is_full(&self) -> bool {
        self.datagrams >= MOST_DATAGRAMS || self.bytes >= MOST_BYTES
    }

    pub(super) fn has(&self, peer: &Addr) -> bool {
        self.peers.contains_key(peer)
    }

    /// Adds a reply, behind those that wait for the same peer.
    pub(super) fn push(&mut self, to: Route, datagram: Vec<u8>) {
        let since = Instant::now();
        self.datagrams += 1;
        self.bytes += datagram.len();
        self.next.get_or_insert_with(|| (since + FIRST_PAUSE, FIRST_PAUSE));
        let peer = to.peer.clone();
        self.peers.entry(peer).or_default().push_back(Waiting { to, datagram, since });
    }

    /// The time of the next try; `None` if nothing waits.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.next.map(|(next, _)| next)
    }

    /// Calls `send` for the first reply of each peer, and for the next ones as long as they are done. The last
    /// argument is how long the reply has waited.
    pub(super) fn retry(&mut self, mut send: impl FnMut(&Route, &[u8], Duration) -> Outcome) {
        let now = Instant::now();
        let before = self.datagrams;
        self.peers.retain(|_, waiting| {
            while let Some(Waiting { to, datagram, since }) = waiting.front() {
                if matches!(send(to, datagram, now - *since), Outcome::NoRoom) {
                    return true;
                }
                self.datagrams -= 1;
                self.bytes -= datagram.len();
                waiting.pop_front();
            }
            false
        });
        let pause = match self.next {
            Some((_, pause)) if self.datagrams == before => (2 * pause).min(LONGEST_PAUSE),
            _ => FIRST_PAUSE,
        };
        self.next = (self.datagrams > 0).then(|| (now + pause, pause));
    }

    /// Removes all replies; returns how many there were.
    pub(super) fn clear(&mut self) -> usize {
        mem::take(self).datagrams
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    fn peer(port: u16) -> Route {
        Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).into()
    }

    // S-4, U-9
    #[tokio::test(start_paused = true)]
    async fn the_first_replies_of_each_peer_are_tried_again_after_longer_and_longer_pauses() {
        let mut held = Held::default();
        for (to, text) in [(1, "a"), (2, "b"), (1, "c")] {
            held.push(peer(to), text.into());
        }

        let (began, mut tries) = (Instant::now(), Vec::new());
        for _ in 0..9 {
            tokio::time::sleep_until(held.next_try().unwrap()).await;
            tries.push(began.elapsed().as_millis());
            held.retry(|_, datagram, _| {
                assert_ne!(datagram, b"c");
                Outcome::NoRoom
            });
        }
        assert_eq!(tries, [1, 3, 7, 15, 31, 63, 127, 191, 255]);

        let mut sent = Vec::new();
        held.retry(|to, datagram, waited| {
            assert_eq!(waited, began.elapsed());
            if *to == peer(2) {
                return Outcome::NoRoom;
            }
            sent.push(datagram.to_vec());
            Outcome::Done
        });
        assert_eq!(sent, [b"a", b"c"]);
        assert!(held.len() == 1 && held.has(&peer(2).peer) && !held.has(&peer(1).peer));
        // After progress, the pause is short again.
        assert_eq!(held.next_try(), Some(Instant::now() + FIRST_PAUSE));
        assert_eq!((held.clear(), held.len(), held.next_try()), (1, 0, None));
    }

    // U-20
    #[tokio::test(start_paused = true)]
    async fn it_is_full_after_some_datagrams_or_bytes() {
        let mut held = Held::default();
        (0..MOST_DATAGRAMS).for_each(|n| {
            assert!(!held.is_full());
            held.push(peer(n as u16), Vec::new());
        });
        assert!(held.is_full());

        held.clear();
        held.push(peer(1), vec![0; MOST_BYTES]);
        assert!(held.is_full());
        held.retry(|_, _, _| Outcome::Done);
        assert!(!held.is_full());
    }
}
