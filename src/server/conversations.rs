//! Who is talking, and what waits for them. No socket, task or clock: this is tested without a runtime.

use crate::{
    PeerAddr,
    figures::{Counters, DropReason},
    limits::Limits,
    peer::mailbox::{Mailbox, Offer},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// The conversations of one worker that have become tasks. A peer that is silent is not in here and
/// costs nothing.
///
/// The hash is the standard library's, keyed at random: the keys are addresses that an attacker
/// chooses.
#[derive(Debug)]
pub(super) struct Conversations<T> {
    open: HashMap<PeerAddr, Conversation<T>>,
    limits: Arc<Limits>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Conversation<T> {
    serial: u64,
    mailbox: Arc<Mailbox>,
    task: T,
}

/// What a datagram means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Its peer is silent: it may open a conversation.
    Opening,
    /// It waits for the conversation of its peer.
    Waiting,
    /// It, or an older one in its favour, was dropped.
    Dropped(DropReason),
}

impl<T> Conversations<T> {
    pub(super) fn new(limits: Arc<Limits>, counters: Arc<Counters>) -> Self {
        Self { open: HashMap::new(), limits, counters }
    }

    /// Lets a datagram wait if its peer is in conversation.
    pub(super) fn arrive(&mut self, from: &PeerAddr, datagram: &[u8]) -> Arrival {
        if self.open.is_empty() {
            return Arrival::Opening;
        }
        let Some(conversation) = self.open.get(from) else { return Arrival::Opening };
        match conversation.mailbox.offer(datagram, &self.limits, &self.counters) {
            Offer::Accepted => Arrival::Waiting,
            Offer::Dropped(reason) => Arrival::Dropped(reason),
            Offer::Over => {
                // It ended a moment ago, and the news of it is still on its way.
                self.open.remove(from);
                self.release();
                Arrival::Opening
            }
        }
    }

    /// Takes a place for one more peer, if one is free. It must be given to [`insert`](Self::insert)
    /// or back to [`release`](Self::release).
    pub(super) fn reserve(&self) -> bool {
        let reserved = |peers: usize| (peers < self.limits.peers).then_some(peers + 1);
        self.counters.peers.fetch_update(Relaxed, Relaxed, reserved).is_ok()
    }

    pub(super) fn release(&self) {
        self.counters.peers.fetch_sub(1, Relaxed);
    }

    /// Adds the conversation of a silent peer, in a place that was reserved.
    pub(super) fn insert(&mut self, peer: PeerAddr, serial: u64, mailbox: Arc<Mailbox>, task: T) {
        let before = self.open.insert(peer, Conversation { serial, mailbox, task });
        debug_assert!(before.is_none(), "a peer has at most one conversation");
    }

    /// Takes the conversation out that has ended, unless another one has taken its place.
    pub(super) fn end(&mut self, peer: &PeerAddr, serial: u64) {
        if let Entry::Occupied(entry) = self.open.entry(peer.clone())
            && entry.get().serial == serial
        {
            entry.remove();
            self.release();
        }
    }

    /// Lets nothing more wait: all peers hear that serving ends.
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
        self.counters.peers.fetch_sub(self.open.len(), Relaxed);
    }
}
