//! The table of conversations. It has no socket, task or clock, so its tests need no runtime.

mod giving_way;
mod places;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use places::Places;

use crate::{
    Addr,
    guard::Budget,
    limits::LiveLimits,
    socket::mailbox::{Mailbox, Offer},
    stats::{Counters, DropReason},
    transport::{Ancillary, Passed},
};

/// The conversations of one worker that have become tasks. A peer that is not in conversation costs nothing.
///
/// An attacker can choose addresses, the keys of the table. So it uses the hash of the standard library, which
/// has random keys.
#[derive(Debug)]
pub(super) struct Conversations<T> {
    open: HashMap<Addr, Conversation<T>>,
    /// How many of them have lost their places and are not over yet.
    leaving: usize,
    places: Places,
    limits: Arc<LiveLimits>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Conversation<T> {
    serial: u64,
    mailbox: Arc<Mailbox>,
    /// What may be sent to the peer, if the server has a guard.
    budget: Option<Arc<Budget>>,
    task: T,
    /// Whether it has lost its place, and ends at its next await point.
    leaves: bool,
}

impl<T> Conversation<T> {
    fn is_validated(&self) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.is_validated())
    }
}

impl<T> Drop for Conversation<T> {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.uncount();
        }
    }
}

/// What the table did with a datagram that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Its peer is not in conversation, so it may open one.
    Opening,
    /// It waits for the conversation of its peer.
    Waiting,
    /// It was dropped. The caller counts it.
    Dropped(DropReason),
}

impl<T> Conversations<T> {
    /// With `looks_later`, conversations are added before their handlers run.
    pub(super) fn new(limits: Arc<LiveLimits>, counters: Arc<Counters>, looks_later: bool) -> Self {
        Self {
            open: HashMap::new(),
            leaving: 0,
            places: Places::new(looks_later),
            limits,
            counters,
        }
    }

    /// Queues a datagram if its peer is in conversation. While no peer is, it does not call `datagram`.
    #[inline]
    pub(super) fn arrive<'a>(
        &mut self,
        from: &Addr,
        datagram: impl FnOnce() -> (Ancillary, &'a [u8]),
        passed: &mut Option<Box<Passed>>,
    ) -> Arrival {
        if self.open.is_empty() {
            return Arrival::Opening;
        }
        let (ancillary, datagram) = datagram();
        self.offer(from, ancillary, datagram, passed)
    }

    fn offer(
        &mut self,
        from: &Addr,
        ancillary: Ancillary,
        datagram: &[u8],
        passed: &mut Option<Box<Passed>>,
    ) -> Arrival {
        let Some(conversation) = self.open.get(from) else { return Arrival::Opening };
        if conversation.leaves {
            return Arrival::Dropped(DropReason::ConversationLimit);
        }
        let (limits, counters) = (&self.limits, &self.counters);
        match conversation.mailbox.offer(ancillary, datagram, passed, limits, counters) {
            Offer::Accepted => Arrival::Waiting,
            Offer::Dropped(reason) => Arrival::Dropped(reason),
            Offer::Over => {
                // It ended a moment ago, and its task has not reported that yet.
                self.open.remove(from);
                self.release();
                Arrival::Opening
            }
        }
    }

    /// Takes a place for one more peer; returns false if none is free.
    fn take_place(&self) -> bool {
        let reserved =
            |peers: usize| (peers < self.limits.max_conversations()).then_some(peers + 1);
        self.counters.active_conversations.fetch_update(Relaxed, Relaxed, reserved).is_ok()
    }

    pub(super) fn release(&self) {
        self.counters.active_conversations.fetch_sub(1, Relaxed);
    }

    /// Adds a conversation in a reserved place.
    pub(super) fn insert(
        &mut self,
        peer: Addr,
        serial: u64,
        mailbox: Arc<Mailbox>,
        budget: Option<Arc<Budget>>,
        task: T,
    ) {
        if let Some(budget) = &budget {
            budget.count();
        }
        self.places.opened(&peer, serial, &mailbox, budget.as_deref());
        let conversation = Conversation { serial, mailbox, budget, task, leaves: false };
        let before = self.open.insert(peer, conversation);
        debug_assert!(before.is_none(), "a peer has at most one conversation");
    }

    /// Removes the conversation that has ended, unless the table already holds a later one of the same peer.
    pub(super) fn end(&mut self, peer: &Addr, serial: u64) {
        if let Entry::Occupied(entry) = self.open.entry(peer.clone())
            && entry.get().serial == serial
        {
            match entry.remove().leaves {
                true => self.leaving -= 1,
                false => self.release(),
            }
            self.shrink();
            self.tidy_places();
        }
    }

    /// Whether the peer is in conversation. If it has proven its address, its conversation learns that.
    pub(super) fn has(&self, peer: &Addr, proven: bool) -> bool {
        let conversation = self.open.get(peer);
        let budget = conversation.and_then(|conversation| conversation.budget.as_ref());
        if proven && let Some(budget) = budget {
            budget.validate();
        }
        conversation.is_some()
    }

    /// Whether the peer is in conversation and validated.
    pub(super) fn is_validated(&self, peer: &Addr) -> bool {
        self.open.get(peer).is_some_and(Conversation::is_validated)
    }

    /// Frees memory when the table is much larger than it needs to be, for example after a flood.
    fn shrink(&mut self) {
        const KEPT: usize = 1_024;

        let (used, room) = (self.open.len(), self.open.capacity());
        if room > KEPT && used < room / 8 {
            self.open.shrink_to(2 * used);
        }
    }

    /// Seals all mailboxes: each `recv` returns `Closed` after what waits for it.
    pub(super) fn seal(&self) {
        for conversation in self.open.values() {
            conversation.mailbox.seal();
        }
    }

    /// Closes all mailboxes: each `recv` returns `Closed`.
    pub(super) fn close(&self) {
        for conversation in self.open.values() {
            conversation.mailbox.close(&self.counters);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &T> {
        self.open.values().map(|conversation| &conversation.task)
    }
}

impl<T> Drop for Conversations<T> {
    fn drop(&mut self) {
        self.counters.active_conversations.fetch_sub(self.open.len() - self.leaving, Relaxed);
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use std::{
        hash::BuildHasher,
        net::{Ipv4Addr, SocketAddr},
        task::{Context, Poll, Waker},
    };

    use super::*;
    use crate::Limits;

    /// A table without tasks, with its own limits and counters.
    fn table(limits: Limits) -> (Conversations<()>, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Conversations::new(Arc::new(limits.into()), Arc::clone(&counters), false), counters)
    }

    fn peer(port: u16) -> Addr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
    }

    fn arrive(table: &mut Conversations<()>, port: u16, datagram: &[u8]) -> Arrival {
        table.arrive(&peer(port), || (Ancillary::default(), datagram), &mut None)
    }

    /// Opens conversation number `serial` with `peer`, as a conversation that waits.
    fn open(table: &mut Conversations<()>, peer: &Addr, serial: u64) -> Arc<Mailbox> {
        let mailbox = Arc::<Mailbox>::default();
        assert!(table.reserve());
        table.insert(peer.clone(), serial, Arc::clone(&mailbox), None, ());
        mailbox
    }

    fn take(mailbox: &Mailbox, counters: &Counters) -> Poll<Option<Box<[u8]>>> {
        let taken = mailbox.poll_take(&Context::from_waker(Waker::noop()), counters);
        taken.map(|taken| taken.map(|(_, datagram)| datagram.into_parts().0))
    }

    // D-1, D-8
    #[test]
    fn the_first_datagram_of_a_peer_may_open_a_conversation_and_later_ones_wait() {
        let (mut table, counters) = table(Limits::default());

        assert_eq!(arrive(&mut table, 1, b"a"), Arrival::Opening);
        let mailbox = open(&mut table, &peer(1), 1);
        assert_eq!(arrive(&mut table, 1, b"b"), Arrival::Waiting);
        assert_eq!(arrive(&mut table, 1, b"c"), Arrival::Waiting);

        assert_eq!(arrive(&mut table, 2, b"d"), Arrival::Opening);
        assert_eq!(take(&mailbox, &counters), Poll::Ready(Some((*b"b").into())));
        assert_eq!(take(&mailbox, &counters), Poll::Ready(Some((*b"c").into())));
    }

    // D-16
    #[test]
    fn the_full_queue_of_one_peer_does_not_affect_another_peer() {
        let (mut table, _) = table(Limits::default().max_queue_len(1));
        open(&mut table, &peer(1), 1);
        open(&mut table, &peer(2), 2);

        arrive(&mut table, 1, b"a");

        assert_eq!(arrive(&mut table, 1, b"b"), Arrival::Dropped(DropReason::QueueFull));
        assert_eq!(arrive(&mut table, 2, b"c"), Arrival::Waiting);
    }

    // D-12, G-4
    #[test]
    fn a_datagram_for_an_ended_conversation_may_open_the_next_and_finds_its_place_free() {
        let (mut table, counters) = table(Limits::default().max_conversations(1));
        let mailbox = open(&mut table, &peer(1), 1);
        mailbox.finish(&counters);

        assert_eq!(arrive(&mut table, 1, b"a"), Arrival::Opening);

        assert!(table.is_empty());
        assert!(table.reserve());
    }

    // D-8
    #[test]
    fn a_late_report_of_an_end_does_not_end_the_next_conversation() {
        let (mut table, counters) = table(Limits::default());
        open(&mut table, &peer(1), 1).finish(&counters);
        arrive(&mut table, 1, b"a");
        open(&mut table, &peer(1), 2);

        table.end(&peer(1), 1);

        assert_eq!(arrive(&mut table, 1, b"b"), Arrival::Waiting);
        assert_eq!(counters.read().active_conversations, 1);
    }

    // G-4
    #[test]
    fn the_limit_sets_the_number_of_places_and_an_ended_conversation_frees_one() {
        let (mut table, counters) = table(Limits::default().max_conversations(2));
        open(&mut table, &peer(1), 1);
        open(&mut table, &peer(2), 2);
        assert!(!table.reserve());

        table.end(&peer(1), 1);
        table.end(&peer(1), 1);

        assert_eq!(counters.read().active_conversations, 1);
        assert!(table.reserve());
        assert!(!table.reserve());
        table.release();
        assert!(table.reserve());
    }

    // B-12, G-4
    #[test]
    fn the_tables_of_all_sockets_share_the_places() {
        let limits = Arc::new(Limits::default().max_conversations(2).into());
        let counters = Arc::new(Counters::default());
        let table = || Conversations::new(Arc::clone(&limits), Arc::clone(&counters), false);
        let (mut first, mut second) = (table(), table());
        open(&mut first, &peer(1), 1);
        open(&mut second, &peer(1), 1);

        assert!(!first.reserve() && !second.reserve());
        drop(second);

        assert!(first.reserve());
        assert_eq!(counters.read().active_conversations, 2);
    }

    // R-11, L-12
    #[test]
    fn closing_the_table_closes_all_mailboxes() {
        let (mut table, counters) = table(Limits::default());
        let mailboxes = [open(&mut table, &peer(1), 1), open(&mut table, &peer(2), 2)];
        arrive(&mut table, 2, b"a");

        table.close();

        for mailbox in mailboxes {
            assert_eq!(take(&mailbox, &counters), Poll::Ready(None));
        }
        assert_eq!(counters.read().dropped(DropReason::ShuttingDown), 1);
    }

    // G-13
    #[test]
    fn each_table_hashes_addresses_differently() {
        let hash = |(table, _): (Conversations<()>, _)| table.open.hasher().hash_one(peer(1));

        assert_ne!(hash(table(Limits::default())), hash(table(Limits::default())));
    }
}
