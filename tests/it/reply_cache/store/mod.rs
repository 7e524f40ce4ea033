//! servers that share a reply store receive each request once.

mod chunks;
mod ends;
mod failures;
mod receiving;
mod support;
mod waiting;

use datagrammar::ServerHandle;
use support::{Mood, Source, Store, replica};

use super::*;

/// How many datagrams were dropped for this reason.
fn dropped(handle: &ServerHandle, reason: DropReason) -> u64 {
    handle.stats().dropped(reason)
}

everywhere! {
    // the replica that has not served it repeats the reply, and remembers it
    async fn a_request_is_served_once_by_two_replicas(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let (first, second) = (
            net.serve(replica(&store, calls.echo())).await,
            net.serve(replica(&store, calls.echo())).await,
        );
        let source = Source::on(&net).await;

        for _ in 0..2 {
            assert_eq!(source.ask(&first, "1 pay").await, "1 pay 1");
        }
        store.knows(1, 1).await;
        for _ in 0..3 {
            assert_eq!(source.ask(&second, "1 pay").await, "1 pay 1");
        }

        assert_eq!(calls.get(), 1);
        assert_eq!(store.calls(), ["begin 1 pay", "complete 1 pay", "begin 1 pay"]);
        duplicates(&first, 1).await;
        duplicates(&second, 3).await;
        until(|| second.handle.stats().active_conversations == 0).await;
        assert_eq!(second.handle.stats().conversations, 0);
        assert_eq!(source.ask(&second, "1 other").await, "1 other 2");
        source.stop().await;
        end(first, 1).await;
        end(second, 3).await;
    }

    // handlers that converse
    async fn a_repetition_in_a_conversation_gets_the_reply_of_another_replica(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let handler = || conversing!([calls] |peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(format!("{text} {}", calls.count())).await?;
            }
        });
        let (first, second) = (
            net.serve(replica(&store, handler())).await,
            net.serve(replica(&store, handler())).await,
        );
        let source = Source::on(&net).await;
        assert_eq!(source.ask(&first, "1 a").await, "1 a 1");
        assert_eq!(source.ask(&first, "2 b").await, "2 b 2");
        store.knows(2, 2).await;

        for text in ["3 c", "1 a", "4 d", "2 b", "5 e"] {
            source.send(&second, text).await;
        }

        for expected in ["3 c 3", "1 a 1", "4 d 4", "2 b 2", "5 e 5"] {
            assert_eq!(source.hear().await, expected);
        }
        source.stop().await;
        end(first, 0).await;
        end(second, 2).await;
    }

    //
    async fn a_request_in_progress_elsewhere_is_dropped(net) {
        let (store, calls, gate) = (Store::new(), Calls::default(), Gate::closed());
        let handler = || conversing!([calls, gate] |peer| {
            let text = peer.recv().await?;
            let call = calls.count();
            gate.pass().await;
            Ok(peer.send(format!("{text} {call}")).await?)
        });
        let (first, second) = (
            net.serve(replica(&store, handler())).await,
            net.serve(replica(&store, handler())).await,
        );
        let source = Source::on(&net).await;
        source.send(&first, "1 a").await;
        until(|| calls.get() == 1).await;

        for times in 1..=2 {
            source.send(&second, "1 a").await;
            duplicates(&second, times).await;
        }
        gate.open();
        assert_eq!(source.hear().await, "1 a 1");
        store.knows(1, 1).await;

        // Each time the other replica asks again.
        assert_eq!(source.ask(&second, "1 a").await, "1 a 1");
        assert_eq!((calls.get(), store.count("begin 1 a"), store.count("forget 1 a")), (1, 4, 0));
        assert!(source.hears_nothing().await);
        source.stop().await;
        end(first, 0).await;
        end(second, 1).await;
    }

    // what has no reply is not served again
    async fn a_request_without_a_reply_is_dropped_by_all(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let function = || {
            let calls = calls.clone();
            reply_if(move |text: String| {
                calls.count();
                ready((!text.ends_with("quiet")).then_some(text))
            })
        };
        let (first, second) = (
            net.serve(replica(&store, function())).await,
            net.serve(replica(&store, function())).await,
        );
        let source = Source::on(&net).await;

        source.send(&first, "1 quiet").await;
        until(|| calls.get() == 1).await;
        source.send(&second, "1 quiet").await;
        duplicates(&second, 1).await;

        assert_eq!(source.ask(&second, "2 loud").await, "2 loud");
        assert!(source.hears_nothing().await);
        source.stop().await;
        end(first, 0).await;
        end(second, 0).await;
    }

    // Q-16, D-26
    async fn concurrent_calls_of_two_replicas_receive_each_request_once(net) {
        let (store, calls, gate) = (Store::new(), Calls::default(), Gate::closed());
        let function = || {
            let state = (calls.clone(), gate.clone());
            let function = async |(calls, gate): (Calls, Gate), text: String| {
                calls.count();
                gate.pass().await;
                text
            };
            concurrent(2, datagrammar::with_state(state, function))
        };
        let (first, second) = (
            net.serve(replica(&store, function())).await,
            net.serve(replica(&store, function())).await,
        );
        let source = Source::on(&net).await;

        for text in ["1 a", "2 b"] {
            source.send(&first, text).await;
        }
        until(|| calls.get() == 2).await;
        for text in ["1 a", "2 b", "3 c"] {
            source.send(&second, text).await;
        }
        until(|| calls.get() == 3).await;
        gate.open();
        let mut heard = [source.hear().await, source.hear().await, source.hear().await];
        heard.sort();
        assert_eq!(heard, ["1 a", "2 b", "3 c"]);
        store.knows(3, 3).await;

        assert_eq!(source.ask(&first, "3 c").await, "3 c");
        assert_eq!(source.ask(&second, "2 b").await, "2 b");
        assert_eq!(calls.get(), 3);
        source.stop().await;
        end(first, 1).await;
        end(second, 1).await;
    }

    // a server that was restarted knows what the one before it has answered
    async fn a_request_is_served_once_although_the_server_was_restarted(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let source = Source::on(&net).await;
        let first = net.serve(replica(&store, calls.echo())).await;
        assert_eq!(source.ask(&first, "1 pay").await, "1 pay 1");
        end(first, 0).await;

        let second = net.serve(replica(&store, calls.echo())).await;

        assert_eq!(source.ask(&second, "1 pay").await, "1 pay 1");
        assert_eq!(calls.get(), 1);
        source.stop().await;
        end(second, 1).await;
    }

    // datagrams without an id are not in the store, and other peers have requests of their own
    async fn only_requests_of_the_same_peer_are_repetitions(net) {
        let (store, calls) = (Store::new(), Calls::default());
        let (first, second) = (
            net.serve(replica(&store, calls.echo())).await,
            net.serve(replica(&store, calls.echo())).await,
        );
        let (source, other) = (Source::on(&net).await, Source::on(&net).await);

        assert_eq!(source.ask(&first, "hello").await, "hello 1");
        assert_eq!(source.ask(&second, "hello").await, "hello 2");
        assert_eq!(source.ask(&first, "1 a").await, "1 a 3");
        assert_eq!(other.ask(&second, "1 a").await, "1 a 4");
        store.knows(2, 2).await;
        assert_eq!(other.ask(&first, "1 a").await, "1 a 4");
        assert_eq!(source.ask(&second, "1 a").await, "1 a 3");

        source.stop().await;
        other.stop().await;
        end(first, 1).await;
        end(second, 1).await;
    }
}

// the addresses of the server are not a part of the request
#[tokio::test(start_paused = true)]
async fn two_addresses_of_one_server_are_replicas_too() {
    let (net, store, calls) = (Net::memory(), Store::new(), Calls::default());
    let Net::Memory(network) = &net else { unreachable!() };
    let sockets = [network.bind("10.0.0.1:9000").unwrap(), network.bind("10.0.0.3:9000").unwrap()];
    let server = replica(&store, calls.echo()).bind(sockets).await.unwrap();
    let server = Running::start(server).await;
    let addrs = server.handle.local_addrs();
    let mut heard = Vec::new();

    for addr in addrs {
        let socket = network.connect("10.0.0.2:5000", addr.socket_addr().unwrap()).unwrap();
        let peer = Bytes(crate::support::client_on(socket, datagrammar::Raw).unwrap());
        heard.push(peer.ask("1 a").await);
        store.knows(1, 1).await;
    }

    assert_eq!((heard, calls.get()), (vec!["1 a 1".to_owned(); 2], 1));
    end(server, 1).await;
}

// the rest of its time
#[tokio::test(start_paused = true)]
async fn the_store_knows_a_reply_for_the_rest_of_the_time_of_its_request() {
    let (net, store) = (Net::memory(), Store::new());
    let slow = async |text: String| {
        tokio::time::sleep(Duration::from_secs(10)).await;
        text
    };
    let server = net.serve(replica(&store, slow)).await;
    let source = Source::on(&net).await;

    assert_eq!(source.ask(&server, "1 a").await, "1 a");
    store.knows(1, 1).await;

    let left = store.times_left()[0];
    assert!(Duration::from_millis(19_900) < left && left <= Duration::from_secs(20), "{left:?}");
    source.stop().await;
    end(server, 0).await;
}

// options of the cache hold in both orders, and a server without async has a store too
#[cfg(feature = "blocking")]
#[test]
fn a_blocking_server_uses_a_store() {
    use datagrammar::{Client, Raw, blocking};

    let (store, calls) = (Store::new(), Calls::default());
    let cache = ReplyCache::default().ttl(Duration::from_secs(7));
    for number in 1..=2 {
        let counts = calls.clone();
        let function = blocking::handler(move |text: String| format!("{text} {}", counts.count()));
        let builder = replica(&store, function).reply_cache(cache.clone());
        let server = builder.bind_blocking("127.0.0.1:0").unwrap();
        let (addr, handle) = (server.local_addr(), server.handle());
        let mut thread = server.spawn().unwrap();

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let peer = Bytes(Client::connect(addr, Raw).await.unwrap());
            for _ in 0..2 {
                assert_eq!(peer.ask("1 a").await, format!("1 a {number}"));
            }
        });

        assert_eq!(handle.stats().replayed, 1);
        thread.join().unwrap();
        assert_eq!(store.known(), (number, number));
        assert!(store.times_left().iter().all(|left| *left <= Duration::from_secs(7)));
    }
}
