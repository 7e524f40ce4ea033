//! Random courses of a backlog.

use std::collections::HashSet;

use super::*;

// G-9
#[test]
fn over_random_courses_no_datagram_is_lost_uncounted_and_peers_keep_their_order() {
    let mut orders = HashSet::new();
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = one_second().max_queue_len(3).max_total_queue_bytes(8_000);
        let limits = match seed % 2 {
            0 => limits,
            _ => limits.overflow(Overflow::DropOldest),
        };
        let mut bench = Bench::new(&limits);
        let (mut pushed, mut taken, mut dropped) = (0, 0, 0);
        let mut sent = [0_u8; 20];
        let mut seen = [None; 20];
        for _ in 0..1_000 {
            match random.u8(0..10) {
                0..6 => {
                    let port = random.usize(0..20);
                    let byte = sent[port];
                    sent[port] = byte.wrapping_add(1);
                    pushed += 1;
                    let late = bench.backlog.take_lost().late;
                    assert_eq!(late, 0, "it was counted");
                    let ancillary = Ancillary { arrived: bench.now(), ..Ancillary::default() };
                    let (datagram, now) = (vec![byte; random.usize(1..100)], bench.now());
                    let from = peer(port as u16);
                    let result = bench.backlog.push(&from, ancillary, &datagram, None, false, now);
                    let Lost { late, freed } = bench.backlog.take_lost();
                    dropped += late + freed + u64::from(result.is_err());
                }
                6..9 => {
                    let now = bench.now();
                    orders.insert(bench.backlog.stands(now));
                    if let Some((port, byte)) = bench.backlog.take(now).map(|turn| told(&turn)) {
                        taken += 1;
                        let last = seen[usize::from(port)].replace(byte);
                        assert!(last.is_none_or(|last| byte.wrapping_sub(last) < 128), "{seed}");
                        assert_ne!(last, Some(byte));
                    }
                    dropped += bench.backlog.take_lost().late;
                }
                _ => dropped += bench.wait(random.u64(0..300)),
            }
        }
        let left = std::iter::from_fn(|| bench.take()).count() as u64;
        dropped += bench.backlog.take_lost().late;
        let older = bench.counters.read().dropped(DropReason::QueueFull);
        assert_eq!(pushed, taken + dropped + older + left, "seed {seed}");
        assert_eq!(bench.counters.read().queued_bytes, 0);
    }
    assert_eq!(orders.len(), 2, "both orders occur");
}
