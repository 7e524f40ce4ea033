//! A service that serves several requests of one peer at once.

use std::time::Duration;

use datagrammar::{BoxError, DropReason, concurrent, tower::service};
use tokio::time::{Instant, sleep};
use tower::ServiceBuilder;

use super::*;

async fn work(text: String) -> Result<String, BoxError> {
    sleep(Duration::from_millis(text.parse()?)).await;
    Ok(text)
}

// O-40, O-45
#[tokio::test(start_paused = true)]
async fn each_request_of_a_peer_gets_a_clone_that_is_ready() {
    let (network, handle) = serve(concurrent(2, service(Strict::new()))).await;
    let client = client(&network, 1).await;

    for n in 1..=5 {
        assert_eq!(ask(&client, "hello").await, format!("hello {n}"));
    }

    assert_eq!(handle.stats().panicked, 0);
}

// O-45
#[tokio::test(start_paused = true)]
async fn requests_of_one_peer_wait_for_a_place_and_are_served_in_order() {
    let stack = ServiceBuilder::new().concurrency_limit(1).service_fn(work);
    let (network, handle) = serve(concurrent(8, service(stack))).await;
    let client = client(&network, 1).await;
    let begun = Instant::now();

    for text in ["40", "30", "20", "10"] {
        client.send(text.to_owned()).await.unwrap();
    }

    for text in ["40", "30", "20", "10"] {
        assert_eq!(within_deadline(client.recv()).await.unwrap(), text);
    }
    assert!(begun.elapsed() < Duration::from_millis(110));
    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.conversations, stats.total_dropped()), (4, 1, 0));
}

// O-40, O-45
#[tokio::test(start_paused = true)]
async fn each_request_that_waits_for_too_long_is_busy_and_calls_go_on() {
    let stack = ServiceBuilder::new().concurrency_limit(1).service_fn(work);
    let (network, handle) = serve(concurrent(8, service(stack))).await;
    let client = client(&network, 1).await;

    for text in ["250", "1", "2", "3"] {
        client.send(text.to_owned()).await.unwrap();
    }

    // Two have waited for 100 ms each, and the third for 50 ms.
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "250");
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "3");
    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::Busy)), (2, 2));
}

// O-45
#[tokio::test(start_paused = true)]
async fn a_peer_keeps_no_place_for_requests_that_it_has_not_sent() {
    let stack = ServiceBuilder::new().concurrency_limit(2).service_fn(work);
    let (network, handle) = serve(concurrent(8, service(stack))).await;
    let (one, two) = (client(&network, 1).await, client(&network, 2).await);
    one.send("10000".to_owned()).await.unwrap();
    until(|| handle.stats().delivered == 1).await;

    for _ in 0..10 {
        assert_eq!(ask(&two, "1").await, "1");
    }
    // Also not after a request that was busy.
    two.send("5000".to_owned()).await.unwrap();
    until(|| handle.stats().delivered == 12).await;
    one.send("1".to_owned()).await.unwrap();
    until(|| handle.stats().dropped(DropReason::Busy) == 1).await;
    assert_eq!(within_deadline(two.recv()).await.unwrap(), "5000");
    assert_eq!(ask(&two, "2").await, "2");

    assert_eq!(within_deadline(one.recv()).await.unwrap(), "10000");
}

/// Ready for one call of all clones; after that, `poll_ready` does what `then` says.
#[derive(Clone)]
struct Once {
    calls: Arc<AtomicUsize>,
    fails: bool,
}

impl Service<String> for Once {
    type Response = String;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.calls.load(Relaxed) {
            0 => Poll::Ready(Ok(())),
            _ if self.fails => Poll::Ready(Err("broken".into())),
            _ => panic!("no more"),
        }
    }

    fn call(&mut self, text: String) -> Self::Future {
        self.calls.fetch_add(1, Relaxed);
        Box::pin(work(text))
    }
}

// O-6, O-45
#[tokio::test(start_paused = true)]
async fn a_service_that_breaks_before_a_request_leaves_the_other_calls_alone() {
    for fails in [false, true] {
        let once = Once { calls: Arc::default(), fails };
        let (network, handle) = serve(concurrent(8, service(once))).await;
        let client = client(&network, 1).await;
        client.send("100".to_owned()).await.unwrap();
        until(|| handle.stats().delivered == 1).await;

        for _ in 0..3 {
            client.send("1".to_owned()).await.unwrap();
        }

        assert_eq!(within_deadline(client.recv()).await.unwrap(), "100");
        let stats = handle.stats();
        assert_eq!((stats.panicked, stats.failed), if fails { (0, 3) } else { (3, 0) });
        assert_eq!((stats.delivered, stats.dropped(DropReason::Unread)), (1, 3));
    }
}

// O-44, O-45
#[tokio::test(start_paused = true)]
async fn a_shutdown_drops_what_waits_and_lets_calls_end() {
    let stack = ServiceBuilder::new().concurrency_limit(1).service_fn(work);
    let handler = concurrent(8, service(stack).ready_timeout(Duration::MAX));
    let (network, handle) = serve(handler).await;
    let client = client(&network, 1).await;
    for _ in 0..3 {
        client.send("100".to_owned()).await.unwrap();
    }
    until(|| handle.stats().received == 3).await;

    within_deadline(handle.shutdown()).await;

    assert_eq!(within_deadline(client.recv()).await.unwrap(), "100");
    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.dropped(DropReason::ShuttingDown)), (1, 2));
    assert_eq!((stats.aborted, stats.conversations), (0, 1));
}

// O-45
#[tokio::test(start_paused = true)]
async fn a_conversation_ends_when_the_request_that_waits_is_late() {
    let stack = ServiceBuilder::new().concurrency_limit(2).service_fn(work);
    let handler = concurrent(8, service(stack).ready_timeout(Duration::from_secs(10)));
    let limits = Limits::default().max_queue_time(Duration::from_millis(50));
    let (network, handle) = serve_within(limits, handler).await;
    let mut clients = Vec::new();
    // The third waits for the second, and has the place until the end.
    for (number, text) in ["500", "20", "1000"].into_iter().enumerate() {
        let client = client(&network, number as u64).await;
        client.send(text.to_owned()).await.unwrap();
        until(|| handle.stats().received == number as u64 + 1).await;
        clients.push(client);
    }
    clients[1].send("1".to_owned()).await.unwrap();
    assert_eq!(within_deadline(clients[1].recv()).await.unwrap(), "20");
    assert_eq!(handle.stats().active_conversations, 3);

    // The first is over, and there is a place; but the request has waited for 500 ms.
    assert_eq!(within_deadline(clients[0].recv()).await.unwrap(), "500");
    until(|| handle.stats().active_conversations == 1).await;
    let stats = handle.stats();
    assert_eq!((stats.dropped(DropReason::Late), stats.delivered), (1, 3));
    assert_eq!(ask(&clients[1], "2").await, "2");
    assert_eq!(within_deadline(clients[2].recv()).await.unwrap(), "1000");
}
