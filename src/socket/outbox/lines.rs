//! The lines of senders that wait for peers without room.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{Addr, lock::locked};

/// The peers that have no room, each with the line of the senders that wait for it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Mutex<HashMap<Addr, Line>>,
    /// How many lines there are. It can be read without the lock.
    count: AtomicUsize,
}

/// Only the holder of this lock tries to send. The lock is fair.
type Line = Arc<tokio::sync::Mutex<()>>;

/// A place in the line of a peer.
pub(super) struct Place<'a> {
    lines: &'a Lines,
    peer: &'a Addr,
    pub(super) line: Line,
}

impl Lines {
    /// Whether other senders wait for `peer` already.
    pub(super) fn has(&self, peer: &Addr) -> bool {
        self.count.load(Ordering::Acquire) > 0 && locked(&self.lines).contains_key(peer)
    }

    pub(super) fn join<'a>(&'a self, peer: &'a Addr) -> Place<'a> {
        let mut lines = locked(&self.lines);
        let line = Arc::clone(lines.entry(peer.clone()).or_default());
        self.count.store(lines.len(), Ordering::Release);
        Place { lines: self, peer, line }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        /// The table has one, and this place another.
        const LAST: usize = 2;

        let mut lines = locked(&self.lines.lines);
        if Arc::strong_count(&self.line) == LAST {
            lines.remove(self.peer);
            self.lines.count.store(lines.len(), Ordering::Release);
        }
    }
}
