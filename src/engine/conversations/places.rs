//! The conversations that may have to give way to others.

use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;

use crate::{Addr, guard::Budget, socket::mailbox::Mailbox};

/// The conversations that may have to give way, in two queues by the clock algorithm: one that was active since it was
/// last looked at moves to the end. So the oldest idle one is found without a list in the order of activity.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Those that have received only datagrams that did not decode. They give way first.
    pub(super) junk: VecDeque<(Addr, u64)>,
    /// With a guard, those of peers that are not validated.
    pub(super) unvalidated: VecDeque<(Addr, u64)>,
    /// Those of peers that are not validated, with the times when they end, in the order of these.
    pub(super) expiring: VecDeque<(Instant, Addr, u64)>,
    /// Whether conversations are added before their handlers run, so that nobody knows yet what has decoded.
    looks_later: bool,
}

impl Places {
    pub(super) fn new(looks_later: bool) -> Self {
        Self { looks_later, ..Self::default() }
    }

    /// A conversation was added.
    pub(super) fn opened(
        &mut self,
        peer: &Addr,
        serial: u64,
        mailbox: &Arc<Mailbox>,
        budget: Option<&Budget>,
    ) {
        let waits = || (peer.clone(), serial);
        if budget.is_some_and(|budget| !budget.is_validated()) {
            self.unvalidated.push_back(waits());
            let time = budget.and_then(Budget::max_conversation_time);
            if let Some(end) = time.and_then(|time| Instant::now().checked_add(time)) {
                // After a change of the guard, an earlier one may come after a later one. It ends with that.
                self.expiring.push_back((end, peer.clone(), serial));
            }
        }
        if mailbox.is_junk() || self.looks_later {
            self.junk.push_back(waits());
        }
    }

    /// Forgets conversations that have ended, when they are most of a queue.
    pub(super) fn tidy(&mut self, open: usize, is_open: impl Fn(&Addr, u64) -> bool) {
        const FEW: usize = 64;

        for queue in [&mut self.junk, &mut self.unvalidated] {
            if queue.len() > 2 * open + FEW {
                queue.retain(|(peer, serial)| is_open(peer, *serial));
                queue.shrink_to(2 * queue.len());
            }
        }
        if self.expiring.len() > 2 * open + FEW {
            self.expiring.retain(|(_, peer, serial)| is_open(peer, *serial));
            self.expiring.shrink_to(2 * self.expiring.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::{Guard, guard::Watch};

    // A-6, G-1
    #[test]
    fn what_has_ended_is_forgotten_when_it_is_most_of_a_queue() {
        let watch = Watch::default();
        watch.set(Some(Guard::internet()));
        let budget = Budget::new(&watch.rules().unwrap());
        let peer = Addr::from(SocketAddr::from(([192, 0, 2, 7], 1)));
        let mut places = Places::new(true);
        for serial in 0..200 {
            places.opened(&peer, serial, &Arc::default(), Some(&budget));
        }
        let lens =
            |places: &Places| [places.junk.len(), places.unvalidated.len(), places.expiring.len()];

        places.tidy(68, |_, serial| serial >= 190);
        assert_eq!(lens(&places), [200; 3]);
        places.tidy(67, |_, serial| serial >= 190);

        assert_eq!(lens(&places), [10; 3]);
        assert!(places.junk.capacity() < 100 && places.expiring.capacity() < 100);
    }
}
