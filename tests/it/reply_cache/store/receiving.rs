//! What a handler receives while the store is asked.

use datagrammar::{Limits, RecvError, Repeat};
use tokio::time::Instant;

use super::*;

everywhere! {
    //
    async fn a_slow_answer_of_the_store_holds_up_no_other_peer(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let server = net.serve(replica(&store, calls.echo())).await;
        let (source, other) = (Source::on(&net).await, Source::on(&net).await);

        for text in ["1 gate", "no id", "2 b"] {
            source.send(&server, text).await;
        }
        store.made("begin 1 gate", 1).await;
        source.send(&server, "1 gate").await;
        duplicates(&server, 1).await;
        assert_eq!(other.ask(&server, "1 x").await, "1 x 1");
        assert_eq!(other.ask(&server, "2 y").await, "2 y 2");
        assert_eq!(calls.get(), 2);
        store.open_gate();

        // In the order in which they came.
        for expected in ["1 gate 3", "no id 4", "2 b 5"] {
            assert_eq!(source.hear().await, expected);
        }
        assert_eq!(store.count("begin 1 gate"), 1);
        source.stop().await;
        other.stop().await;
        end(server, 0).await;
    }

    // in a conversation that goes on, with a `recv` that is dropped again and again
    async fn a_dropped_recv_loses_no_request_and_asks_once(net) {
        let (store, polls) = (Store::new(), Calls::default());
        let server = net.serve(replica(&store, conversing!([polls] |peer| {
            for _ in 0..3 {
                let text = loop {
                    tokio::select! {
                        biased;
                        text = peer.recv() => break text?,
                        () = tokio::time::sleep(Duration::from_millis(1)) => {}
                    }
                    polls.count();
                };
                peer.send(&text).await?;
            }
            Ok(())
        }))).await;
        let source = Source::on(&net).await;
        assert_eq!(source.ask(&server, "1 a").await, "1 a");

        for text in ["2 gate", "3 c"] {
            source.send(&server, text).await;
        }
        store.made("begin 2 gate", 1).await;
        let before = polls.get();
        until(|| polls.get() > before + 5).await;
        source.send(&server, "2 gate").await;
        duplicates(&server, 1).await;
        store.open_gate();

        assert_eq!([source.hear().await, source.hear().await], ["2 gate", "3 c"]);
        store.knows(3, 3).await;
        assert_eq!(store.calls().iter().filter(|call| call.starts_with("begin")).count(), 3);
        source.stop().await;
        end(server, 0).await;
    }

    // Q-18, D-3: what the last conversation has not received opens the next one
    async fn a_request_that_the_store_is_asked_about_opens_the_next_conversation(net) {
        let (store, calls, gate) = (Store::new(), Calls::default(), Gate::closed());
        let server = net.serve(replica(&store, conversing!([calls, gate] |peer| {
            let call = calls.count();
            let text = peer.recv().await?;
            peer.send(format!("{text} {call}")).await?;
            if call == 1 {
                tokio::select! {
                    biased;
                    _ = peer.recv() => unreachable!("the store has not answered"),
                    () = gate.pass() => {}
                }
            }
            Ok(())
        }))).await;
        let source = Source::on(&net).await;
        assert_eq!(source.ask(&server, "1 a").await, "1 a 1");
        source.send(&server, "2 gate").await;
        store.made("begin 2 gate", 1).await;

        gate.open();
        until(|| server.handle.stats().conversations == 1).await;
        assert_eq!(calls.get(), 1);
        store.open_gate();

        assert_eq!(source.hear().await, "2 gate 2");
        assert_eq!(store.count("begin 2 gate"), 1);
        assert_eq!(dropped(&server.handle, DropReason::Unread), 0);
        source.stop().await;
        end(server, 0).await;
    }

    // no handler is called for a datagram that is not new, and it holds no place
    async fn a_repetition_opens_no_conversation(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let limits = Limits::default().max_conversations(1);
        let (first, second) = (
            net.serve(replica(&store, calls.echo())).await,
            net.serve(replica(&store, calls.echo()).limits(limits)).await,
        );
        let (source, other) = (Source::on(&net).await, Source::on(&net).await);
        assert_eq!(source.ask(&first, "1 a").await, "1 a 1");
        store.knows(1, 1).await;

        assert_eq!(source.ask(&second, "1 a").await, "1 a 1");
        until(|| second.handle.stats().active_conversations == 0).await;
        assert_eq!(other.ask(&second, "1 b").await, "1 b 2");

        assert_eq!(dropped(&second.handle, DropReason::ConversationLimit), 0);
        source.stop().await;
        other.stop().await;
        end(first, 0).await;
        end(second, 1).await;
    }

    // `try_recv` does not wait for the store
    async fn try_recv_returns_a_request_when_the_store_has_answered(net) {
        let store = Store::new();
        let server = net.serve(replica(&store, conversing!(|peer| {
            for _ in 0..3 {
                let text = loop {
                    match peer.try_recv() {
                        Some(text) => break text?,
                        None => tokio::time::sleep(Duration::from_millis(1)).await,
                    }
                };
                peer.send(&text).await?;
            }
            Ok(())
        }))).await;
        let source = Source::on(&net).await;

        assert_eq!(source.ask(&server, "1 a").await, "1 a");
        assert_eq!(source.ask(&server, "2 b").await, "2 b");
        source.send(&server, "3 gate").await;
        store.made("begin 3 gate", 1).await;
        store.open_gate();
        assert_eq!(source.hear().await, "3 gate");
        source.stop().await;
        end(server, 0).await;
    }
}

// a packet that has arrived is returned whatever the limit is, and a repetition does not make it longer
#[tokio::test(start_paused = true)]
async fn no_limit_of_a_recv_ends_while_the_store_is_asked() {
    let (net, store) = (Net::memory(), Store::new());
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        peer.send(&text).await?;
        // The next one arrives meanwhile.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let began = Instant::now();
        let text = peer.recv_timeout(Duration::ZERO).await?;
        peer.send(format!("{text} after {}", began.elapsed().as_millis())).await?;
        let began = Instant::now();
        let ended = peer.recv_timeout(Duration::from_millis(600)).await;
        assert!(matches!(ended, Err(RecvError::TimedOut)));
        Ok(peer.send(format!("3 after {}", began.elapsed().as_millis())).await?)
    });
    let first = net.serve(replica(&store, async |text: String| text)).await;
    let cache = ReplyCache::default().store_timeout(Duration::from_millis(500));
    let server = net.serve(replica(&store, handler).reply_cache(cache)).await;
    let source = Source::on(&net).await;
    for text in ["4 x", "5 y"] {
        assert_eq!(source.ask(&first, text).await, text);
    }
    store.knows(2, 2).await;

    for text in ["1 a", "2 gate", "3 hang"] {
        source.send(&server, text).await;
    }
    assert_eq!(source.hear().await, "1 a");
    store.made("begin 2 gate", 1).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    store.open_gate();
    let second = source.hear().await;
    let millis: u64 = second.strip_prefix("2 gate after ").unwrap().parse().unwrap();
    assert!((390..420).contains(&millis), "{second}");
    // The third one is dropped after a while, and two repetitions arrive then.
    until(|| dropped(&server.handle, DropReason::StoreFailed) == 1).await;
    for text in ["4 x", "5 y"] {
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert_eq!(source.ask(&server, text).await, text);
    }
    assert_eq!(source.hear().await, "3 after 600");

    source.stop().await;
    end(first, 0).await;
    end(server, 2).await;
}

// the answer to a request of a handler is a request to the reply cache
#[tokio::test(start_paused = true)]
async fn the_requests_of_a_handler_work_with_a_store() {
    let (net, store) = (Net::memory(), Store::new());
    let handler = conversing!(|peer| {
        peer.detect_duplicates();
        let text = peer.recv().await?;
        let mut answers = vec![text];
        for n in 0..2 {
            let repeat = Repeat::default().seed(7);
            answers.push(peer.exchange_with(format!("question {n}"), &repeat).await?);
        }
        Ok(peer.send(answers.join(", ")).await?)
    });
    let cache = ReplyCache::default().store_timeout(Duration::from_secs(5));
    let server = net.serve(replica(&store, handler).reply_cache(cache)).await;
    let other = net.serve(replica(&store, async |text: String| format!("{text}!"))).await;
    let source = Source::on(&net).await;
    assert_eq!(source.ask(&other, "8 old").await, "8 old!");
    store.knows(1, 1).await;

    assert_eq!(source.ask(&server, "1 begin").await, "question 0");
    // A repetition that another replica has answered is no answer to the question, nor is one of the packet before.
    assert_eq!(source.ask(&server, "8 old").await, "8 old!");
    for text in ["1 begin", "2 gate"] {
        source.send(&server, text).await;
    }
    store.made("begin 2 gate", 1).await;
    // The packet has arrived, so the timer of a second causes no repetition.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(source.hears_nothing().await);
    store.open_gate();
    assert_eq!(source.hear().await, "question 1");
    assert_eq!(source.ask(&server, "3 end").await, "1 begin, 2 gate, 3 end");

    source.stop().await;
    end(other, 0).await;
    end(server, 1).await;
}

// a packet that was there before the request gives no sample of the round-trip time
#[tokio::test(start_paused = true)]
async fn the_time_of_the_store_is_no_round_trip_time() {
    let (net, store) = (Net::memory(), Store::new());
    let handler = conversing!(|peer| {
        peer.recv().await?;
        // The next packet arrives meanwhile.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let repeat = Repeat::default().seed(7);
        peer.exchange_with("question 0".to_owned(), &repeat).await?;
        peer.exchange_with("question 1".to_owned(), &repeat).await?;
        Ok(())
    });
    let server = net.serve(replica(&store, handler)).await;
    let source = Source::on(&net).await;
    source.send(&server, "1 begin").await;
    source.send(&server, "2 gate").await;
    assert_eq!(source.hear().await, "question 0");
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.open_gate();
    assert_eq!(source.hear().await, "question 1");
    let began = Instant::now();

    // The first timer is still that of an unknown path.
    assert_eq!(source.hear().await, "question 1");

    let waited = began.elapsed().as_millis();
    assert!((900..=1_100).contains(&waited), "{waited} ms");
    source.send(&server, "3 end").await;
    until(|| server.handle.stats().conversations == 1).await;
    source.stop().await;
    end(server, 0).await;
}

// Q-18, G-11: a store that answers at once, and many repetitions that wait
#[tokio::test(start_paused = true)]
async fn repetitions_do_not_keep_the_thread_from_other_tasks() {
    const REPETITIONS: usize = 600;

    let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
    let (first, second) = (
        net.serve(replica(&store, calls.echo())).await,
        net.serve(replica(&store, calls.echo())).await,
    );
    let source = Source::on(&net).await;
    let repetitions: Vec<_> = (0..REPETITIONS).map(|n| format!("1 {n}")).collect();
    for repetition in &repetitions {
        source.ask(&first, repetition).await;
    }
    store.knows(REPETITIONS, REPETITIONS).await;
    source.send(&second, "2 gate").await;
    for repetition in &repetitions {
        source.send(&second, repetition).await;
    }
    until(|| second.handle.stats().received == REPETITIONS as u64 + 1).await;

    store.open_gate();
    let asked = || store.calls().iter().filter(|call| call.starts_with("begin")).count();
    let (mut before, mut longest) = (asked(), 0);
    while before < 2 * REPETITIONS + 1 {
        yield_now().await;
        let now = asked();
        (before, longest) = (now, longest.max(now - before));
    }

    assert!(longest < 200, "{longest} questions in a row");
    assert_eq!(source.hear().await, "2 gate 601");
    for n in 0..REPETITIONS {
        assert_eq!(source.hear().await, format!("1 {n} {}", n + 1));
    }
    source.stop().await;
    end(first, 0).await;
    end(second, REPETITIONS as u64).await;
}
