//! Tests of the chunks of a request and its response.

use std::ops::RangeInclusive;

use super::*;
use crate::chunk::{Part, missing};

const LIMIT: usize = 1 << 20;
const PACKET: PacketId = PacketId { id: 7, number: 1 };

fn options() -> Chunked {
    Chunked::with_limit(LIMIT)
}

/// A datagram whose packet has this many chunks.
fn datagram(chunks: usize) -> Vec<u8> {
    vec![0; 1 + chunks * (1_200 - 17)]
}

/// The numbers of these chunks, and whether the last one asks. No other one does.
fn indexes(datagrams: &[Vec<u8>]) -> (Vec<u16>, bool) {
    let chunks: Vec<_> = datagrams
        .iter()
        .map(|datagram| match Part::read(datagram) {
            Some(Part::Chunk(chunk)) => chunk,
            part => panic!("{part:?}"),
        })
        .collect();
    let (last, others) = chunks.split_last().unwrap();
    assert!(others.iter().all(|chunk| !chunk.asks));
    (chunks.iter().map(|chunk| chunk.index).collect(), last.asks)
}

fn list(ranges: &[RangeInclusive<u16>]) -> Vec<u8> {
    missing(PACKET, ranges.iter().cloned(), usize::MAX)
}

/// The server tells what is missing; returns the chunks that are sent.
fn told(transfer: &mut Transfer, datagram: &[u8], ranges: &[RangeInclusive<u16>]) -> Vec<u16> {
    let list = list(ranges);
    let Some(Part::Missing(missing)) = Part::read(&list) else { panic!("{list:?}") };
    let sent = transfer.told(&missing, datagram, Instant::now());
    if sent.is_empty() {
        return Vec::new();
    }
    let (indexes, asks) = indexes(&sent);
    assert!(asks);
    indexes
}

/// A chunk of a response arrives; returns the chunks that are asked for.
fn arrives(transfer: &mut Transfer, index: u16, last: u16) -> Vec<RangeInclusive<u16>> {
    match receive(transfer, PACKET, index, last) {
        Received::Incomplete(None) => Vec::new(),
        Received::Incomplete(Some(list)) => ranges(&list),
        received => panic!("{received:?}"),
    }
}

fn receive(transfer: &mut Transfer, packet: PacketId, index: u16, last: u16) -> Received {
    let bytes = &[index as u8; 600];
    let chunk = Chunk { packet, index, last, asks: false, bytes };
    transfer.receive(&chunk, LIMIT, Instant::now())
}

fn ranges(list: &[u8]) -> Vec<RangeInclusive<u16>> {
    match Part::read(list) {
        Some(Part::Missing(missing)) => missing.ranges().collect(),
        part => panic!("{part:?}"),
    }
}

//
#[test]
fn a_short_request_is_one_datagram() {
    let datagram = vec![0; 1_200];
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);

    assert!(!transfer.is_in_chunks());
    assert!(transfer.begin(&datagram, Instant::now()).is_empty());
    assert!(transfer.repeat(&datagram).is_empty());
    assert!(transfer.resume(&datagram).is_empty());
    assert!(told(&mut transfer, &datagram, &[0..=1]).is_empty());
}

//
#[test]
fn a_flight_doubles_while_nothing_is_lost() {
    let datagram = datagram(300);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);

    assert_eq!(indexes(&transfer.begin(&datagram, Instant::now())), ((0..10).collect(), true));
    for flight in [10..30, 30..70, 70..134, 134..198, 198..262, 262..300] {
        let mut sent = told(&mut transfer, &datagram, &[flight.start..=299]);
        sent.sort_unstable(); // the last chunk of all is not the one that asks
        assert_eq!(sent, flight.collect::<Vec<_>>());
    }
}

//
#[test]
fn a_chunk_is_lost_when_three_later_ones_have_arrived_and_the_flight_halves() {
    let datagram = datagram(300);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);
    transfer.begin(&datagram, Instant::now());

    // 3 is lost. 7 and 8 may come.
    let sent = told(&mut transfer, &datagram, &[3..=3, 7..=8, 10..=299]);
    assert_eq!(sent, [3, 10, 11]);
    assert_eq!(told(&mut transfer, &datagram, &[7..=7, 12..=299]), [7, 12, 13, 14]);
    assert_eq!(told(&mut transfer, &datagram, &[15..=299]), (15..23).collect::<Vec<_>>());
}

//
#[test]
fn a_full_chunk_asks_so_that_the_answer_has_room() {
    // The last chunk has one byte.
    let datagram = vec![0; 1 + 9 * (1_200 - 17) + 1];
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);

    let (indexes, asks) = indexes(&transfer.begin(&datagram, Instant::now()));
    assert_eq!((indexes, asks), (vec![0, 1, 2, 3, 4, 5, 6, 7, 9, 8], true));

    // 3 is lost, and the list is whole.
    assert_eq!(told(&mut transfer, &datagram, &[3..=3]), [3]);
}

//
#[test]
fn chunks_that_come_late_are_not_sent_again() {
    let datagram = datagram(300);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);
    transfer.begin(&datagram, Instant::now());

    // The last one has overtaken two others.
    assert_eq!(told(&mut transfer, &datagram, &[7..=8, 10..=299]), (10..26).collect::<Vec<_>>());
    assert_eq!(told(&mut transfer, &datagram, &[26..=299]).len(), 36);
}

//
#[test]
fn an_old_list_that_comes_late_changes_nothing() {
    let datagram = datagram(300);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);
    transfer.begin(&datagram, Instant::now());
    assert_eq!(told(&mut transfer, &datagram, &[10..=299]).len(), 20);

    assert!(told(&mut transfer, &datagram, &[5..=299]).is_empty());
    assert!(told(&mut transfer, &datagram, &[0..=0, 10..=299]).is_empty());

    // After a timer it is believed: the server may have given the packet up.
    transfer.repeat(&datagram);
    assert_eq!(told(&mut transfer, &datagram, &[1..=299])[0], 1);
}

//
#[test]
fn a_list_that_tells_nothing_new_causes_no_flight() {
    let datagram = datagram(300);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);
    transfer.begin(&datagram, Instant::now());
    assert_eq!(told(&mut transfer, &datagram, &[10..=299]).len(), 20);

    assert!(told(&mut transfer, &datagram, &[10..=299]).is_empty());

    // After a timer the same list is news: the flight is lost.
    let (probe, asks) = indexes(&transfer.resume(&datagram));
    assert!(asks && probe == [10]);
    assert_eq!(told(&mut transfer, &datagram, &[10..=299]), (10..20).collect::<Vec<_>>());
}

//
#[test]
fn when_a_timer_expires_one_chunk_asks_what_is_missing_and_the_flight_halves() {
    let datagram = datagram(300);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);
    transfer.begin(&datagram, Instant::now());

    for flight in [5, 4, 4] {
        assert_eq!(indexes(&transfer.repeat(&datagram)), (vec![0], true));
        assert_eq!(told(&mut transfer, &datagram, &[0..=299]).len(), flight);
    }
}

//
#[test]
fn the_list_of_another_packet_changes_nothing() {
    let datagram = datagram(20);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);
    transfer.begin(&datagram, Instant::now());
    let other = PacketId { number: 2, ..PACKET };
    let list = missing(other, [0..=19].into_iter(), usize::MAX);
    let Some(Part::Missing(list)) = Part::read(&list) else { panic!() };

    assert!(transfer.told(&list, &datagram, Instant::now()).is_empty());

    assert_eq!(transfer.progress(), None);
}

//
#[test]
fn a_response_is_asked_for_one_flight_at_a_time() {
    let mut transfer = Transfer::default();
    let mut next = 0;
    for flight in [10, 20, 40, 64, 64] {
        for index in next..next + flight - 1 {
            assert_eq!(arrives(&mut transfer, index, 299), []);
        }
        next += flight;
        let asked = (2 * flight).min(64).min(300 - next);
        assert_eq!(arrives(&mut transfer, next - 1, 299), [next..=next + asked - 1]);
    }
}

//
#[test]
fn chunks_of_a_response_that_were_overtaken_by_three_are_asked_for_without_a_timer() {
    let mut transfer = Transfer::default();
    for index in [0, 1, 3, 4, 2, 5, 7, 8] {
        assert_eq!(arrives(&mut transfer, index, 299), []);
    }

    // 6 is lost. If it comes late, it counts as well.
    assert_eq!(arrives(&mut transfer, 9, 299), [6..=6, 10..=13]);
    for index in [6, 10, 11, 12] {
        assert_eq!(arrives(&mut transfer, index, 299), []);
    }
    assert_eq!(arrives(&mut transfer, 13, 299), [14..=23]);
}

//
#[test]
fn chunks_of_a_response_that_are_lost_are_asked_for_when_a_timer_expires() {
    let mut transfer = Transfer::default();
    for index in [0, 1, 3, 9] {
        assert_eq!(arrives(&mut transfer, index, 299), []);
    }

    let asked = transfer.resume(&[0]);

    assert_eq!(asked.len(), 1);
    assert_eq!(ranges(&asked[0]), [2..=2, 4..=7]);
    for index in [2, 8, 4, 5, 6] {
        assert_eq!(arrives(&mut transfer, index, 299), []);
    }
    assert_eq!(arrives(&mut transfer, 7, 299), [10..=19]);
}

//
#[tokio::test(start_paused = true)]
async fn a_round_trip_is_measured_with_chunks_that_were_asked_for_once() {
    let mut transfer = Transfer::default();
    (0..10).for_each(|index| drop(arrives(&mut transfer, index, 299)));
    assert_eq!(transfer.take_round_trip(), None);

    tokio::time::advance(Duration::from_millis(30)).await;
    arrives(&mut transfer, 10, 299);
    tokio::time::advance(Duration::from_millis(30)).await;
    arrives(&mut transfer, 11, 299);
    assert_eq!(transfer.take_round_trip(), Some(Duration::from_millis(30)));

    // After a timer, nobody knows which of two is answered.
    transfer.resume(&[0]);
    tokio::time::advance(Duration::from_millis(30)).await;
    (12..30).for_each(|index| drop(arrives(&mut transfer, index, 299)));
    assert_eq!(transfer.take_round_trip(), None);
}

//
#[tokio::test(start_paused = true)]
async fn a_round_trip_is_measured_with_a_chunk_that_was_sent_once() {
    let datagram = datagram(300);
    let mut transfer = Transfer::new(&options(), PACKET, &datagram);
    transfer.begin(&datagram, Instant::now());
    tokio::time::advance(Duration::from_millis(30)).await;
    told(&mut transfer, &datagram, &[0..=0, 10..=299]);
    assert_eq!(transfer.take_round_trip(), Some(Duration::from_millis(30)));

    transfer.repeat(&datagram);
    told(&mut transfer, &datagram, &[11..=299]);
    assert_eq!(transfer.take_round_trip(), None);
}

//
#[test]
fn another_attempt_asks_for_what_is_missing() {
    let mut transfer = Transfer::default();
    arrives(&mut transfer, 0, 2);

    let sent = transfer.repeat(&[0, 7]);

    assert_eq!(sent.len(), 1);
    assert_eq!(ranges(&sent[0]), [1..=2]);
}

//
#[tokio::test(start_paused = true)]
async fn a_response_is_complete_when_all_its_chunks_have_arrived_and_knows_when_the_first_did() {
    let (mut transfer, start) = (Transfer::default(), Instant::now());
    arrives(&mut transfer, 1, 2);
    tokio::time::advance(Duration::from_secs(1)).await;
    arrives(&mut transfer, 0, 2);
    assert_eq!(receive(&mut transfer, PACKET, 0, 2), Received::Repeated);
    assert_eq!(transfer.progress(), Some(Progress { steps: 2, at: Instant::now() }));

    let Received::Complete(datagram, since) = receive(&mut transfer, PACKET, 2, 2) else {
        panic!()
    };

    assert_eq!((datagram.len(), since), (1 + 3 * 600, start));
    assert!(transfer.responses.is_empty());
}

//
#[test]
fn chunks_of_two_responses_are_not_mixed_and_a_third_one_ends_the_oldest() {
    let packet = |number| PacketId { id: 7, number };
    let mut transfer = Transfer::default();
    for number in [1, 2, 3] {
        receive(&mut transfer, packet(number), 0, 1);
    }

    assert!(matches!(receive(&mut transfer, packet(1), 1, 1), Received::Incomplete(_)));
    assert!(matches!(receive(&mut transfer, packet(3), 1, 1), Received::Complete(..)));
}

//
#[test]
fn a_chunk_of_a_response_that_would_be_too_long_costs_nothing() {
    let mut transfer = Transfer::default();

    assert_eq!(receive(&mut transfer, PACKET, 0, u16::MAX), Received::Refused);

    assert!(transfer.responses.is_empty() && transfer.progress().is_none());
}
