//! A service that is never ready.

use std::time::Duration;

use datagrammar::{
    DropReason, ReplyCache, RequestClient, Tagged, TaggedServer, tagged, tower::service,
};
use tokio::time::Instant;

use super::*;

/// A service that is ready only while `ready` is not 0. Its clones are counted.
#[derive(Clone)]
struct Sometimes {
    ready: Arc<AtomicUsize>,
    clones: Arc<()>,
}

impl Sometimes {
    fn never() -> Self {
        Self { ready: Arc::default(), clones: Arc::default() }
    }
}

impl Service<String> for Sometimes {
    type Response = String;
    type Error = BoxError;
    type Future = Ready<Result<String, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.ready.load(Relaxed) > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, text: String) -> Self::Future {
        ready(Ok(text))
    }
}

// O-6
#[tokio::test(start_paused = true)]
async fn it_holds_no_more_than_the_conversations_that_the_limits_allow() {
    const PEERS: u64 = 5_000;
    const PLACES: u64 = 64;

    let service_ = Sometimes::never();
    let clones = Arc::clone(&service_.clones);
    let limits = Limits::default().max_conversations(PLACES as usize);
    let (network, handle) = serve_within(limits, service(service_)).await;

    for number in 0..PEERS {
        let client = client(&network, number).await;
        client.send("hello".to_owned()).await.unwrap();
        if number % 100 == 99 {
            until(|| handle.stats().received == number + 1).await;
            assert!(handle.stats().active_conversations <= PLACES as usize);
            // One of the handler, one of each conversation, and ours.
            assert!(Arc::strong_count(&clones) as u64 <= PLACES + 2);
        }
    }

    until(|| handle.stats().active_conversations == 0).await;
    let stats = handle.stats();
    let (busy, places) =
        (stats.dropped(DropReason::Busy), stats.dropped(DropReason::ConversationLimit));
    assert!(busy >= PLACES && places > 0, "{stats}");
    assert_eq!((busy + places, stats.delivered, stats.queued_bytes), (PEERS, 0, 0));
    assert_eq!(Arc::strong_count(&clones), 2);
    assert_eq!(stats.conversations, busy);
}

// O-6
#[tokio::test(start_paused = true)]
async fn without_time_to_wait_it_holds_nothing() {
    const REQUESTS: u64 = 5_000;

    let never = Sometimes::never();
    let clones = Arc::clone(&never.clones);
    let (network, handle) = serve(service(never).ready_timeout(Duration::ZERO)).await;

    for number in 0..REQUESTS {
        client(&network, number).await.send("hello".to_owned()).await.unwrap();
    }

    until(|| handle.stats().dropped(DropReason::Busy) == REQUESTS).await;
    let stats = handle.stats();
    assert_eq!((stats.spawned, stats.delivered, stats.conversations), (0, 0, REQUESTS));
    assert_eq!(Arc::strong_count(&clones), 2);
}

// O-40
#[tokio::test(start_paused = true)]
async fn the_repetition_of_a_request_that_was_busy_is_a_new_request() {
    let sometimes = Sometimes::never();
    let is_ready = Arc::clone(&sometimes.ready);
    let network = Network::new(1, Conditions::default());
    let server = Server::builder(TaggedServer::new(Text), tagged(service(sometimes)))
        .reply_cache(ReplyCache::default())
        .bind(network.bind(SERVER).unwrap())
        .await
        .unwrap();
    let handle = server.handle();
    server.spawn();
    let socket = network.connect("10.0.0.2:0", SERVER).unwrap();
    let client = RequestClient::connect(socket, Tagged::new(Text)).await.unwrap();

    let answer = tokio::spawn(async move { client.request("hello".to_owned()).await });
    until(|| handle.stats().dropped(DropReason::Busy) == 1).await;
    is_ready.store(1, Relaxed);

    assert_eq!(within_deadline(answer).await.unwrap().unwrap(), "hello");
    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::Duplicate)), (1, 0));
}

// O-40, A-11
#[tokio::test(start_paused = true)]
async fn if_requests_may_not_wait_for_so_long_the_one_that_waits_is_late() {
    let handler = service(Sometimes::never()).ready_timeout(Duration::from_secs(3600));
    let (network, handle) = serve(handler).await;
    let limits = handle.limits().max_queue_time(Duration::from_secs(2));
    handle.set_limits(limits).unwrap();
    let begun = Instant::now();

    client(&network, 1).await.send("hello".to_owned()).await.unwrap();

    until(|| handle.stats().dropped(DropReason::Late) == 1).await;
    assert!((2..3).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    until(|| handle.stats().active_conversations == 0).await;
    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.total_dropped(), stats.failed), (0, 1, 0));
}

// O-44
#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_it() {
    let handler = service(Sometimes::never()).ready_timeout(Duration::MAX);
    let (network, handle) = serve(handler).await;
    client(&network, 1).await.send("hello".to_owned()).await.unwrap();
    until(|| handle.stats().active_conversations == 1).await;
    let begun = Instant::now();

    within_deadline(handle.shutdown()).await;

    assert!(begun.elapsed() < Duration::from_secs(1));
    let stats = handle.stats();
    assert_eq!(
        (stats.aborted, stats.delivered, stats.dropped(DropReason::ShuttingDown)),
        (0, 0, 1)
    );
}

// O-44
#[tokio::test(start_paused = true)]
async fn a_graceful_shutdown_serves_what_waits_for_it() {
    let sometimes = Sometimes::never();
    let is_ready = Arc::clone(&sometimes.ready);
    // It wakes nobody when it becomes ready; the shutdown does.
    let handler = service(sometimes).ready_timeout(Duration::from_secs(1));
    let (network, handle) = serve(handler).await;
    let client = client(&network, 1).await;
    client.send("hello".to_owned()).await.unwrap();
    until(|| handle.stats().active_conversations == 1).await;

    is_ready.store(1, Relaxed);
    within_deadline(handle.graceful_shutdown(Duration::from_secs(10))).await;

    assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
}
