//! Which conversation gives its place to another peer when all places are taken.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{Conversation, Conversations};
use crate::{Addr, guard::Budget, socket::mailbox::Mailbox};

/// The conversations that may have to give way, in two queues by the clock algorithm: one that was active since it was
/// last looked at moves to the end. So the oldest idle one is found without a list in the order of activity.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Those that have received only datagrams that did not decode. They give way first.
    junk: VecDeque<(Addr, u64)>,
    /// With a guard, those of peers that are not validated.
    unvalidated: VecDeque<(Addr, u64)>,
    /// Whether conversations are added before their handlers run, so that nobody knows yet what has decoded.
    looks_later: bool,
}

/// How many conversations are looked at to find one that gives way.
const LOOKS: usize = 32;

/// What is known about a conversation in a queue.
enum Look {
    /// It gives way.
    GivesWay,
    /// It does not give way now.
    Stays,
    /// It never gives way, or has ended.
    Leaves,
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
        }
        if mailbox.is_junk() || self.looks_later {
            self.junk.push_back(waits());
        }
    }

    /// Forgets conversations that have ended, when they are most of a queue.
    fn tidy(&mut self, open: usize, is_open: impl Fn(&(Addr, u64)) -> bool) {
        const FEW: usize = 64;

        for queue in [&mut self.junk, &mut self.unvalidated] {
            if queue.len() > 2 * open + FEW {
                queue.retain(&is_open);
                queue.shrink_to(2 * queue.len());
            }
        }
    }
}

impl<T> Conversations<T> {
    /// Takes the place of a conversation, so that another one gets it. Returns what was added with it, which the caller
    /// ends, or `None` if none gives way. Until it has ended, datagrams of its peer are dropped.
    #[cold]
    pub(in crate::engine) fn make_room(&mut self) -> Option<&T> {
        let junk = |conversation: &Conversation<T>| match conversation.mailbox.is_junk() {
            true if conversation.is_validated() => Look::Leaves,
            // It waits for more, or is about to.
            true => Look::GivesWay,
            false => Look::Leaves,
        };
        let unvalidated = |conversation: &Conversation<T>| {
            if conversation.is_validated() {
                Look::Leaves
            } else if !conversation.mailbox.take_touched() && conversation.mailbox.is_idle() {
                Look::GivesWay
            } else {
                Look::Stays
            }
        };
        let Self { open, places, .. } = self;
        let found = find(open, &mut places.junk, junk);
        let found = found.or_else(|| find(open, &mut places.unvalidated, unvalidated))?;
        self.release();
        self.leaving += 1;
        let conversation = self.open.get_mut(&found)?;
        conversation.leaves = true;
        conversation.mailbox.evict();
        Some(&conversation.task)
    }

    /// Forgets what has ended.
    pub(super) fn tidy_places(&mut self) {
        let Self { open, places, .. } = self;
        places.tidy(open.len(), |(peer, serial)| {
            open.get(peer).is_some_and(|conversation| conversation.serial == *serial)
        });
    }
}

/// Looks for a conversation that gives way.
fn find<T>(
    open: &HashMap<Addr, Conversation<T>>,
    queue: &mut VecDeque<(Addr, u64)>,
    look: impl Fn(&Conversation<T>) -> Look,
) -> Option<Addr> {
    for _ in 0..LOOKS.min(queue.len()) {
        let (peer, serial) = queue.pop_front()?;
        let waits = |open: &&Conversation<T>| open.serial == serial && !open.leaves;
        let Some(conversation) = open.get(&peer).filter(waits) else {
            continue;
        };
        match look(conversation) {
            Look::GivesWay => return Some(peer),
            Look::Stays => queue.push_back((peer, serial)),
            Look::Leaves => {}
        }
    }
    None
}
