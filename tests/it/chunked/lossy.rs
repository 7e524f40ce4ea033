//! Packets in chunks over networks that lose, duplicate and reorder.

use datagrammar::testing::{Conditions, Network};
use tokio::time::{Instant, sleep};

use super::*;

/// Sends requests over networks with the given loss, and asserts that each is answered and handled once.
async fn ask(loss: f64, len: usize, wanted: usize, seeds: u64) {
    const REQUESTS: usize = 4;

    for seed in 1..=seeds {
        let delay = Duration::from_millis(10)..=Duration::from_millis(40);
        let conditions = Conditions::default().loss(loss).duplicate(0.2).reorder(0.2).delay(delay);
        let net = Net::Memory(Network::new(seed, conditions));
        let calls = Arc::new(AtomicUsize::new(0));
        let count = async |calls: Arc<AtomicUsize>, request: String| {
            calls.fetch_add(1, Relaxed);
            super::wanted(&request)
        };
        let handler = tagged(with_state(Arc::clone(&calls), count));
        let server = net.serve(server(handler)).await;
        let client = connect(&net, &server.handle, options().seed(seed)).await;
        let ask = |n: usize| {
            let (client, request) = (client.clone(), request(len + n, wanted));
            tokio::spawn(async move { client.request(request).await })
        };
        for asking in (0..REQUESTS).map(ask).collect::<Vec<_>>() {
            let response = asking.await.unwrap();
            let response =
                response.unwrap_or_else(|error| panic!("seed {seed}: {error}, {}", client.stats()));
            assert_eq!(response, text(wanted), "seed {seed}");
        }
        assert_eq!(calls.load(Relaxed), REQUESTS, "seed {seed}");
        let handle = server.handle.clone();
        handle.shutdown().await;
        check_balance(&handle);
    }
}

//
#[tokio::test(start_paused = true)]
async fn responses_of_73_kb_arrive_at_5_percent_loss() {
    ask(0.05, 20, 73_000, 50).await;
}

//
#[tokio::test(start_paused = true)]
async fn requests_of_73_kb_arrive_at_5_percent_loss() {
    ask(0.05, 73_000, 20, 50).await;
}

//
#[tokio::test(start_paused = true)]
async fn both_arrive_at_20_percent_loss() {
    ask(0.2, 20_000, 20_000, 50).await;
}

// what the loss makes necessary, and little more
#[tokio::test(start_paused = true)]
async fn only_chunks_that_are_lost_are_sent_again() {
    for (len, wanted) in [(20, LIMIT - 5), (LIMIT - 5, 20)] {
        let network = Network::new(1, Conditions::default().loss(0.05));
        let net = Net::Memory(network.clone());
        let server =
            net.serve(server(tagged(async |request: String| super::wanted(&request)))).await;
        let client = connect(&net, &server.handle, options()).await;

        client.request(request(len, wanted)).await.unwrap();

        // 170 chunks, of which 9 are lost, a list for each flight, and a list or a probe for each timer.
        let chunks = LIMIT.div_ceil(CHUNK) as u64;
        let sent = network.sent();
        assert!((chunks..chunks * 5 / 4).contains(&sent), "{sent} datagrams, {}", client.stats());
        stop(server).await;
    }
}

// nothing is lost, so little is sent twice
#[tokio::test(start_paused = true)]
async fn reordering_and_duplicates_cost_few_datagrams() {
    for (len, wanted) in [(20, LIMIT - 5), (LIMIT - 5, 20)] {
        let delay = Duration::from_millis(24)..=Duration::from_millis(26);
        let conditions = Conditions::default().delay(delay).duplicate(0.02);
        let network = Network::new(1, conditions);
        let net = Net::Memory(network.clone());
        let server =
            net.serve(server(tagged(async |request: String| super::wanted(&request)))).await;
        let client = connect(&net, &server.handle, options()).await;

        let start = Instant::now();
        client.request(request(len, wanted)).await.unwrap();

        let (chunks, sent) = (LIMIT.div_ceil(CHUNK) as u64, network.sent());
        assert!(sent < chunks * 2, "{len}: {sent} datagrams for {chunks} chunks");
        assert!(start.elapsed() < 2 * SECOND, "{len}: {:?}, {}", start.elapsed(), client.stats());
        stop(server).await;
    }
}

// a handler that takes its time
#[tokio::test(start_paused = true)]
async fn a_long_request_that_has_arrived_is_not_sent_again() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let slow = tagged(async |request: String| {
        sleep(10 * SECOND).await;
        wanted(&request)
    });
    let server = net.serve(server(slow)).await;
    let client = connect(&net, &server.handle, options()).await;

    assert_eq!(client.request(request(73_000, 5_000)).await.unwrap(), text(5_000));

    let stats = client.stats();
    assert_eq!((stats.requests, stats.answered), (1, 1));
    assert!(stats.retries > 0, "{stats}");
    // 62 chunks and a list for each of 3 flights, 5 chunks of the response, and one chunk for each repetition.
    assert!(network.sent() <= 62 + 3 + 5 + 2 * stats.retries, "{} {stats}", network.sent());
    assert_eq!(server.handle.stats().delivered, 1);
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn a_request_ends_in_time_although_chunks_arrive() {
    let slow = Conditions::default().delay(SECOND..=SECOND);
    let net = Net::Memory(Network::new(1, slow));
    let server = net.serve(server(tagged(async |request: String| wanted(&request)))).await;
    let options = options().total_timeout(5 * SECOND);
    let client = connect(&net, &server.handle, options).await;

    let start = Instant::now();
    let response = client.request(request(20, LIMIT - 5)).await;

    assert!(response.is_err(), "it needs six round trips of 2 s");
    assert_eq!(start.elapsed(), 5 * SECOND);
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn nothing_more_is_sent_for_a_request_that_is_dropped() {
    let slow = Conditions::default().delay(SECOND..=SECOND);
    let network = Network::new(1, slow);
    let net = Net::Memory(network.clone());
    let server = net.serve(server(tagged(async |request: String| wanted(&request)))).await;
    let client = connect(&net, &server.handle, options()).await;
    let dropped =
        tokio::time::timeout(5 * SECOND / 2, client.request(request(20, LIMIT - 5))).await;
    assert!(dropped.is_err());

    sleep(2 * SECOND).await;
    let sent = network.sent();
    sleep(60 * SECOND).await;

    assert_eq!(network.sent(), sent);
    assert!(client.stats().late > 0);
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn with_several_servers_each_receives_the_whole_request() {
    let network = Network::new(1, Conditions::default());
    let silent = network.bind("10.0.0.9:9000").unwrap();
    let net = Net::Memory(network.clone());
    let server = net.serve(server(tagged(async |request: String| wanted(&request)))).await;
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    let first = network.connect("10.0.0.3:0", "10.0.0.9:9000").unwrap();
    let second = network.connect("10.0.0.3:0", addr).unwrap();
    let client = options().fallback(second).connect(first).await.unwrap();

    assert_eq!(client.request(request(20_000, 20_000)).await.unwrap(), text(20_000));

    drop(silent);
    stop(server).await;
}
