//! Tests of datagrams that find no room or are refused, and of the end of the outbox.

use super::*;

// S-10
#[tokio::test(start_paused = true)]
async fn datagrams_that_find_no_room_within_the_limit_are_dropped_and_counted() {
    let limit = Duration::from_millis(100);
    let bench = Bench::within(limit);
    let to = peer(1);
    bench.kernel.fill(true);
    numbers(MOST_DATAGRAMS).iter().for_each(|text| bench.send(1, text));
    let mut waiting = pin!(bench.outbox.send(&to, b"waiting"));
    assert!(poll(waiting.as_mut()).is_pending());

    tokio::time::sleep_until(bench.outbox.deadline().unwrap()).await;
    bench.outbox.expire();

    assert!(bench.outbox.is_flushed() && bench.outbox.deadline().is_none());
    assert_eq!(bench.stats().send_timeouts, MOST_DATAGRAMS as u64);
    // The datagram in `send` has waited just as long; a new datagram has a new limit.
    assert!(matches!(poll(waiting), Poll::Ready(Ok(()))));
    bench.send(1, "later");
    tokio::time::sleep(limit / 2).await;
    bench.outbox.expire();
    bench.kernel.fill(false);
    assert!(bench.flush().is_ready());
    assert!(bench.kernel.sent(1).ends_with(&["later".to_owned()]));
}

// S-9
#[test]
fn a_refused_datagram_does_not_stop_the_others_at_any_position_in_the_batch() {
    for place in 0..5 {
        let mut bench = Bench::new();
        let mut outcomes = VecDeque::from([Ok(()); 5]);
        outcomes[place] = Err(io::ErrorKind::PermissionDenied);
        bench.kernel.told().outcomes = outcomes;

        bench.outbox.begin_batch();
        numbers(5).iter().for_each(|text| bench.reply(1, text));
        bench.finish_batch();

        let mut expected = numbers(5);
        expected.remove(place);
        assert_eq!(bench.kernel.sent(1), expected);
        let stats = bench.stats();
        assert_eq!((stats.sent, stats.send_errors, stats.suppressed_events), (4, 1, 0));
    }
}

// S-9
#[test]
fn each_refused_datagram_is_counted_and_logged() {
    let mut bench = Bench::new();
    bench.kernel.told().outcomes = [Err(io::ErrorKind::NetworkUnreachable); 4].into();

    bench.outbox.begin_batch();
    bench.reply(1, "in a batch");
    bench.reply(2, "in a batch");
    bench.send(1, "in the backlog");
    bench.finish_batch();
    bench.send(1, "at once");

    // One event was logged; the others were suppressed.
    let stats = bench.stats();
    assert_eq!((stats.sent, stats.send_errors, stats.suppressed_events), (0, 4, 3));
}

// S-10
#[test]
fn an_interrupted_send_is_tried_again() {
    let mut bench = Bench::new();
    let interrupted = [Err(io::ErrorKind::Interrupted), Ok(())];
    bench.kernel.told().outcomes = [interrupted, interrupted].concat().into();

    bench.send(1, "0");
    bench.outbox.begin_batch();
    bench.reply(1, "1");
    bench.finish_batch();

    assert_eq!(bench.kernel.sent(1), numbers(2));
    assert_eq!(bench.stats().send_errors, 0);
}

// S-10
#[test]
fn a_send_waits_while_the_backlog_is_full() {
    let bench = Bench::new();
    let (to, last) = (peer(1), MOST_DATAGRAMS.to_string());
    bench.kernel.fill(true);
    numbers(MOST_DATAGRAMS).iter().for_each(|text| bench.send(1, text));

    let mut waiting = pin!(bench.outbox.send(&to, last.as_bytes()));
    assert!(poll(waiting.as_mut()).is_pending());
    bench.kernel.fill(false);
    assert!(bench.flush().is_ready());
    assert!(matches!(poll(waiting), Poll::Ready(Ok(()))));

    assert_eq!(bench.kernel.sent(1), numbers(MOST_DATAGRAMS + 1));
}

// S-10
#[test]
fn the_worker_is_woken_when_there_is_something_to_flush() {
    /// Records what a worker on another thread would see immediately.
    struct Worker(Weak<Outbox>, Mutex<Vec<bool>>);

    impl Wake for Worker {
        fn wake(self: Arc<Self>) {
            let flushed = self.0.upgrade().unwrap().is_flushed();
            self.1.lock().unwrap().push(flushed);
        }
    }

    let bench = Bench::new();
    let worker = Arc::new(Worker(Arc::downgrade(&bench.outbox), Mutex::default()));
    let waker = Waker::from(Arc::clone(&worker));
    bench.outbox.signal.register(&Context::from_waker(&waker));
    bench.kernel.fill(true);

    bench.send(1, "0");

    assert_eq!(*worker.1.lock().unwrap(), [false]);
}

// S-11
#[test]
fn a_send_that_is_dropped_while_it_waits_leaves_nothing_behind() {
    let bench = Bench::new();
    bench.kernel.fill(true);
    numbers(MOST_DATAGRAMS).iter().for_each(|text| bench.send(1, text));

    assert!(bench.poll_send(1, "dropped").is_pending());
    bench.kernel.fill(false);
    assert!(bench.flush().is_ready());

    assert_eq!(bench.kernel.sent(1), numbers(MOST_DATAGRAMS));
}

// S-15
#[test]
fn closing_drops_waiting_datagrams_and_opening_starts_empty() {
    let bench = Bench::new();
    let to = peer(1);
    bench.kernel.fill(true);
    numbers(MOST_DATAGRAMS).iter().for_each(|text| bench.send(1, text));
    let mut waiting = pin!(bench.outbox.send(&to, b"waiting"));
    assert!(poll(waiting.as_mut()).is_pending());

    bench.outbox.close();

    assert!(matches!(poll(waiting), Poll::Ready(Err(SendError::Closed))));
    assert!(matches!(bench.poll_send(1, "later"), Poll::Ready(Err(SendError::Closed))));
    assert_eq!(bench.stats().send_errors, MOST_DATAGRAMS as u64);
    bench.kernel.fill(false);
    bench.outbox.open();
    bench.send(1, "0");
    assert_eq!(bench.kernel.sent(1), numbers(1));
}

// L-19
#[test]
fn a_batch_that_ends_after_serving_sends_nothing() {
    let mut bench = Bench::new();
    bench.outbox.begin_batch();
    bench.reply(1, "late");

    bench.outbox.close();
    bench.finish_batch();

    assert!(bench.kernel.sent(1).is_empty());
    assert_eq!(bench.stats().send_errors, 1);
}

// L-19
#[test]
fn a_batch_that_ends_after_serving_leaves_nothing_for_the_next_serving() {
    let mut bench = Bench::new();
    bench.kernel.fill(true);
    bench.outbox.begin_batch();
    bench.reply(1, "stale");

    bench.outbox.close();
    bench.finish_batch();

    assert!(bench.outbox.is_flushed() && bench.replies.is_empty());
    assert_eq!(bench.stats().send_errors, 1);
}
