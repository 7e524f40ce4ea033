//! Requests over a network that loses, duplicates and reorders.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use datagrammar::{ReplyCache, with_state};

use super::*;

/// How many requests there are over each network, and how many networks.
const REQUESTS: u64 = 50;
const SEEDS: u64 = 200;

/// Sends requests over networks with the given loss, and asserts that each is answered, that the handler ran once for
/// each, and that the attempts per request are within 10 % of `necessary`.
async fn ask(loss: f64, max_timeout: Duration, necessary: f64) {
    let mut attempts = 0;
    for seed in 1..=SEEDS {
        let delay = Duration::from_millis(10)..=Duration::from_millis(90);
        let conditions = Conditions::default().loss(loss).duplicate(0.2).reorder(0.2).delay(delay);
        let net = Net::Memory(Network::new(seed, conditions));
        let calls = Arc::new(Mutex::new(HashMap::new()));
        let count = async |calls: Arc<Mutex<HashMap<String, u32>>>, text: String| {
            *calls.lock().unwrap().entry(text.clone()).or_default() += 1;
            text
        };
        let handler = tagged(with_state(Arc::clone(&calls), count));
        let server = Server::builder(TaggedServer::new(Text), handler);
        let server = net.serve(server.reply_cache(ReplyCache::default())).await;
        let addr = server.handle.local_addrs().swap_remove(0);
        let Net::Memory(network) = &net else { unreachable!() };
        let socket = network.connect("10.0.0.3:0", addr.socket_addr().unwrap()).unwrap();
        let client = options().seed(seed).max_timeout(max_timeout).connect(socket).await.unwrap();
        let ask = |n: u64| {
            let client = client.clone();
            tokio::spawn(async move {
                let number = n.to_string();
                assert_eq!(client.request(&number).await.unwrap(), number);
            })
        };
        for asking in (0..REQUESTS).map(ask).collect::<Vec<_>>() {
            asking.await.unwrap();
        }
        let stats = client.stats();
        assert_eq!((stats.requests, stats.answered), (REQUESTS, REQUESTS), "seed {seed}");
        attempts += stats.attempts;
        server.handle.shutdown().await;
        let calls = calls.lock().unwrap();
        assert_eq!(calls.len() as u64, REQUESTS, "seed {seed}");
        assert!(calls.values().all(|calls| *calls == 1), "seed {seed}");
    }
    let each = attempts as f64 / (SEEDS * REQUESTS) as f64;
    assert!((0.9 * necessary..1.1 * necessary).contains(&each), "{each} attempts per request");
}

//
#[tokio::test(start_paused = true)]
async fn at_10_percent_loss_each_way_all_requests_are_answered_and_handled_once() {
    ask(0.1, 16 * SECOND, 1.23).await;
}

//
#[tokio::test(start_paused = true)]
async fn at_30_percent_loss_each_way_all_requests_are_answered_and_handled_once() {
    ask(0.3, 2 * SECOND, 2.04).await;
}
