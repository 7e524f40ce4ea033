//! Row 6: requests over real sockets, through networks that lose, duplicate, delay and reorder.

mod relay;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{
    ReplyCache, RequestClient, RequestError, Server, Tagged, TaggedServer, Text, concurrent,
    tagged, with_state,
};
use tokio::task::JoinSet;

use self::relay::{Impairment, Relay};
use super::times;
use crate::support::BindNow;

const CLIENTS: u64 = 20;
/// How many requests of a client are on their way at a time.
const AT_A_TIME: u64 = 50;

/// How many requests were answered, and how many ended with a timeout.
#[derive(Debug, Default, PartialEq)]
struct Results {
    answered: u64,
    timed_out: u64,
    attempts: u64,
}

/// Whether a request was answered; otherwise it has timed out.
async fn is_answered(client: &RequestClient<Tagged<Text>>, n: u64) -> bool {
    let packet = n.to_string();
    match client.request(&packet).await {
        Ok(answer) => {
            assert_eq!(answer, packet);
            true
        }
        Err(RequestError::TimedOut { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn ask(impairment: Impairment, requests: u64, seed: u64) -> Results {
    let calls = Arc::new(Mutex::new(HashMap::new()));
    let count = async |calls: Arc<Mutex<HashMap<String, u32>>>, text: String| {
        *calls.lock().unwrap().entry(text.clone()).or_default() += 1;
        text
    };
    let handler = concurrent(16, tagged(with_state(Arc::clone(&calls), count)));
    let server = Server::builder(TaggedServer::new(Text), handler)
        .reply_cache(ReplyCache::default())
        .bind_now("127.0.0.1:0")
        .unwrap();
    let handle = server.handle();
    let serving = server.spawn();
    assert!(handle.ready().await);
    let addr = handle.local_addrs()[0].socket_addr().unwrap();
    let relay = Relay::start(addr, impairment, seed).await;

    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let options = RequestClient::builder(Tagged::new(Text)).seed(seed << 8 | client);
        // Shorter than the time for which the server knows a request.
        let options = options.total_timeout(Duration::from_secs(25)).max_attempts(1_000);
        let asking = options.max_timeout(Duration::from_secs(2)).max_in_flight(AT_A_TIME as usize);
        let asking = asking.initial_timeout(Duration::from_millis(300));
        let asking = asking.connect(relay.addr).await.unwrap();
        clients.spawn(async move {
            let mut lanes = JoinSet::new();
            for lane in 0..AT_A_TIME {
                let asking = asking.clone();
                let numbers = client + lane * CLIENTS..requests;
                lanes.spawn(async move {
                    let mut ends = Vec::new();
                    for n in numbers.step_by((CLIENTS * AT_A_TIME) as usize) {
                        ends.push(is_answered(&asking, n).await);
                    }
                    ends
                });
            }
            let ends = lanes.join_all().await.concat();
            (ends, asking.stats().attempts)
        });
    }
    let mut results = Results::default();
    for (ends, attempts) in clients.join_all().await {
        results.answered += ends.iter().filter(|answered| **answered).count() as u64;
        results.timed_out += ends.iter().filter(|answered| !**answered).count() as u64;
        results.attempts += attempts;
    }
    handle.shutdown().await;
    serving.await.unwrap().unwrap();
    let stats = handle.stats();
    assert_eq!(stats.received, stats.delivered + stats.total_dropped(), "{stats}");
    let calls = calls.lock().unwrap();
    assert!(calls.values().all(|calls| *calls == 1), "a request was handled twice");
    assert!(calls.len() as u64 >= results.answered, "an answer without a call");
    results
}

// twelve networks
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_real_sockets_each_request_is_answered_and_handled_once_or_times_out() {
    let requests = times("DATAGRAMMAR_IMPAIRED", 100);
    let mut networks = JoinSet::new();
    let mut seed = 0;
    for loss in [0.0, 0.1, 0.3] {
        for duplicates in [0.0, 0.2] {
            for delay in [0..1, 5..40] {
                seed += 1;
                let impairment = Impairment { loss, duplicates, delay };
                let asking = ask(impairment.clone(), requests, seed);
                networks.spawn(async move { (format!("{impairment:?}"), asking.await) });
            }
        }
    }
    let mut all = networks.join_all().await;
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (network, results) in &all {
        println!("{network}: {results:?}");
    }
    for (network, results) in all {
        assert_eq!(results.answered + results.timed_out, requests, "{network}");
        assert!(results.attempts >= requests, "{network}");
    }
}
