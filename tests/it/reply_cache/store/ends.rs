//! Requests that no handler receives, replies that wait for the store, and the end of serving.

use datagrammar::{BindError, LimitError, Limits, ServerStats};

use super::*;
use crate::support::{BindNow, within_deadline};

everywhere! {
    // Q-19, D-3
    async fn a_request_that_its_handler_did_not_receive_is_forgotten(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let handler = || conversing!([calls] |peer| {
            match calls.count() {
                1 => return Ok(()),
                2 => {
                    yield_now().await;
                    return Ok(());
                }
                _ => {}
            }
            let text = peer.recv().await?;
            Ok(peer.send(format!("{text} {}", calls.get())).await?)
        });
        let (first, second) = (
            net.serve(replica(&store, handler())).await,
            net.serve(replica(&store, handler())).await,
        );
        let source = Source::on(&net).await;

        for (unread, server) in (1..).zip([&first, &second]) {
            source.send(server, "1 a").await;
            store.made("forget 1 a", unread).await;
            store.knows(0, 0).await;
            until(|| dropped(&server.handle, DropReason::Unread) == 1).await;
        }

        assert_eq!(source.ask(&first, "1 a").await, "1 a 3");
        store.knows(1, 1).await;
        assert_eq!(source.ask(&second, "1 a").await, "1 a 3");
        source.stop().await;
        end(first, 0).await;
        end(second, 1).await;
    }

    // Q-19, L-12: the store is asked to forget it after it has answered, and that is waited for
    async fn a_request_that_the_store_is_asked_about_is_forgotten_at_a_shutdown(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let server = net.serve(replica(&store, calls.echo())).await;
        let source = Source::on(&net).await;
        for text in ["1 gate", "2 b"] {
            source.send(&server, text).await;
        }
        store.made("begin 1 gate", 1).await;
        until(|| server.handle.stats().received == 2).await;

        let handle = server.handle.clone();
        let shutdown = tokio::spawn(async move { handle.shutdown().await });
        until(|| dropped(&server.handle, DropReason::ShuttingDown) == 2).await;
        // Otherwise the store could forget it first, and begin it afterwards.
        assert_eq!(store.calls(), ["begin 1 gate"]);
        store.open_gate();
        within_deadline(shutdown).await.unwrap();

        assert_eq!(store.calls(), ["begin 1 gate", "forget 1 gate"]);
        assert_eq!(store.known(), (0, 0));
        let stats = server.handle.stats();
        assert_eq!((calls.get(), stats.aborted, stats.store_skipped), (0, 0, 0));
        source.stop().await;
        end(server, 0).await;
    }

    // the peer does not wait for the store
    async fn a_reply_is_sent_before_it_is_written_and_a_shutdown_waits_for_that(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let limits = Limits::default().shutdown_grace(Duration::from_secs(15));
        let server = net.serve(replica(&store, calls.echo()).limits(limits)).await;
        let source = Source::on(&net).await;
        store.set("complete", Mood::Waits);

        assert_eq!(source.ask(&server, "1 a").await, "1 a 1");
        store.made("complete 1 a", 1).await;
        assert_eq!(store.known(), (1, 0));
        let handle = server.handle.clone();
        let mut shutdown = tokio::spawn(async move { handle.shutdown().await });
        until(|| !server.handle.is_serving()).await;
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut shutdown).await.is_err());
        store.open_gate();
        within_deadline(shutdown).await.unwrap();

        assert_eq!(store.known(), (1, 1));
        assert_eq!(server.handle.stats().store_skipped, 0);
        source.stop().await;
        end(server, 0).await;
    }

    //
    async fn no_more_replies_are_written_at_a_time_than_allowed(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let cache = ReplyCache::default().max_store_writes(2);
        let server = net.serve(replica(&store, calls.echo()).reply_cache(cache)).await;
        let source = Source::on(&net).await;
        store.set("complete", Mood::Waits);

        for (n, text) in (1..).zip(["1 a", "2 b", "3 c"]) {
            assert_eq!(source.ask(&server, text).await, format!("{text} {n}"));
        }
        until(|| server.handle.stats().store_skipped == 1).await;
        store.open_gate();
        store.knows(3, 2).await;
        assert_eq!(source.ask(&server, "4 d").await, "4 d 4");
        store.knows(4, 3).await;

        // This server knows the reply all the same.
        assert_eq!(source.ask(&server, "3 c").await, "3 c 3");
        source.stop().await;
        end(server, 1).await;
    }
}

// Q-19, L-11: no longer than the grace
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_store_within_the_grace() {
    let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
    let server = net.serve(replica(&store, calls.echo())).await;
    let source = Source::on(&net).await;
    store.set("complete", Mood::Hangs);
    assert_eq!(source.ask(&server, "1 a").await, "1 a 1");
    store.made("complete 1 a", 1).await;
    let began = tokio::time::Instant::now();

    within_deadline(server.handle.shutdown()).await;

    assert_eq!(began.elapsed(), Duration::from_millis(750));
    let ServerStats { store_skipped, aborted, .. } = server.handle.stats();
    assert_eq!((store_skipped, aborted), (1, 0));
    source.stop().await;
    end(server, 0).await;
}

// the server serves again with the same store
#[tokio::test(start_paused = true)]
async fn a_dropped_serve_leaves_requests_to_their_time_and_the_next_serve_works() {
    let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
    let server = net.bind(replica(&store, calls.echo()));
    let handle = server.handle();
    let source = Source::on(&net).await;
    let addr = server.local_addr();
    {
        let sender = source.sender(addr);
        tokio::select! {
            _ = server.serve() => unreachable!("nobody ends it"),
            () = async {
                within_deadline(handle.ready()).await;
                sender.send("1 gate".to_owned()).await.unwrap();
                store.made("begin 1 gate", 1).await;
            } => {}
        }
    }
    // Nothing runs that could tell the store.
    until(|| handle.stats().store_skipped == 1).await;
    store.open_gate();

    let server = Running::start(server).await;
    assert_eq!(source.ask(&server, "2 b").await, "2 b 1");
    store.knows(1, 1).await;
    source.stop().await;
    end(server, 0).await;
}

// a reply that cannot be repeated is not written
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reply_with_descriptors_is_not_written() {
    use datagrammar::Credentials;

    use crate::unix::fds::{gid, uid};

    let (net, store) = (Net::UnixPaths, Store::new());
    let handler = || {
        conversing!(|peer| {
            let text = peer.recv().await?;
            Ok(peer.send_with_credentials(text, Credentials::new(uid(), gid())).await?)
        })
    };
    let (first, second) =
        (net.serve(replica(&store, handler())).await, net.serve(replica(&store, handler())).await);
    let source = Source::on(&net).await;

    assert_eq!(source.ask(&first, "1 a").await, "1 a");
    source.send(&second, "1 a").await;
    duplicates(&second, 1).await;

    assert_eq!(store.known(), (1, 0));
    source.stop().await;
    end(first, 0).await;
    end(second, 0).await;
}

// G-1
#[tokio::test]
async fn a_limit_of_zero_is_refused() {
    for (name, cache) in [
        ("ReplyCache::store_timeout", ReplyCache::default().store_timeout(Duration::ZERO)),
        ("ReplyCache::max_store_writes", ReplyCache::default().max_store_writes(0)),
    ] {
        let builder = replica(&Store::new(), async |text: String| text).reply_cache(cache);
        let error = builder.bind_now("127.0.0.1:0").unwrap_err();
        assert!(
            matches!(error, BindError::Limit(LimitError::Zero(limit)) if limit == name),
            "{error}"
        );
    }
    let cache = ReplyCache::default().store_timeout(Duration::from_secs(2)).max_store_writes(3);
    assert_eq!((cache.get_store_timeout().as_secs(), cache.get_max_store_writes()), (2, 3));
}
