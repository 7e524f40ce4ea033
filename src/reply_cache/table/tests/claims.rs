//! Requests that are in a reply store too.

use super::*;
use crate::{BoxError, hook::Hook, reply_cache::Begun};

/// A claim that counts 100 bytes. The table makes no calls.
#[derive(Debug)]
struct Hundred;

impl Claim for Hundred {
    fn begin(self: Arc<Self>, _: Duration) -> Hook<'static, Result<Begun, BoxError>> {
        unreachable!()
    }

    fn complete(self: Arc<Self>, _: Arc<[u8]>, _: Duration) -> Hook<'static, Result<(), BoxError>> {
        unreachable!()
    }

    fn forget(self: Arc<Self>) -> Hook<'static, Result<(), BoxError>> {
        unreachable!()
    }

    fn bytes(&self) -> usize {
        100
    }
}

impl Bench {
    /// A new request arrives, and a handler receives it; returns its number.
    fn claim(&mut self, id: u64) -> u64 {
        let number = self.deliver(1, id, id);
        self.table.claim(number, Arc::new(Hundred));
        number
    }
}

//
#[test]
fn a_claim_stays_until_its_reply_is_sent() {
    let mut bench = Bench::new(ReplyCache::default());
    let number = bench.claim(7);
    assert_eq!(bench.table.bytes, OVERHEAD + 100);
    // Without a reply that can be sent again, there is nothing to write.
    assert!(bench.table.sent(number).is_none());
    let number = bench.claim(8);

    // A reply that could not be sent is taken back.
    assert_eq!(bench.answer(1, 8, b"lost"), Some(number));
    bench.table.take_back(number);
    assert_eq!(bench.answer(1, 8, b"reply"), Some(number));
    let unwritten = bench.table.sent(number).unwrap();

    assert_eq!((&*unwritten.reply, unwritten.since), (&b"reply"[..], bench.now));
    assert_eq!(bench.table.bytes, 2 * OVERHEAD + 5);
    assert!(bench.table.sent(number).is_none());
    assert_eq!(bench.table.spent.len(), 1);
}

//
#[test]
fn a_claim_goes_with_its_request_and_counts_towards_the_limit() {
    let limits = ReplyCache::default().max_bytes(2 * (OVERHEAD + 100) + 50);
    let mut bench = Bench::new(limits);
    let first = bench.claim(1);
    bench.claim(2);

    // There is room for the third request, but not for its claim.
    let third = bench.claim(3);
    assert_eq!((bench.table.evicted, bench.table.spent.len()), (1, 1));
    assert!(!bench.table.entries.contains_key(&first));
    bench.table.forget(third);
    bench.now += Duration::from_secs(30);
    bench.table.expire(bench.now);

    assert!(bench.is_empty());
    assert_eq!(bench.table.spent.len(), 3);
    // The request was forgotten before its handler received it.
    bench.table.claim(third, Arc::new(Hundred));
    assert!(bench.is_empty());
    assert_eq!(bench.table.spent.len(), 4);
}

//
#[test]
fn the_reply_of_another_server_is_known_if_there_is_room() {
    let limits = ReplyCache::default().max_bytes(2 * OVERHEAD + 10);
    let mut bench = Bench::new(limits);
    for (id, reply) in [(1, &b"12345"[..]), (2, b"12345")] {
        let number = bench.new_request(1, id, id);
        bench.table.learn(number, &reply.into());
        assert_eq!(bench.arrive(1, id, id), answered(reply));
    }
    // It does not belong to a request that was received here.
    assert_eq!(bench.answer(1, 1, b"x"), None);

    // The oldest make room, and what can never be kept is forgotten.
    let number = bench.new_request(1, 3, 3);
    bench.table.learn(number, &(&b"123456"[..]).into());
    assert_eq!(bench.arrive(1, 3, 3), answered(b"123456"));
    let number = bench.new_request(1, 4, 4);
    bench.table.learn(number, &vec![0; OVERHEAD + 11].into());
    assert_ne!(bench.arrive(1, 4, 4), Known::Unanswered);
    bench.table.learn(99, &(&b""[..]).into());
}
