//! A service as a handler: requests, responses, errors and panics.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use datagrammar::{
    Addr, BoxError, DropReason, Json, RequestClient, Server, Tagged, TaggedServer, Text,
    concurrent, tagged,
    testing::{Conditions, Network},
    tower::{Request, service, service_with_addr},
};
use tower::{Service, ServiceBuilder, service_fn};

use super::*;

// O-40
#[tokio::test(start_paused = true)]
async fn the_clone_that_was_ready_is_called() {
    let (network, handle) = serve(service(Strict::new())).await;
    let client = client(&network, 1).await;

    assert_eq!(ask(&client, "one").await, "one 1");
    assert_eq!(ask(&client, "two").await, "two 2");

    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.panicked, stats.total_dropped()), (2, 0, 0));
}

// O-41
#[tokio::test(start_paused = true)]
async fn a_service_with_addresses_gets_the_address_of_each_peer() {
    let who = service_fn(async |request: Request<String>| {
        let (text, addr): (String, Addr) = request.into_parts();
        Ok::<_, Infallible>(format!("{addr} says {text}"))
    });
    let (network, _) = serve(service_with_addr(who)).await;

    for number in [1, 2] {
        let client = client(&network, number).await;
        let answer = ask(&client, "hello").await;
        assert_eq!(answer, format!("{} says hello", client.local_addr()));
    }
}

// O-41
#[tokio::test(start_paused = true)]
async fn a_response_of_none_sends_nothing_and_an_error_counts_as_failed() {
    let odd = service_fn(async |text: String| {
        let number: u32 = text.parse()?;
        Ok::<_, BoxError>((number % 2 == 1).then_some(text))
    });
    let (network, handle) = serve(service(odd)).await;
    let client = client(&network, 1).await;

    for text in ["2", "three", "4"] {
        client.send(text.to_owned()).await.unwrap();
    }
    assert_eq!(ask(&client, "5").await, "5");

    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.sent, stats.failed), (4, 1, 1));
}

// O-41
#[tokio::test(start_paused = true)]
async fn a_protocol_learns_its_packets_from_a_service() {
    let sum = async |numbers: Vec<u32>| Ok::<u32, BoxError>(numbers.iter().sum());
    let network = Network::new(1, Conditions::default());
    let socket = network.bind(SERVER).unwrap();
    let handler = service(ServiceBuilder::new().concurrency_limit(4).service_fn(sum));
    let server = Server::bind(socket, Json::new(), handler).await.unwrap();
    server.spawn();
    let socket = network.connect("10.0.0.2:0", SERVER).unwrap();
    let client = Client::connect(socket, Json::<u32, Vec<u32>>::new()).await.unwrap();

    client.send(vec![1, 2, 3]).await.unwrap();

    assert_eq!(within_deadline(client.recv()).await.unwrap(), 6);
}

// O-41
#[tokio::test(start_paused = true)]
async fn a_service_can_be_tagged_and_concurrent() {
    let network = Network::new(1, Conditions::default());
    let socket = network.bind(SERVER).unwrap();
    let handler = concurrent(4, tagged(service(Strict::new())));
    let server = Server::bind(socket, TaggedServer::new(Text), handler).await.unwrap();
    server.spawn();
    let socket = network.connect("10.0.0.2:0", SERVER).unwrap();
    let client = RequestClient::connect(socket, Tagged::new(Text)).await.unwrap();

    assert_eq!(client.request("hello".to_owned()).await.unwrap(), "hello 1");
}

/// A service that does what the request says, or what `at` says before there is one.
struct Breaks {
    at: Option<&'static str>,
}

impl Clone for Breaks {
    fn clone(&self) -> Self {
        assert_ne!(self.at, Some("clone"), "no clone");
        Self { at: self.at }
    }
}

impl Service<String> for Breaks {
    type Response = String;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        assert_ne!(self.at, Some("ready"), "never ready");
        if self.at == Some("failed") {
            Poll::Ready(Err("broken".into()))
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn call(&mut self, text: String) -> Self::Future {
        assert_ne!(text, "call", "no call");
        Box::pin(async move {
            assert_ne!(text, "future", "no future");
            Ok(text)
        })
    }
}

// O-6
#[tokio::test(start_paused = true)]
async fn a_panic_of_a_service_is_a_panic_of_a_handler() {
    let (network, handle) = serve(service(Breaks { at: None })).await;
    let client_1 = client(&network, 1).await;
    for text in ["call", "future"] {
        client_1.send(text.to_owned()).await.unwrap();
    }
    assert_eq!(ask(&client_1, "hello").await, "hello");
    let stats = handle.stats();
    assert_eq!((stats.delivered, stats.panicked, stats.conversations), (3, 2, 3));

    for at in ["clone", "ready"] {
        let (network, handle) = serve(service(Breaks { at: Some(at) })).await;
        let client = client(&network, 1).await;
        client.send("one".to_owned()).await.unwrap();
        client.send("two".to_owned()).await.unwrap();
        until(|| handle.stats().panicked == 2).await;
        let stats = handle.stats();
        assert_eq!((stats.delivered, stats.dropped(DropReason::Unread)), (0, 2), "{at}");
        assert_eq!((stats.conversations, stats.active_conversations), (2, 0), "{at}");
    }
}

// O-41
#[tokio::test(start_paused = true)]
async fn a_service_that_fails_before_it_is_ready_receives_nothing() {
    let (network, handle) = serve(service(Breaks { at: Some("failed") })).await;
    let client = client(&network, 1).await;

    client.send("hello".to_owned()).await.unwrap();

    until(|| handle.stats().conversations == 1).await;
    let stats = handle.stats();
    assert_eq!((stats.failed, stats.delivered, stats.dropped(DropReason::Unread)), (1, 0, 1));
}
