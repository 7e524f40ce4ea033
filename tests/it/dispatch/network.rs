//! The network in memory itself: how it treats datagrams, and that a seed determines it.

use std::time::Duration;

use datagrammar::{
    Raw,
    testing::{Conditions, Network},
};
use tokio::time::{Instant, sleep};

use crate::support::{Bytes, client_on, within_deadline};

/// Two connected sockets.
fn ends(network: &Network) -> (Bytes, Bytes) {
    let end = |local, peer| {
        let socket = network.connect(local, peer).unwrap();
        Bytes(client_on(socket, Raw).unwrap())
    };
    (end("10.0.0.1:1", "10.0.0.2:2"), end("10.0.0.2:2", "10.0.0.1:1"))
}

/// Sends a hundred datagrams, one per millisecond; returns those that arrive, with their times.
async fn arrivals(seed: u64, conditions: Conditions) -> Vec<(Duration, String)> {
    let (near, far) = ends(&Network::new(seed, conditions));
    let start = Instant::now();
    let sending = tokio::spawn(async move {
        for n in 0..100 {
            near.send(n.to_string()).await;
            sleep(Duration::from_millis(1)).await;
        }
        near
    });
    let mut arrived = Vec::new();
    while let Ok(datagram) = far.0.recv_timeout(Duration::from_secs(1)).await {
        arrived.push((start.elapsed(), String::from_utf8(datagram.to_vec()).unwrap()));
    }
    within_deadline(sending).await.unwrap();
    arrived
}

fn numbers(arrived: &[(Duration, String)]) -> Vec<usize> {
    arrived.iter().map(|(_, number)| number.parse().unwrap()).collect()
}

// D-21
#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_results_and_another_seed_gives_others() {
    let delay = Duration::from_millis(1)..=Duration::from_millis(50);
    let rough = || Conditions::default().loss(0.2).duplicate(0.2).reorder(0.3).delay(delay.clone());

    let first = arrivals(7, rough()).await;

    assert_eq!(arrivals(7, rough()).await, first);
    assert_ne!(arrivals(8, rough()).await, first);
}

// D-21
#[tokio::test(start_paused = true)]
async fn a_perfect_network_delivers_everything_once_in_order_and_at_once() {
    let arrived = arrivals(1, Conditions::default()).await;

    assert_eq!(numbers(&arrived), (0..100).collect::<Vec<_>>());
    for (n, (at, _)) in arrived.iter().enumerate() {
        assert_eq!(at.as_millis(), n as u128);
    }
}

// D-21
#[tokio::test(start_paused = true)]
async fn the_result_for_a_datagram_does_not_depend_on_other_datagrams() {
    let loss = |probability| Conditions::default().loss(probability);

    let few = numbers(&arrivals(3, loss(0.6)).await);
    let many = numbers(&arrivals(3, loss(0.3)).await);

    assert!(few.iter().all(|number| many.contains(number)), "{few:?} of {many:?}");
    assert!((30..50).contains(&few.len()) && (60..80).contains(&many.len()));
}

// D-21
#[tokio::test(start_paused = true)]
async fn a_network_may_lose_or_repeat_everything() {
    let lost = arrivals(1, Conditions::default().loss(1.0)).await;
    let repeated = arrivals(1, Conditions::default().duplicate(1.0)).await;

    assert_eq!(lost, []);
    assert_eq!(numbers(&repeated), (0..200).map(|n| n / 2).collect::<Vec<_>>());
}

// D-21
#[tokio::test(start_paused = true)]
async fn delays_stay_within_their_range() {
    let (least, most) = (Duration::from_millis(20), Duration::from_millis(40));

    let arrived = arrivals(1, Conditions::default().delay(least..=most)).await;

    assert_eq!(arrived.len(), 100);
    for (at, number) in &arrived {
        let took = *at - Duration::from_millis(number.parse().unwrap());
        // A timer of the runtime may be a millisecond late.
        assert!(took >= least && took <= most + Duration::from_millis(1), "{took:?}");
    }
}

// D-21
#[tokio::test(start_paused = true)]
async fn reordering_loses_nothing_and_lets_some_overtake_others() {
    let arrived = numbers(&arrivals(1, Conditions::default().reorder(0.3)).await);

    let mut sorted = arrived.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    assert_ne!(arrived, sorted);
}

// D-21
#[tokio::test(start_paused = true)]
async fn a_datagram_above_the_mtu_is_not_delivered_at_all() {
    let network = Network::new(1, Conditions::default().mtu(4));
    let (near, far) = ends(&network);

    near.send("12345").await;
    near.send("1234").await;

    assert_eq!(far.recv_text().await, "1234");
    assert!(far.hears_nothing().await);
    assert_eq!((network.sent(), network.lost()), (2, 1));
}

// D-21
#[tokio::test(start_paused = true)]
async fn a_datagram_for_a_receiver_with_a_full_buffer_is_lost() {
    let network = Network::new(1, Conditions::default().buffer(2));
    let (near, far) = ends(&network);

    for text in ["a", "b", "c"] {
        near.send(text).await;
    }

    assert_eq!(far.recv_text().await, "a");
    near.send("d").await;
    assert_eq!([far.recv_text().await, far.recv_text().await], ["b", "d"]);
    assert_eq!(network.lost(), 1);
}
