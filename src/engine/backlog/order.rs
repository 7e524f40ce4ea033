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
    is_served: bool,
}

impl Place {
    /// Whether its peer was served before.
    pub(super) const fn is_served(self) -> bool {
        self.is_served
    }
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { new: BTreeMap::new(), served: BTreeMap::new() }
    }
}

impl<T> Order<T> {
    /// Adds a queue whose first datagram has this number.
    pub(super) fn add(&mut self, number: u64, queue: T, is_served: bool) -> Place {
        if is_served { &mut self.served } else { &mut self.new }.insert(number, queue);
        Place { number, is_served }
    }

    /// The queue whose first datagram came first.
    pub(super) fn oldest(&self) -> Option<(Place, &T)> {
        let new = self.new.first_key_value().map(|(number, queue)| (*number, false, queue));
        let served = self.served.first_key_value().map(|(number, queue)| (*number, true, queue));
        let oldest = [new, served].into_iter().flatten().min_by_key(|(number, ..)| *number);
        oldest.map(|(number, is_served, queue)| (Place { number, is_served }, queue))
    }

    /// The queue of the new peer that came last. If there is none, the oldest one.
    pub(super) fn newest(&self) -> Option<Place> {
        match self.new.last_key_value() {
            Some((&number, _)) => Some(Place { number, is_served: false }),
            None => self.oldest().map(|(place, _)| place),
        }
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        if place.is_served { &mut self.served } else { &mut self.new }.get_mut(&place.number)
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<T> {
        if place.is_served { &mut self.served } else { &mut self.new }.remove(&place.number)
    }
}
