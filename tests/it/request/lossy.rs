//! Requests over a network that loses, duplicates and reorders.

use super::*;

/// What `seeds` networks with the given loss have shown: requests, attempts and answers.
async fn ask(seeds: std::ops::RangeInclusive<u64>, loss: f64, max_timeout: Duration) -> [u64; 3] {
    const REQUESTS: u64 = 50;

    let mut sums = [0; 3];
    for seed in seeds {
        let delay = Duration::from_millis(10)..=Duration::from_millis(90);
        let conditions = Conditions::default().loss(loss).duplicate(0.2).reorder(0.2).delay(delay);
        let net = Net::Memory(Network::new(seed, conditions));
        let server = echo(&net).await;
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
        for (sum, number) in sums.iter_mut().zip([stats.requests, stats.attempts, stats.answered]) {
            *sum += number;
        }
        server.handle.shutdown().await;
    }
    sums
}

//
#[tokio::test(start_paused = true)]
async fn at_10_percent_loss_each_way_all_requests_are_answered() {
    let [requests, attempts, answered] = ask(1..=200, 0.1, 16 * SECOND).await;

    assert_eq!((requests, answered), (10_000, 10_000));
    println!("{} attempts per request", attempts as f64 / 10_000.0);
}

//
#[tokio::test(start_paused = true)]
async fn at_30_percent_loss_each_way_all_requests_are_answered() {
    let [requests, attempts, answered] = ask(1..=200, 0.3, 2 * SECOND).await;

    assert_eq!((requests, answered), (10_000, 10_000));
    println!("{} attempts per request", attempts as f64 / 10_000.0);
}
