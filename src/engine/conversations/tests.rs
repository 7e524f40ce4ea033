//! Tests of the table of conversations.

use std::{
    hash::BuildHasher,
    net::{Ipv4Addr, SocketAddr},
    task::{Context, Poll, Waker},
};

use super::*;
use crate::{Guard, Limits, guard::Watch};

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

// L-10
#[test]
fn sealing_the_table_seals_all_mailboxes() {
    let (mut table, _) = table(Limits::default());
    let mailboxes = [open(&mut table, &peer(1), 1), open(&mut table, &peer(2), 2)];

    table.seal();

    assert!(mailboxes.iter().all(|mailbox| mailbox.is_sealed()));
    assert_eq!(arrive(&mut table, 1, b"a"), Arrival::Dropped(DropReason::ShuttingDown));
}

//
#[test]
fn a_conversation_learns_that_its_peer_has_proven_its_address() {
    let (mut table, _) = table(Limits::default());
    let watch = Watch::default();
    watch.set(Some(Guard::internet()));
    let rules = watch.rules().unwrap();
    assert!(table.reserve());
    table.insert(peer(1), 1, Arc::default(), Some(Budget::new(&rules)), ());

    assert!(table.has(&peer(1), false) && !table.has(&peer(2), true));
    assert!(!table.is_validated(&peer(1)) && !table.is_validated(&peer(2)));
    assert_eq!(rules.unvalidated(), 1);

    assert!(table.has(&peer(1), true) && table.is_validated(&peer(1)));
    assert_eq!(rules.unvalidated(), 0);
}

//
#[test]
fn a_peer_counts_as_not_validated_until_its_conversation_has_ended() {
    let (mut table, _) = table(Limits::default());
    let watch = Watch::default();
    watch.set(Some(Guard::internet()));
    let rules = watch.rules().unwrap();
    assert!(table.reserve());
    table.insert(peer(1), 1, Arc::default(), Some(Budget::new(&rules)), ());

    table.end(&peer(1), 1);

    assert_eq!(rules.unvalidated(), 0);
}

// G-7
#[test]
fn the_table_frees_memory_after_a_flood() {
    let (mut table, _) = table(Limits::default());
    for port in 1..=10_000 {
        open(&mut table, &peer(port), u64::from(port));
    }
    let full = table.open.capacity();
    for port in 1..=9_900 {
        table.end(&peer(port), u64::from(port));
    }

    assert!(full >= 10_000 && table.open.capacity() < 2_000);
    assert_eq!(table.tasks().count(), 100);
}
