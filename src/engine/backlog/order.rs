//! In which order peers are served.

use std::collections::BTreeMap;

/// The queues of peers, by the number of their first datagram.
#[derive(Debug)]
pub(super) struct Order<T> {
    /// Those of peers that have just come.
    new: BTreeMap<u64, T>,
    /// Those of peers that were served, and have sent more than one datagram. They come after the new ones, so that a peer
    /// that sends many does not take the turns of others.
    served: BTreeMap<u64, T>,
}

/// Where a queue is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    number: u64,
    is_new: bool,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { new: BTreeMap::new(), served: BTreeMap::new() }
    }
}

impl<T> Order<T> {
    /// Adds the queue of a new peer.
    pub(super) fn add(&mut self, number: u64, queue: T) -> Place {
        self.new.insert(number, queue);
        Place { number, is_new: true }
    }

    /// Adds the rest of a queue whose first datagram was served.
    pub(super) fn add_served(&mut self, number: u64, queue: T) -> Place {
        self.served.insert(number, queue);
        Place { number, is_new: false }
    }

    /// The queue whose first datagram came first.
    pub(super) fn oldest(&self) -> Option<(Place, &T)> {
        let new = self.new.first_key_value().map(|(number, queue)| (*number, true, queue));
        let served = self.served.first_key_value().map(|(number, queue)| (*number, false, queue));
        let oldest = [new, served].into_iter().flatten().min_by_key(|(number, ..)| *number);
        oldest.map(|(number, is_new, queue)| (Place { number, is_new }, queue))
    }

    /// The queue of the new peer that came last. If there is none, the oldest one.
    pub(super) fn newest(&self) -> Option<(Place, &T)> {
        match self.new.last_key_value() {
            Some((&number, queue)) => Some((Place { number, is_new: true }, queue)),
            None => self.oldest(),
        }
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        if place.is_new { &mut self.new } else { &mut self.served }.get_mut(&place.number)
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        if place.is_new { &mut self.new } else { &mut self.served }.remove(&place.number)
    }
}
