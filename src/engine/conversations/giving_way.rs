//! Which conversation gives its place to another peer when all places are taken.

use std::collections::{HashMap, VecDeque};

use tokio::{task::AbortHandle, time::Instant};

use super::{Conversation, Conversations};
use crate::Addr;

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

/// What can be ended.
pub(in crate::engine) trait End {
    /// Ends it at its next await point.
    fn end(&self);
}

impl End for AbortHandle {
    fn end(&self) {
        self.abort();
    }
}

#[cfg(test)]
impl End for () {
    fn end(&self) {}
}

impl<T: End> Conversations<T> {
    /// Reserves a place for one more peer; returns false if none is free, and no conversation gives way. Call
    /// [`insert`](Self::insert) or [`release`](Self::release) afterwards.
    #[inline]
    pub(in crate::engine) fn reserve(&mut self) -> bool {
        self.take_place() || self.make_room() && self.take_place()
    }

    /// Takes the place of a conversation, so that another one gets it. Returns false if none gives way. Until it has
    /// ended, datagrams of its peer are dropped.
    #[cold]
    fn make_room(&mut self) -> bool {
        let junk = |conversation: &Conversation<T>| {
            if conversation.mailbox.is_unread() {
                // Nobody knows yet whether it is junk.
                Look::Stays
            } else if conversation.mailbox.is_junk() && !conversation.is_validated() {
                Look::GivesWay
            } else {
                Look::Leaves
            }
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
        let found = found.or_else(|| find(open, &mut places.unvalidated, unvalidated));
        let Some(peer) = found else { return false };
        self.evict(&peer);
        true
    }

    /// When the next conversation ends whose peer is not validated.
    pub(in crate::engine) fn next_expiry(&self) -> Option<Instant> {
        self.places.expiring.front().map(|(end, ..)| *end)
    }

    /// Ends conversations that have lasted too long, and whose peers are not validated.
    #[cold]
    pub(in crate::engine) fn expire(&mut self) {
        let now = Instant::now();
        while self.next_expiry().is_some_and(|end| end <= now)
            && let Some((_, peer, serial)) = self.places.expiring.pop_front()
        {
            let waits = |open: &&Conversation<T>| {
                open.serial == serial && !open.leaves && !open.is_validated()
            };
            if self.open.get(&peer).filter(waits).is_some() {
                self.evict(&peer);
            }
        }
    }

    /// Takes the place of a conversation.
    fn evict(&mut self, peer: &Addr) {
        let Some(conversation) = self.open.get_mut(peer) else { return };
        conversation.leaves = true;
        conversation.mailbox.evict();
        conversation.task.end();
        self.leaving += 1;
        self.release();
    }
}

impl<T> Conversations<T> {
    /// Forgets what has ended.
    pub(super) fn tidy_places(&mut self) {
        let Self { open, places, .. } = self;
        places.tidy(open.len(), |peer, serial| {
            open.get(peer).is_some_and(|conversation| conversation.serial == serial)
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

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, SocketAddr},
        sync::Arc,
        time::Duration,
    };

    use tokio::time::advance;

    use super::{super::Arrival, *};
    use crate::{
        Guard, Limits,
        guard::{Budget, Watch},
        socket::mailbox::Mailbox,
        stats::{Counters, DropReason},
        transport::Ancillary,
    };

    fn peer(port: u16) -> Addr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
    }

    struct Bench {
        table: Conversations<()>,
        counters: Arc<Counters>,
        guard: Arc<Watch>,
    }

    impl Bench {
        /// With four places.
        fn new(guard: Option<Guard>) -> Self {
            let counters = Arc::new(Counters::default());
            let limits = Arc::new(Limits::default().max_conversations(4).into());
            let table = Conversations::new(limits, Arc::clone(&counters), false);
            let watch = Arc::<Watch>::default();
            watch.set(guard);
            Self { table, counters, guard: watch }
        }

        /// Opens a conversation that waits, if there is a place.
        fn open(&mut self, port: u16, junk: bool) -> Option<(Arc<Mailbox>, Option<Arc<Budget>>)> {
            if !self.table.reserve() {
                return None;
            }
            let mailbox = Arc::<Mailbox>::default();
            let cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(mailbox.poll_take(&cx, &self.counters).is_pending());
            if junk {
                mailbox.set_junk(true);
            }
            let budget = self.guard.rules().map(|rules| Budget::new(&rules));
            let (kept, paid) = (Arc::clone(&mailbox), budget.clone());
            self.table.insert(peer(port), u64::from(port), kept, paid, ());
            Some((mailbox, budget))
        }

        fn offer(&mut self, port: u16) -> Arrival {
            self.table.arrive(&peer(port), || (Ancillary::default(), b"x"), &mut None)
        }

        fn active(&self) -> usize {
            self.counters.read().active_conversations
        }
    }

    //
    #[test]
    fn junk_gives_way_first_and_its_peer_is_not_heard_until_it_has_ended() {
        let mut bench = Bench::new(None);
        for port in 1..=3 {
            bench.open(port, false).unwrap();
        }
        let (junk, _) = bench.open(4, true).unwrap();

        bench.open(5, false).unwrap();

        assert!(junk.is_evicted());
        let dropped = Arrival::Dropped(DropReason::ConversationLimit);
        assert_eq!((bench.offer(4), bench.active()), (dropped, 4));
        bench.table.end(&peer(4), 4);
        assert_eq!((bench.offer(4), bench.active()), (Arrival::Opening, 4));
        assert!(bench.open(6, false).is_none(), "nobody gives way without a guard");
    }

    //
    #[test]
    fn with_a_guard_the_oldest_idle_peer_that_is_not_validated_gives_way() {
        let mut bench = Bench::new(Some(Guard::internet()));
        let mailboxes: Vec<_> = (1..=4).map(|port| bench.open(port, false).unwrap()).collect();
        mailboxes[0].1.as_ref().unwrap().validate();
        bench.offer(2);
        let cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(mailboxes[1].0.poll_take(&cx, &bench.counters).is_ready());
        assert!(mailboxes[1].0.poll_take(&cx, &bench.counters).is_pending());

        let gone = |bench: &Bench| {
            let evicted = mailboxes.iter().map(|(mailbox, _)| mailbox.is_evicted());
            (evicted.collect::<Vec<_>>(), bench.active())
        };
        bench.open(5, false).unwrap();
        assert_eq!(gone(&bench), (vec![false, false, true, false], 4));
        bench.open(6, false).unwrap();
        assert_eq!(gone(&bench), (vec![false, false, true, true], 4));
        // Those that have come since then are younger than the second one, which was active once.
        for port in 7..=9 {
            bench.open(port, false).unwrap();
        }
        assert_eq!(gone(&bench), (vec![false, true, true, true], 4));
    }

    //
    #[test]
    fn a_conversation_is_idle_only_while_it_waits_and_unread_until_it_has_received() {
        let (limits, counters) = (Limits::default().into(), Counters::default());
        let mailbox = Mailbox::default();
        let take = || {
            let cx = std::task::Context::from_waker(std::task::Waker::noop());
            mailbox.poll_take(&cx, &counters).is_ready()
        };
        let state = || (mailbox.is_unread(), mailbox.is_idle());

        mailbox.open(Ancillary::default(), b"a", None, &limits, &counters).unwrap();
        assert_eq!(state(), (true, false));
        assert!(take());
        assert_eq!(state(), (false, false), "its handler works");
        assert!(!take());
        assert_eq!(state(), (false, true));
        mailbox.offer(Ancillary::default(), b"b", &mut None, &limits, &counters);
        assert_eq!(state(), (false, false));
        // The reply store is asked about it, and the task waits for that.
        let cx = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(Some(asked)) = mailbox.poll_ask(&cx) else {
            panic!("no datagram")
        };
        assert!(mailbox.put_back(asked, &cx, &counters));
        assert_eq!(state(), (false, false));
    }

    //
    #[test]
    fn a_validated_peer_keeps_its_place_even_if_nothing_of_it_has_decoded() {
        let mut bench = Bench::new(Some(Guard::internet()));
        for port in 1..=4 {
            let (_, budget) = bench.open(port, true).unwrap();
            budget.unwrap().validate();
        }

        assert!(bench.open(5, false).is_none());
    }

    //
    #[tokio::test(start_paused = true)]
    async fn a_conversation_ends_after_the_time_of_the_guard_unless_its_peer_is_validated() {
        let (time, moment) = (Duration::from_secs(600), Duration::from_millis(1));
        let mut bench = Bench::new(Some(Guard::internet().max_conversation_time(time)));
        assert_eq!(bench.table.next_expiry(), None);
        let begun = Instant::now();
        let [first, second, third] = [1, 2, 3].map(|port| bench.open(port, false).unwrap());
        second.1.unwrap().validate();
        bench.table.end(&peer(3), 3);

        advance(time - moment).await;
        bench.table.expire();
        assert_eq!((bench.table.next_expiry(), bench.active()), (Some(begun + time), 2));
        advance(moment).await;
        bench.table.expire();

        let evicted = [first.0, second.0, third.0].map(|mailbox| mailbox.is_evicted());
        assert_eq!(evicted, [true, false, false]);
        assert_eq!((bench.table.next_expiry(), bench.active()), (None, 1));
    }

    // A-6, G-1: what has ended does not stay in the queues
    #[test]
    fn the_queues_stay_short() {
        let mut bench = Bench::new(Some(Guard::internet()));
        for port in 1..10_000 {
            bench.open(port, port % 3 == 0).unwrap();
            bench.table.end(&peer(port), u64::from(port));
        }

        assert!(bench.table.places.junk.len() < 100 && bench.table.places.unvalidated.len() < 100);
        assert_eq!(bench.active(), 0);
    }
}
