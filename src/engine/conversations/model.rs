//! Compares the table and its mailboxes with a very simple model, over random sequences of events.

use std::{
    net::{Ipv4Addr, SocketAddr},
    task::{Context, Poll, Waker},
};

use fastrand::Rng;

use super::*;
use crate::{
    Limits, Overflow,
    socket::mailbox::{Next, OVERHEAD},
};

const PEERS: usize = 6;
const QUEUE: usize = 3;
const QUEUE_BYTES: usize = 24;
const BYTES: usize = 60 + 7 * OVERHEAD;
const PLACES: usize = 4;

/// One peer as the model sees it.
#[derive(Debug, Default)]
struct Waiting {
    /// Whether it is in conversation.
    talking: bool,
    opening: Option<Vec<u8>>,
    queue: Vec<Vec<u8>>,
}

impl Waiting {
    fn queue_bytes(&self) -> usize {
        self.queue.iter().map(Vec::len).sum()
    }

    fn datagrams(&self) -> usize {
        self.queue.len() + usize::from(self.opening.is_some())
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let queue = &mut self.queue;
        self.opening.take().or_else(|| (!queue.is_empty()).then(|| queue.remove(0)))
    }
}

struct Course {
    rng: Rng,
    overflow: Overflow,
    table: Conversations<()>,
    counters: Arc<Counters>,
    limits: Arc<LiveLimits>,
    /// Per peer, the mailbox and serial number that its conversation holds.
    talks: Vec<Option<(u64, Arc<Mailbox>)>>,
    /// Conversations that have ended, but whose end was not reported to the table yet.
    news: Vec<(usize, u64)>,
    /// Those whose end the table noticed before the report.
    late: Vec<(usize, u64)>,
    serial: u64,
    number: u64,
    model: Vec<Waiting>,
    received: u64,
    returned: u64,
    dropped: u64,
}

impl Course {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let overflow = if rng.bool() { Overflow::DropNewest } else { Overflow::DropOldest };
        let limits = Limits::default()
            .max_queue_len(QUEUE)
            .max_queue_bytes(QUEUE_BYTES)
            .max_total_queue_bytes(BYTES)
            .max_conversations(PLACES)
            .overflow(overflow);
        let (limits, counters) = (Arc::new(limits.into()), Arc::new(Counters::default()));
        Self {
            rng,
            overflow,
            table: Conversations::new(Arc::clone(&limits), Arc::clone(&counters), false),
            counters,
            limits,
            talks: vec![None; PEERS],
            news: Vec::new(),
            late: Vec::new(),
            serial: 0,
            number: 0,
            model: (0..PEERS).map(|_| Waiting::default()).collect(),
            received: 0,
            returned: 0,
            dropped: 0,
        }
    }

    fn step(&mut self) {
        let peer = self.rng.usize(..PEERS);
        match self.rng.u8(..10) {
            0..5 => self.arrive(peer),
            5..8 => self.take(peer),
            8 => self.finish(peer),
            _ if self.rng.u8(..8) == 0 => self.abandon(peer),
            _ => self.hear(),
        }
        self.check();
    }

    /// A datagram arrives, and this does the same with it as a worker.
    fn arrive(&mut self, peer: usize) {
        self.number += 1;
        self.received += 1;
        let len = self.rng.usize(8..QUEUE_BYTES + 4);
        let mut datagram = self.number.to_be_bytes().to_vec();
        datagram.resize(len, b'.');
        let expected = self.expected(peer, &datagram);

        let arrival =
            self.table.arrive(&addr(peer), || (Ancillary::default(), &datagram), &mut None);

        assert_eq!(arrival, expected, "datagram {} of peer {peer}", self.number);
        match arrival {
            Arrival::Waiting => {}
            Arrival::Dropped(reason) => self.drop_one(reason),
            Arrival::Opening => self.open(peer, datagram),
        }
    }

    /// Returns the result that the model expects for a datagram.
    fn expected(&mut self, peer: usize, datagram: &[u8]) -> Arrival {
        if !self.model[peer].talking {
            self.late.extend(self.news.extract_if(.., |(ended, _)| *ended == peer));
            return Arrival::Opening;
        }
        if datagram.len() > QUEUE_BYTES {
            return Arrival::Dropped(DropReason::QueueFull);
        }
        let waiting = &mut self.model[peer];
        while waiting.queue.len() == QUEUE || waiting.queue_bytes() + datagram.len() > QUEUE_BYTES {
            if self.overflow == Overflow::DropNewest {
                return Arrival::Dropped(DropReason::QueueFull);
            }
            waiting.queue.remove(0);
            self.dropped += 1;
        }
        if self.waiting_bytes() + OVERHEAD + datagram.len() > BYTES {
            return Arrival::Dropped(DropReason::MemoryLimit);
        }
        self.model[peer].queue.push(datagram.to_vec());
        Arrival::Waiting
    }

    fn open(&mut self, peer: usize, datagram: Vec<u8>) {
        let places = self.places();

        let reserved = self.table.reserve();

        assert_eq!(reserved, places < PLACES);
        if !reserved {
            return self.drop_one(DropReason::ConversationLimit);
        }
        let received = self.rng.bool();
        if self.rng.bool() {
            // The handler returns at its first poll.
            self.table.release();
            return if received { self.returned += 1 } else { self.drop_one(DropReason::Unread) };
        }
        let mailbox = Arc::<Mailbox>::default();
        if received {
            self.returned += 1;
        } else {
            let fits = self.waiting_bytes() + OVERHEAD + datagram.len() <= BYTES;
            assert_eq!(
                mailbox
                    .open(Ancillary::default(), &datagram, None, &self.limits, &self.counters)
                    .is_ok(),
                fits
            );
            if !fits {
                self.table.release();
                return self.drop_one(DropReason::MemoryLimit);
            }
            self.model[peer].opening = Some(datagram);
        }
        self.serial += 1;
        self.table.insert(addr(peer), self.serial, Arc::clone(&mailbox), None, ());
        self.talks[peer] = Some((self.serial, mailbox));
        self.model[peer].talking = true;
    }

    fn take(&mut self, peer: usize) {
        let Some((_, mailbox)) = &self.talks[peer] else { return };
        let expected = self.model[peer].take();

        let taken = match mailbox.poll_take(&Context::from_waker(Waker::noop()), &self.counters) {
            Poll::Ready(datagram) => datagram.map(|(_, bytes)| bytes.to_vec()),
            Poll::Pending => None,
        };

        self.returned += u64::from(taken.is_some());
        assert_eq!(taken, expected);
    }

    /// A handler returns.
    fn finish(&mut self, peer: usize) {
        let Some((serial, mailbox)) = self.talks[peer].take() else { return };
        let unread = self.model[peer].opening.take().is_some();
        self.dropped += u64::from(unread);
        self.model[peer].opening = self.model[peer].take();

        let next = mailbox.finish(&self.counters);

        if self.model[peer].opening.is_some() {
            assert_eq!(next, Next::Conversation(Ancillary::default()));
            self.talks[peer] = Some((serial, mailbox));
        } else {
            assert_eq!(next, Next::Nothing);
            self.ended(peer, serial);
        }
    }

    /// A conversation is dropped at its await point.
    fn abandon(&mut self, peer: usize) {
        let Some((serial, mailbox)) = self.talks[peer].take() else { return };
        self.dropped += self.model[peer].datagrams() as u64;

        mailbox.abandon(&self.counters);

        self.ended(peer, serial);
    }

    fn ended(&mut self, peer: usize, serial: u64) {
        self.model[peer] = Waiting::default();
        self.news.push((peer, serial));
    }

    /// Reports the end of a conversation to the table, and also one end that it noticed already.
    fn hear(&mut self) {
        if let Some((peer, serial)) = self.late.pop() {
            self.table.end(&addr(peer), serial);
        }
        if !self.news.is_empty() {
            let (peer, serial) = self.news.swap_remove(self.rng.usize(..self.news.len()));
            self.table.end(&addr(peer), serial);
        }
    }

    fn drop_one(&mut self, reason: DropReason) {
        self.counters.dropped(reason, 1);
        self.dropped += 1;
    }

    fn places(&self) -> usize {
        self.model.iter().filter(|peer| peer.talking).count() + self.news.len()
    }

    fn waiting_bytes(&self) -> usize {
        let opening = |peer: &Waiting| peer.opening.as_ref().map_or(0, Vec::len);
        let overhead = |peer: &Waiting| peer.datagrams() * OVERHEAD;
        self.model.iter().map(|peer| peer.queue_bytes() + opening(peer) + overhead(peer)).sum()
    }

    fn check(&self) {
        let stats = self.counters.read();
        let waiting: usize = self.model.iter().map(Waiting::datagrams).sum();
        assert_eq!(stats.active_conversations, self.places());
        assert_eq!(stats.queued_bytes, self.waiting_bytes());
        assert_eq!(stats.total_dropped(), self.dropped);
        assert_eq!(self.received, self.returned + stats.total_dropped() + waiting as u64);
    }
}

fn addr(peer: usize) -> Addr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1 + peer as u16)).into()
}

// D-5, D-8, D-12, G-2, G-3, G-4, G-9
#[test]
fn the_table_agrees_with_the_model_on_random_events_and_is_empty_at_the_end() {
    // Miri takes seconds for each seed.
    for seed in 0..if cfg!(miri) { 4 } else { 500 } {
        let mut course = Course::new(seed);

        for _ in 0..400 {
            course.step();
        }
        for peer in 0..PEERS {
            course.abandon(peer);
        }
        while !course.news.is_empty() {
            course.hear();
        }

        let stats = course.counters.read();
        assert!(course.table.is_empty(), "seed {seed}");
        assert_eq!((stats.active_conversations, stats.queued_bytes), (0, 0), "seed {seed}");
        assert_eq!(course.received, course.returned + stats.total_dropped(), "seed {seed}");
    }
}
