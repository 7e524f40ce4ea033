//! Tests of the mailbox.

use std::{
    iter,
    sync::{Arc, atomic::AtomicUsize},
    task::Wake,
};

use super::*;
use crate::Limits;

/// A mailbox with its own limits and counters.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) mailbox: Mailbox,
    limits: LiveLimits,
    pub(super) counters: Counters,
}

impl Post {
    pub(super) fn within(limits: Limits) -> Self {
        Self { mailbox: Mailbox::default(), limits: limits.into(), counters: Counters::default() }
    }

    pub(super) fn open(&self, datagram: &str) -> bool {
        let (limits, counters) = (&self.limits, &self.counters);
        self.mailbox.open(Ancillary::default(), datagram.as_bytes(), None, limits, counters).is_ok()
    }

    pub(super) fn offer(&self, datagram: &str) -> Offer {
        let (limits, counters) = (&self.limits, &self.counters);
        self.mailbox.offer(Ancillary::default(), datagram.as_bytes(), &mut None, limits, counters)
    }

    fn offer_all(&self, datagrams: &[&str]) -> Vec<Offer> {
        datagrams.iter().map(|datagram| self.offer(datagram)).collect()
    }

    fn take(&self) -> Poll<Option<String>> {
        self.mailbox
            .poll_take(&Context::from_waker(Waker::noop()), &self.counters)
            .map(|taken| taken.map(text))
    }

    /// Takes all datagrams that wait.
    fn empty(&self) -> Vec<String> {
        let next = || match self.take() {
            Poll::Ready(datagram) => datagram,
            Poll::Pending => None,
        };
        iter::from_fn(next).collect()
    }

    pub(super) fn finish(&self) -> Next {
        self.mailbox.finish(&self.counters)
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.counters.read().dropped(reason)
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.counters.read().queued_bytes
    }
}

pub(super) fn text((_, datagram): Waiting) -> String {
    String::from_utf8(datagram.to_vec()).unwrap()
}

/// Counts how often it is woken.
#[derive(Debug, Default)]
pub(super) struct Bell(pub(super) AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

const ACCEPTED: Offer = Offer::Accepted;
const FULL: Offer = Offer::Dropped(DropReason::QueueFull);

// D-8, G-2
#[test]
fn when_the_queue_is_full_the_newest_is_dropped_and_the_rest_waits_in_order() {
    let post = Post::within(Limits::default().max_queue_len(2));
    post.open("a");

    let offers = post.offer_all(&["b", "c", "d", "e"]);

    assert_eq!(offers, [ACCEPTED, ACCEPTED, FULL, FULL]);
    assert_eq!(post.empty(), ["a", "b", "c"]);
    assert_eq!(post.offer("f"), ACCEPTED);
}

// G-3
#[test]
fn with_drop_oldest_the_oldest_datagrams_make_room() {
    let post = Post::within(Limits::default().max_queue_len(2).overflow(Overflow::DropOldest));
    post.open("a");

    let offers = post.offer_all(&["b", "c", "d", "e"]);

    assert_eq!(offers, [ACCEPTED; 4]);
    assert_eq!(post.dropped(DropReason::QueueFull), 2);
    assert_eq!(post.empty(), ["a", "d", "e"]);
}

// G-2: bytes waiting per peer
#[test]
fn the_bytes_of_a_peer_are_bounded_and_the_bound_itself_fits() {
    let post = Post::within(Limits::default().max_queue_bytes(4));

    let offers = post.offer_all(&["12", "34", "5", ""]);

    assert_eq!(offers, [ACCEPTED, ACCEPTED, FULL, ACCEPTED]);
    assert_eq!(post.empty(), ["12", "34", ""]);
}

// G-3, G-9
#[test]
fn drop_oldest_drops_as_many_as_necessary_and_counts_each() {
    let limits = Limits::default().max_queue_bytes(4).overflow(Overflow::DropOldest);
    let post = Post::within(limits);

    let offers = post.offer_all(&["1", "2", "3", "4567"]);

    assert_eq!(offers, [ACCEPTED; 4]);
    assert_eq!(post.dropped(DropReason::QueueFull), 3);
    assert_eq!(post.empty(), ["4567"]);
}

// G-3, G-9
#[test]
fn a_datagram_that_is_too_long_for_the_queue_replaces_no_other() {
    let limits = Limits::default().max_queue_bytes(4).overflow(Overflow::DropOldest);
    let post = Post::within(limits);

    let offers = post.offer_all(&["1", "2", "12345"]);

    assert_eq!(offers, [ACCEPTED, ACCEPTED, FULL]);
    assert_eq!(post.dropped(DropReason::QueueFull), 0, "the worker counts the offered datagram");
    assert_eq!(post.empty(), ["1", "2"]);
}

// G-9
#[test]
fn a_dropped_oldest_is_counted_even_if_the_newest_then_does_not_fit() {
    let limits = Limits::default()
        .max_queue_len(1)
        .max_total_queue_bytes(OVERHEAD + 4)
        .overflow(Overflow::DropOldest);
    let post = Post::within(limits);

    let offers = post.offer_all(&["1", "12345"]);

    assert_eq!(offers, [ACCEPTED, Offer::Dropped(DropReason::MemoryLimit)]);
    assert_eq!(post.dropped(DropReason::QueueFull), 1);
    assert_eq!(post.waiting_bytes(), 0);
}

// G-1
#[test]
fn with_a_queue_length_of_0_no_datagram_waits() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let post = Post::within(Limits::default().max_queue_len(0).overflow(overflow));
        assert!(post.open("a"));

        assert_eq!(post.offer("b"), FULL);
        assert_eq!(post.empty(), ["a"]);
    }
}

// G-2: bytes waiting in all
#[test]
fn all_peers_share_one_limit_of_bytes() {
    let post = Post::within(Limits::default().max_total_queue_bytes(3 * OVERHEAD + 4));
    let other = Mailbox::default();
    let offer = |datagram: &[u8]| {
        other.offer(Ancillary::default(), datagram, &mut None, &post.limits, &post.counters)
    };
    assert!(post.open("1"));
    assert_eq!(post.offer("2"), ACCEPTED);

    assert_eq!(offer(b"123"), Offer::Dropped(DropReason::MemoryLimit));
    assert_eq!(offer(b"12"), ACCEPTED);
    assert_eq!(offer(b"1"), Offer::Dropped(DropReason::MemoryLimit));

    assert_eq!(post.empty(), ["1", "2"]);
    assert_eq!(offer(b"12"), ACCEPTED);
}

// G-2: bytes waiting in all
#[test]
fn the_datagram_that_opened_a_conversation_counts_while_it_waits() {
    let post = Post::within(Limits::default().max_total_queue_bytes(OVERHEAD + 4));

    assert!(!post.open("12345"));
    assert_eq!(post.waiting_bytes(), 0);
    assert!(post.open("1234"));
    assert_eq!(post.offer("5"), Offer::Dropped(DropReason::MemoryLimit));

    assert_eq!(post.empty(), ["1234"]);
    assert_eq!(post.waiting_bytes(), 0);
}

// D-11
#[test]
fn a_datagram_without_bytes_waits_like_any_other() {
    let post = Post::within(Limits::default().max_queue_len(2));

    let offers = post.offer_all(&["", "", ""]);

    assert_eq!(offers, [ACCEPTED, ACCEPTED, FULL]);
    assert_eq!(post.empty(), ["", ""]);
}

// D-5, D-8
#[test]
fn the_datagram_that_waited_longest_opens_the_next_conversation() {
    let post = Post::within(Limits::default());
    post.open("a");
    post.offer_all(&["b", "cc"]);
    assert_eq!(post.take(), Poll::Ready(Some("a".to_owned())));

    assert_eq!(post.finish(), Next::Conversation(Ancillary::default()));

    assert_eq!(post.waiting_bytes(), 2 * OVERHEAD + 3);
    assert_eq!(post.empty(), ["b", "cc"]);
    assert_eq!(post.waiting_bytes(), 0);
}

// G-2
#[test]
fn the_datagram_that_opens_the_next_conversation_frees_its_place_in_the_queue() {
    let post = Post::within(Limits::default().max_queue_len(1).max_queue_bytes(1));
    post.offer("a");
    post.finish();

    assert_eq!(post.offer("b"), ACCEPTED);
    assert_eq!(post.offer("c"), FULL);
}

// D-3
#[test]
fn an_opening_datagram_that_was_not_received_is_dropped_and_counted() {
    let post = Post::within(Limits::default());
    post.open("a");
    post.offer("b");

    assert_eq!(post.finish(), Next::Conversation(Ancillary::default()));

    assert_eq!(post.dropped(DropReason::Unread), 1);
    assert_eq!(post.empty(), ["b"]);
}

// D-12
#[test]
fn after_the_last_datagram_the_conversation_is_over_and_the_next_may_open_another() {
    let post = Post::within(Limits::default());
    post.open("a");
    post.empty();

    assert_eq!(post.finish(), Next::Nothing);

    assert_eq!(post.offer("b"), Offer::Over);
    assert_eq!((post.take(), post.waiting_bytes()), (Poll::Pending, 0));
}

// L-12, R-11
#[test]
fn a_closed_mailbox_drops_waiting_datagrams_and_accepts_no_more() {
    let post = Post::within(Limits::default());
    post.open("a");
    post.offer_all(&["b", "c"]);

    post.mailbox.close(&post.counters);

    assert_eq!(post.dropped(DropReason::ShuttingDown), 3);
    assert_eq!((post.take(), post.take()), (Poll::Ready(None), Poll::Ready(None)));
    assert_eq!(post.offer("d"), Offer::Dropped(DropReason::ShuttingDown));
    assert_eq!(post.finish(), Next::Nothing);
    assert_eq!(post.waiting_bytes(), 0);
}

// H-4, L-11
#[test]
fn an_abandoned_mailbox_counts_waiting_datagrams_as_dropped_and_is_over() {
    let post = Post::within(Limits::default());
    post.open("a");
    post.offer_all(&["b", "c"]);

    post.mailbox.abandon(&post.counters);

    assert_eq!(post.dropped(DropReason::ShuttingDown), 3);
    assert_eq!(post.offer("d"), Offer::Over);
    assert_eq!(post.waiting_bytes(), 0);
}

// D-12, D-13
#[test]
fn the_latest_waker_is_woken_once_by_a_datagram_or_by_closing() {
    let post = Post::within(Limits::default());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let wait = |waker: &Waker| post.mailbox.poll_take(&Context::from_waker(waker), &post.counters);
    assert!(wait(Waker::noop()).is_pending());
    assert!(wait(&waker).is_pending());

    post.offer_all(&["a", "b"]);
    assert_eq!(bell.0.load(Relaxed), 1);
    post.empty();
    assert!(wait(&waker).is_pending());
    post.mailbox.close(&post.counters);

    assert_eq!(bell.0.load(Relaxed), 2);
}

// G-8
#[test]
fn the_queue_frees_memory_after_a_burst_once_it_is_empty() {
    let post = Post::within(Limits::default().max_queue_len(1_000));
    for _ in 0..1_000 {
        post.offer("a");
    }

    post.empty();
    let waiting = post.mailbox.poll_take(&Context::from_waker(Waker::noop()), &post.counters);

    assert!(waiting.is_pending());
    assert!(post.mailbox.lock().queue.capacity() < 64);
}

// G-8
#[test]
fn the_queue_frees_memory_after_a_burst_even_if_it_is_never_empty() {
    let burst = || {
        let post = Post::within(Limits::default());
        for _ in 0..1_000 {
            post.offer("");
        }
        post
    };
    let room = |post: &Post| post.mailbox.lock().queue.capacity();

    let received = burst();
    for waiting in (1..1_000).rev() {
        assert!(received.take().is_ready());
        assert!(3 * room(&received) <= 8 * waiting.max(KEPT), "{waiting}");
    }

    let unread = burst();
    for _ in 1..1_000 {
        assert_ne!(unread.finish(), Next::Nothing);
    }
    assert!(room(&unread) <= KEPT);
}

//
#[test]
fn a_datagram_that_is_asked_about_keeps_its_place_and_its_memory() {
    let post = Post::within(Limits::default().max_queue_len(2));
    let (cx, counters) = (Context::from_waker(Waker::noop()), &post.counters);
    let next = || match post.mailbox.poll_ask(&cx) {
        Poll::Ready(asked) => asked,
        Poll::Pending => panic!("nothing waits"),
    };
    post.open("a");
    post.offer_all(&["b", "c"]);

    for _ in 0..2 {
        assert!(post.mailbox.put_back(next().unwrap(), &cx, counters));
        assert!(!post.mailbox.is_asked());
    }
    assert_eq!(text(next().unwrap().released(counters)), "a");
    let second = next().unwrap();
    // Its place in the queue is free.
    assert_eq!(post.offer_all(&["d", "e"]), [ACCEPTED, FULL]);
    assert!(post.mailbox.put_back(second, &cx, counters) && post.mailbox.is_asked());
    assert_eq!(post.waiting_bytes(), 3 * (1 + OVERHEAD));

    // It opens the next conversation, and is unread if that ends.
    assert_ne!(post.finish(), Next::Nothing);
    assert!(!post.mailbox.is_asked());
    let opening = next().unwrap();
    assert_eq!(&*opening.waiting.1, b"b");
    assert!(post.mailbox.put_back(opening, &cx, counters));
    assert_ne!(post.finish(), Next::Nothing);
    assert_eq!(post.dropped(DropReason::Unread), 1);

    let (third, fourth) = (next().unwrap(), next().unwrap());
    assert!(post.mailbox.put_back(fourth, &cx, counters));
    post.mailbox.close(counters);
    assert!(!post.mailbox.put_back(third, &cx, counters) && next().is_none());
    assert_eq!((post.dropped(DropReason::ShuttingDown), post.waiting_bytes()), (2, 0));
}
