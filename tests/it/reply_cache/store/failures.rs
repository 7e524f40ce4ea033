//! A store that fails, panics, or is too slow.

use datagrammar::StoreFailure;
use tokio::time::Instant;

use super::*;

/// A reply cache that serves requests when the store fails.
fn serves() -> ReplyCache {
    ReplyCache::default().store_failure(StoreFailure::Serve)
}

everywhere! {
    // its client repeats it when the store works again
    async fn a_request_is_dropped_when_the_store_fails(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let server = net.serve(replica(&store, calls.echo())).await;
        let source = Source::on(&net).await;

        for (errors, mood) in [(2, Mood::Fails), (4, Mood::Panics)] {
            for method in ["begin", "forget"] {
                store.set(method, mood);
            }
            source.send(&server, "1 a").await;
            until(|| server.handle.stats().store_errors == errors).await;
        }
        // The key panics, so there is nothing to forget.
        store.set("key", Mood::Panics);
        source.send(&server, "1 a").await;
        until(|| server.handle.stats().store_errors == 5).await;
        until(|| dropped(&server.handle, DropReason::StoreFailed) == 3).await;
        assert_eq!(calls.get(), 0);
        for method in ["key", "begin", "forget"] {
            store.set(method, Mood::Works);
        }

        assert_eq!(source.ask(&server, "1 a").await, "1 a 1");
        assert_eq!(source.ask(&server, "1 a").await, "1 a 1");
        store.knows(1, 1).await;
        source.stop().await;
        end(server, 1).await;
    }

    // a store that has recorded the request although it failed forgets it
    async fn a_request_is_forgotten_after_a_failure(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let (first, second) = (
            net.serve(replica(&store, calls.echo())).await,
            net.serve(replica(&store, calls.echo())).await,
        );
        let source = Source::on(&net).await;

        store.set("begin", Mood::FailsLate);
        source.send(&first, "1 a").await;
        store.made("forget 1 a", 1).await;
        store.set("begin", Mood::Works);
        store.knows(0, 0).await;
        assert_eq!(source.ask(&second, "1 a").await, "1 a 1");
        store.knows(1, 1).await;

        // What another replica has begun or answered is not forgotten.
        store.set("begin", Mood::FailsLate);
        source.send(&first, "1 a").await;
        store.made("forget 1 a", 2).await;
        until(|| dropped(&first.handle, DropReason::StoreFailed) == 2).await;
        assert_eq!(store.known(), (1, 1));
        store.set("begin", Mood::Works);
        assert_eq!(source.ask(&first, "1 a").await, "1 a 1");
        source.stop().await;
        end(first, 1).await;
        end(second, 0).await;
    }

    // and its reply is written, since the store may work by then
    async fn a_request_is_served_when_the_store_fails_if_the_server_is_told_so(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let builder = replica(&store, calls.echo());
        let server = net.serve(builder.reply_cache(serves())).await;
        let source = Source::on(&net).await;

        for (method, mood, text) in [
            ("begin", Mood::Fails, "1 a"),
            ("begin", Mood::Panics, "2 b"),
            ("key", Mood::Panics, "3 c"),
        ] {
            store.set(method, mood);
            let reply = source.ask(&server, text).await;
            assert_eq!(source.ask(&server, text).await, reply);
            store.set(method, Mood::Works);
        }

        // Without a key there is nothing to write.
        store.knows(2, 2).await;
        assert_eq!(server.handle.stats().store_errors, 3);
        assert_eq!(dropped(&server.handle, DropReason::StoreFailed), 0);
        assert_eq!(calls.get(), 3);
        source.stop().await;
        end(server, 3).await;
    }

    // the peer has its reply, and the failure is counted
    async fn a_reply_that_cannot_be_written_is_counted(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let server = net.serve(replica(&store, calls.echo())).await;
        let source = Source::on(&net).await;

        for (errors, mood, text) in [(1, Mood::Fails, "1 a"), (2, Mood::Panics, "2 b")] {
            store.set("complete", mood);
            let reply = source.ask(&server, text).await;
            until(|| server.handle.stats().store_errors == errors).await;
            assert_eq!(source.ask(&server, text).await, reply);
        }

        assert_eq!((store.known(), calls.get()), ((2, 0), 2));
        source.stop().await;
        end(server, 2).await;
    }
}

// after exactly the time that is set
#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_in_time_has_failed() {
    for (cache, seconds) in [
        (ReplyCache::default(), 1),
        (ReplyCache::default().store_timeout(Duration::from_secs(3)), 3),
    ] {
        let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
        let server = net.serve(replica(&store, calls.echo()).reply_cache(cache)).await;
        let source = Source::on(&net).await;
        store.set("begin", Mood::Hangs);
        let began = Instant::now();

        source.send(&server, "1 a").await;
        until(|| dropped(&server.handle, DropReason::StoreFailed) == 1).await;

        let waited = began.elapsed();
        let limit = Duration::from_secs(seconds);
        assert!(limit <= waited && waited < limit + Duration::from_millis(20), "{waited:?}");
        store.made("forget 1 a", 1).await;
        // So does a call that nobody waits for.
        store.set("begin", Mood::Works);
        store.set("complete", Mood::Hangs);
        assert_eq!(source.ask(&server, "2 b").await, "2 b 1");
        until(|| server.handle.stats().store_timeouts == 2).await;
        assert_eq!(server.handle.stats().store_errors, 0);
        source.stop().await;
        end(server, 0).await;
    }
}

// with the other policy it is served then
#[tokio::test(start_paused = true)]
async fn a_request_is_served_when_the_store_is_too_slow_if_the_server_is_told_so() {
    let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
    let server = net.serve(replica(&store, calls.echo()).reply_cache(serves())).await;
    let source = Source::on(&net).await;
    store.set("begin", Mood::Hangs);
    let began = Instant::now();

    assert_eq!(source.ask(&server, "1 a").await, "1 a 1");

    assert_eq!(began.elapsed().as_secs(), 1);
    assert_eq!(server.handle.stats().store_timeouts, 1);
    store.knows(1, 1).await;
    source.stop().await;
    end(server, 0).await;
}

// Q-17, H-11: a store that is down does not flood the log
#[tokio::test(start_paused = true)]
async fn one_failure_of_the_store_is_logged_per_second() {
    let (log, net, store) = (Log::capture(), Net::memory(), Store::new());
    let server = net.serve(replica(&store, async |text: String| text)).await;
    let source = Source::on(&net).await;
    let fail = async |times: u64| {
        let before = server.handle.stats().store_errors;
        for n in 0..times {
            source.send(&server, &format!("1 {before} {n}")).await;
        }
        // For each the store is asked, and is asked to forget it.
        until(|| server.handle.stats().store_errors == before + 2 * times).await;
    };
    for method in ["begin", "forget"] {
        store.set(method, Mood::Fails);
    }

    fail(10).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fail(1).await;

    let told = log.alarms();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|told| told.message == "the reply store failed"));
    assert!(told.iter().all(|told| told.field("error") == "it is down, as asked"));
    assert_eq!(told[0].fields.get("more"), None);
    assert_eq!(told[1].field("more"), "19");
    source.stop().await;
    end(server, 0).await;
}

// Q-17, H-3: a key that panics when it is dropped
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_key_does_not_end_serving() {
    let (log, net, store) = (Log::capture(), Net::memory(), Store::new());
    let server = net.serve(replica(&store, async |text: String| text)).await;
    let source = Source::on(&net).await;
    store.set("drop", Mood::Panics);

    for text in ["1 a", "2 b"] {
        assert_eq!(source.ask(&server, text).await, text);
    }
    store.knows(2, 2).await;
    until(|| log.alarms().len() == 2).await;

    assert!(log.alarms().iter().all(|told| told.field("error") == "panicked: as asked"));
    source.stop().await;
    end(server, 0).await;
}
