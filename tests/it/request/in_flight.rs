//! How many requests are in flight, and what a dropped request leaves behind.

use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use super::*;
use crate::support::until;

//
#[tokio::test(start_paused = true)]
async fn at_most_64_requests_are_in_flight_and_half_as_many_after_a_loss() {
    let (client, server) = alone(options()).await;
    let mut asking = Vec::new();
    for n in 0..200 {
        let client = client.clone();
        asking.push(tokio::spawn(async move { client.request(n.to_string()).await }));
    }
    sleep(Duration::from_millis(500)).await;
    let mut tags = Vec::new();
    while let Some(request) = server.try_recv() {
        tags.push(request.unwrap()[..5].to_vec());
    }
    assert_eq!(tags.len(), 64);

    // The timer of all of them expires, and that halves the limit once.
    sleep(SECOND).await;
    assert_eq!((client.in_flight_limit(), client.stats().attempts), (32, 128));
    // Those that are answered make room, up to the new limit.
    for tag in &tags {
        answer(&server, tag, "yes").await;
    }
    until(|| client.stats().answered == 64).await;
    sleep(Duration::from_millis(1)).await;
    // Two windows of 32 and 33 are not complete with 64 answers.
    assert_eq!((client.in_flight_limit(), client.stats().requests), (33, 64 + 33));
    asking.iter().for_each(|asking| asking.abort());
}

//
#[tokio::test(start_paused = true)]
async fn a_silent_server_gets_no_more_than_the_attempts_of_the_requests_in_flight() {
    let (client, server) = alone(options()).await;
    let ask = |n: usize| {
        let client = client.clone();
        tokio::spawn(async move { client.request(n.to_string()).await })
    };
    let asking: Vec<_> = (0..1_000).map(ask).collect();

    for asking in asking {
        asking.await.unwrap().unwrap_err();
    }

    let stats = client.stats();
    // All gave up after 30 s, and most had never been sent.
    assert_eq!(stats.requests, 64);
    // With the jitter, the sixth attempt may just be in time.
    assert!((5 * 64..=6 * 64).contains(&stats.attempts), "{stats}");
    assert!(client.in_flight_limit() <= 2);
    drop(server);
}

//
#[tokio::test(start_paused = true)]
async fn a_dropped_request_is_not_repeated_and_disturbs_no_other() {
    let (client, server) = alone(options()).await;
    let dropped = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("dropped")).await }
    });
    let (tag, _) = request_at(&server).await;
    let other = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("other")).await }
    });
    let (other_tag, _) = request_at(&server).await;
    dropped.abort();
    yield_now().await;

    sleep(Duration::from_millis(500)).await;
    answer(&server, &tag, "late").await;
    answer(&server, &other_tag, "yes").await;
    assert_eq!(other.await.unwrap().unwrap(), "yes");
    sleep(60 * SECOND).await;

    assert!(server.try_recv().is_none());
    let stats = client.stats();
    assert_eq!((stats.cancelled, stats.late, stats.attempts), (1, 1, 2));
    // Its place is free again.
    assert_eq!(client.in_flight_limit(), 64);
}

//
#[tokio::test(start_paused = true)]
async fn a_dropped_request_that_has_not_been_sent_leaves_its_place_in_the_line() {
    let (client, server) = alone(options().max_in_flight(1)).await;
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("first")).await }
    });
    let (tag, _) = request_at(&server).await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("waiting")).await }
    });
    yield_now().await;
    waiting.abort();
    let third = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("third")).await }
    });

    let began = Instant::now();
    answer(&server, &tag, "yes").await;
    assert_eq!(first.await.unwrap().unwrap(), "yes");
    let (tag, request) = request_at(&server).await;
    assert_eq!((request.as_str(), began.elapsed()), ("third", Duration::ZERO));
    answer(&server, &tag, "yes").await;
    assert_eq!(third.await.unwrap().unwrap(), "yes");
    assert_eq!(client.stats().cancelled, 0);
}
