//! Layers of tower around a plain function, one line each.

use std::{sync::Mutex, task, time::Duration};

use datagrammar::{
    BoxError, DropReason,
    tower::{Request, service, service_with_addr},
};
use tokio::{
    task::coop,
    time::{Instant, sleep},
};
use tower::{ServiceBuilder, load_shed::error::Overloaded};

use super::*;

/// Works for the time that the request names, in milliseconds.
async fn work(text: String) -> Result<String, BoxError> {
    sleep(Duration::from_millis(text.parse()?)).await;
    Ok(text)
}

// O-42
#[tokio::test(start_paused = true)]
async fn a_timeout_ends_a_call() {
    let stack = ServiceBuilder::new().timeout(Duration::from_secs(2)).service_fn(work);
    let (network, handle) = serve(service(stack)).await;
    let client = client(&network, 1).await;
    let begun = Instant::now();

    client.send("1000000".to_owned()).await.unwrap();
    assert_eq!(ask(&client, "10").await, "10");

    assert_eq!(begun.elapsed().as_secs(), 2);
    let stats = handle.stats();
    assert_eq!((stats.failed, stats.delivered, stats.sent), (1, 2, 1));
}

// O-40, O-42
#[tokio::test(start_paused = true)]
async fn beyond_a_concurrency_limit_requests_wait_for_the_time_limit_and_then_are_busy() {
    let log = log::Log::capture();
    let stack = ServiceBuilder::new().concurrency_limit(1).service_fn(work);
    let (network, handle) = serve(service(stack)).await;
    let (one, two) = (client(&network, 1).await, client(&network, 2).await);

    one.send("60".to_owned()).await.unwrap();
    until(|| handle.stats().delivered == 1).await;
    assert_eq!(ask(&two, "1").await, "1");
    assert_eq!(within_deadline(one.recv()).await.unwrap(), "60");
    assert_eq!(handle.stats().dropped(DropReason::Busy), 0);

    one.send("2000".to_owned()).await.unwrap();
    until(|| handle.stats().delivered == 3).await;
    let begun = Instant::now();
    two.send("2".to_owned()).await.unwrap();
    two.send("not a number: it is not decoded either".to_owned()).await.unwrap();
    until(|| handle.stats().dropped(DropReason::Busy) == 1).await;
    assert_eq!(begun.elapsed().as_millis() / 10, 10);
    until(|| handle.stats().dropped(DropReason::Busy) == 2).await;
    assert_eq!(begun.elapsed().as_millis() / 10, 20);

    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.failed, stats.active_conversations), (3, 0, 1));
    let told = log.alarms();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(format!("{told:?}").contains("tower::ServiceHandler::ready_timeout"), "{told:?}");
    assert_eq!(within_deadline(one.recv()).await.unwrap(), "2000");
    assert_eq!(ask(&two, "3").await, "3");
}

// O-40
#[tokio::test(start_paused = true)]
async fn without_time_to_wait_a_request_is_busy_at_once() {
    let stack = ServiceBuilder::new().concurrency_limit(1).service_fn(work);
    let (network, handle) = serve(service(stack).ready_timeout(Duration::ZERO)).await;
    let (one, two) = (client(&network, 1).await, client(&network, 2).await);
    one.send("50".to_owned()).await.unwrap();
    until(|| handle.stats().delivered == 1).await;

    two.send("1".to_owned()).await.unwrap();

    until(|| handle.stats().dropped(DropReason::Busy) == 1).await;
    assert_eq!(handle.stats().spawned, 1);
    within_deadline(one.recv()).await.unwrap();
    assert_eq!(ask(&two, "1").await, "1");
}

// O-42
#[tokio::test(start_paused = true)]
async fn a_service_that_sheds_load_can_tell_the_client_so() {
    let stack = ServiceBuilder::new()
        .map_result(|result: Result<String, BoxError>| match result {
            Err(error) if error.is::<Overloaded>() => Ok("busy".to_owned()),
            result => result,
        })
        .load_shed()
        .concurrency_limit(1)
        .service_fn(work);
    let (network, handle) = serve(service(stack)).await;
    let (one, two) = (client(&network, 1).await, client(&network, 2).await);
    one.send("50".to_owned()).await.unwrap();
    until(|| handle.stats().delivered == 1).await;

    assert_eq!(ask(&two, "1").await, "busy");

    assert_eq!(within_deadline(one.recv()).await.unwrap(), "50");
    assert_eq!(handle.stats().total_dropped(), 0);
}

// O-42
#[tokio::test(start_paused = true)]
async fn a_buffer_lets_requests_wait_for_a_rate_limit_and_has_a_bound() {
    let stack =
        ServiceBuilder::new().buffer(2).rate_limit(1, Duration::from_secs(1)).service_fn(work);
    let (network, handle) = serve(service(stack)).await;
    let begun = Instant::now();
    let mut clients = Vec::new();
    for number in 0..8 {
        let client = client(&network, number).await;
        client.send("0".to_owned()).await.unwrap();
        // In this order.
        until(|| handle.stats().received == number + 1).await;
        clients.push(client);
    }

    // One is answered, the worker of the buffer holds one, and two wait in it.
    until(|| handle.stats().dropped(DropReason::Busy) == 4).await;
    assert!(begun.elapsed() < Duration::from_millis(200));
    for (n, client) in clients[..4].iter().enumerate() {
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "0");
        assert_eq!(begun.elapsed().as_secs(), n as u64);
    }
    assert_eq!(handle.stats().delivered, 4);
}

// O-42
#[tokio::test(start_paused = true)]
async fn a_middleware_can_look_at_the_address() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

    let stack = ServiceBuilder::new()
        .map_request(|request: Request<String>| {
            SEEN.lock().unwrap().push(request.addr().to_string());
            request.map(|text| text.to_uppercase())
        })
        .service_fn(async |request: Request<String>| Ok::<_, BoxError>(request.into_inner()));
    let (network, _) = serve(service_with_addr(stack)).await;
    let client = client(&network, 1).await;

    assert_eq!(ask(&client, "hello").await, "HELLO");

    assert_eq!(*SEEN.lock().unwrap(), [client.local_addr().to_string()]);
}

// O-43
#[tokio::test(start_paused = true)]
async fn many_requests_at_once_are_no_sign_of_load() {
    const REQUESTS: u64 = 1_000;

    /// Takes from the budget of its task when it becomes ready, as channels and semaphores of tokio do. A task has 128
    /// units, and a worker is one task.
    #[derive(Clone)]
    struct Costly;

    impl Service<String> for Costly {
        type Response = String;
        type Error = BoxError;
        type Future = Ready<Result<String, BoxError>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            for _ in 0..3 {
                task::ready!(coop::poll_proceed(cx)).made_progress();
            }
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, text: String) -> Self::Future {
            ready(Ok(text))
        }
    }

    let (network, handle) = serve(service(Costly).ready_timeout(Duration::ZERO)).await;
    let mut clients = Vec::new();
    for number in 0..REQUESTS {
        clients.push(client(&network, number).await);
    }

    for client in &clients {
        client.send("hello".to_owned()).await.unwrap();
    }

    until(|| handle.stats().received == REQUESTS).await;
    until(|| handle.stats().sent == REQUESTS).await;
    assert_eq!(handle.stats().total_dropped(), 0);
}
