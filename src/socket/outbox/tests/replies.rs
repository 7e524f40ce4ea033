//! Tests of the replies of functions over a transport that sends each datagram at once.

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

impl Bench {
    fn at_once() -> Self {
        Self::with(&Limits::default().idle_timeout(LIMIT), true)
    }

    /// Replies like a function; returns whether the reply is in the batch.
    fn answer(&mut self, to: u16, text: &str) -> bool {
        self.outbox.takes_reply(&mut self.replies, &peer(to), text.as_bytes())
    }

    /// Lets the worker wait for something to do until the next replies are tried.
    async fn retry(&self) {
        tokio::time::sleep_until(self.outbox.deadline().unwrap()).await;
        self.outbox.expire();
    }

    /// Sends like a handler.
    fn poll_at_once(&self, to: u16, text: &str) -> Result<bool, SendError> {
        let (to, text) = (peer(to), text.as_bytes());
        self.outbox.try_send_at_once(&to, text.len(), |kernel| kernel.try_send(&to, text))
    }
}

// the reply of another server, which a conversation sends while the worker fills its batch
#[tokio::test(start_paused = true)]
async fn a_reply_that_is_sent_again_waits_for_the_batch_and_for_room() {
    let mut bench = Bench::at_once();
    assert!(bench.outbox.send_alone_again(&peer(1), b"0"));
    assert!(bench.answer(1, "1"));

    assert!(bench.outbox.send_alone_again(&peer(1), b"2"));
    assert_eq!(bench.kernel.sent(1), numbers(1));
    bench.finish_batch();
    assert_eq!(bench.kernel.sent(1), numbers(2));
    bench.retry().await;
    assert_eq!(bench.kernel.sent(1), numbers(3));

    bench.kernel.told().full_peers = vec![2];
    assert!(bench.outbox.send_alone_again(&peer(2), b"0"));
    bench.retry().await;
    assert!(bench.kernel.sent(2).is_empty());
    bench.kernel.told().full_peers.clear();
    bench.retry().await;
    assert_eq!(bench.kernel.sent(2), numbers(1));
    bench.outbox.close();
    assert!(!bench.outbox.send_alone_again(&peer(1), b"3"));
}

// U-9, S-4
#[tokio::test(start_paused = true)]
async fn replies_to_a_peer_without_room_wait_in_order_and_others_leave() {
    let mut bench = Bench::at_once();
    bench.kernel.told().full_peers = vec![1, 3];

    for (to, text) in [(2, "0"), (1, "0"), (1, "1"), (3, "0"), (2, "1")] {
        assert!(bench.answer(to, text));
    }
    assert!(bench.kernel.sent(2).is_empty());
    bench.finish_batch();

    assert_eq!(bench.kernel.sent(2), numbers(2));
    assert!(!bench.outbox.is_flushed() && bench.flush().is_pending());
    // The next reply to such a peer is sent as by a handler, which waits.
    assert!(!bench.answer(1, "2"));
    assert!(!bench.poll_at_once(1, "2").unwrap() && bench.poll_at_once(2, "2").unwrap());
    bench.retry().await;
    assert!(bench.kernel.sent(1).is_empty());
    bench.kernel.told().full_peers = vec![3];
    bench.retry().await;
    assert_eq!(bench.kernel.sent(1), numbers(2));
    assert!(bench.answer(1, "2"));
    bench.finish_batch();
    assert_eq!(bench.kernel.sent(1), numbers(3));

    while !bench.outbox.is_flushed() {
        bench.retry().await;
    }
    assert!(bench.kernel.sent(3).is_empty() && bench.flush().is_ready());
    let stats = bench.stats();
    assert_eq!((stats.sent, stats.send_timeouts, stats.send_errors), (6, 1, 0));
}

// U-19
#[tokio::test(start_paused = true)]
async fn a_reply_waits_for_at_most_the_limit() {
    let mut bench = Bench::at_once();
    bench.kernel.fill(true);
    bench.answer(1, "0");
    bench.finish_batch();

    let began = Instant::now();
    while !bench.outbox.is_flushed() {
        bench.retry().await;
    }

    let waited = began.elapsed();
    assert!(waited >= LIMIT && waited < LIMIT + Duration::from_millis(100), "{waited:?}");
    assert_eq!(bench.stats().send_timeouts, 1);
}

// S-4
#[tokio::test(start_paused = true)]
async fn a_datagram_that_is_sent_after_a_reply_leaves_after_it() {
    let mut bench = Bench::at_once();
    let to = peer(1);
    bench.answer(1, "0");
    let outbox = Arc::clone(&bench.outbox);
    let send = async || {
        outbox.send_at_once(&to, 1, None, |kernel| kernel.try_send(&to, b"1")).await.unwrap();
    };
    let mut sending = pin!(send());
    assert!(poll(sending.as_mut()).is_pending());

    bench.kernel.told().full_peers = vec![1];
    bench.finish_batch();
    assert!(poll(sending.as_mut()).is_pending());
    bench.kernel.told().full_peers.clear();
    bench.retry().await;
    // A later batch does not hold it up.
    bench.answer(1, "2");
    sending.await;

    assert_eq!(bench.kernel.sent(1), numbers(2));
}

// U-9
#[test]
fn long_replies_do_not_wait_for_the_end_of_the_batch() {
    let mut bench = Bench::at_once();
    assert!(bench.answer(1, &"x".repeat(2_048)) && !bench.answer(1, &"x".repeat(2_049)));
}

// S-9
#[test]
fn a_refused_reply_is_counted_and_stops_no_other() {
    let mut bench = Bench::at_once();
    bench.kernel.told().outcomes =
        [Ok(()), Err(io::ErrorKind::ConnectionRefused), Err(io::ErrorKind::Interrupted)].into();

    for (to, text) in [(1, "0"), (2, "0"), (1, "1")] {
        bench.answer(to, text);
    }
    bench.finish_batch();

    assert_eq!(bench.kernel.sent(1), numbers(2));
    assert_eq!((bench.stats().sent, bench.stats().send_errors), (2, 1));
}

// U-20
#[tokio::test(start_paused = true)]
async fn a_limited_number_of_replies_waits() {
    let mut bench = Bench::at_once();
    bench.kernel.fill(true);
    let mut to = 0;
    while bench.answer(to, "x") {
        bench.finish_batch();
        to += 1;
    }

    assert_eq!(usize::from(to), MOST_DATAGRAMS);
}

// S-15, L-11
#[tokio::test(start_paused = true)]
async fn replies_that_wait_at_the_end_of_serving_are_lost_and_counted() {
    let mut bench = Bench::at_once();
    bench.kernel.fill(true);
    bench.answer(1, "held");
    bench.finish_batch();
    // The future of `serve` is dropped in the middle of this batch.
    bench.answer(2, "in the batch");

    bench.outbox.close();

    assert!(bench.outbox.is_flushed());
    assert_eq!(bench.stats().send_errors, 1);
    assert!(matches!(bench.poll_at_once(1, "more"), Ok(false) | Err(SendError::Closed)));
    let closed = bench.outbox.send_at_once(&peer(1), 1, None, |_| Ok(())).await;
    assert!(matches!(closed, Err(SendError::Closed)), "{closed:?}");
    bench.finish_batch();
    assert_eq!(bench.stats().send_errors, 2);

    bench.kernel.fill(false);
    bench.outbox.open();
    assert!(!bench.outbox.has_batched() && bench.poll_at_once(1, "again").unwrap());
}
