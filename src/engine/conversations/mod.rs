//! The table of conversations. It has no socket, task or clock, so its tests need no runtime.

mod giving_way;
#[cfg(unix)]
mod handing_over;
mod places;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, atomic::Ordering::Relaxed},
};

#[cfg(unix)]
pub(super) use handing_over::HandedOver;
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
    /// Whether a datagram that waits keeps its source, because datagrams of one peer may come through several proxies.
    pub(super) keeps_sources: bool,
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
            keeps_sources: false,
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
        if self.keeps_sources {
            passed.get_or_insert_default().from = Some(Box::new(from.clone()));
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
mod tests;
