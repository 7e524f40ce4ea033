//! Servers that cannot be reached: the attempt fails, and the request goes on.

use std::{io::ErrorKind, net::UdpSocket};

use datagrammar::RequestError;

use super::*;
use crate::support::BindNow;

/// An address on which no socket is bound.
fn nobody() -> std::net::SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

//
#[tokio::test]
async fn if_all_attempts_fail_the_error_is_unreachable() {
    let options = options().initial_timeout(Duration::from_millis(10)).max_attempts(3);
    let client = options.connect(nobody()).await.unwrap();

    let error = within_deadline(client.request(text("hello"))).await.unwrap_err();

    let RequestError::Unreachable(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let stats = client.stats();
    assert_eq!((stats.attempts, stats.unreachable, stats.timed_out), (3, 1, 0));
    // Nothing was lost on the way, so there may be as many requests as before.
    assert_eq!(client.in_flight_limit(), 64);
}

//
#[tokio::test]
async fn a_request_waits_for_a_server_that_starts_later() {
    let addr = nobody();
    let options = options().initial_timeout(Duration::from_millis(20));
    let client = options.connect(addr).await.unwrap();
    let before = client.local_addrs();
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("hello")).await }
    });
    crate::support::until(|| client.stats().send_errors > 1).await;

    let echo = tagged(async |text: String| text);
    let server = Server::builder(TaggedServer::new(Text), echo).bind_now(addr).unwrap();
    let server = Running::start(server).await;

    assert_eq!(within_deadline(asking).await.unwrap().unwrap(), "hello");
    // The next request comes from another port.
    assert_ne!(client.local_addrs(), before);
    assert_eq!(within_deadline(client.request(text("again"))).await.unwrap(), "again");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn an_attempt_that_the_kernel_refuses_is_followed_by_the_next() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let server = echo(&net).await;
    let client = client_of(&net, &server.handle).await;
    network.fail_send(client.local_addrs()[0].clone(), ErrorKind::HostUnreachable, 2);

    assert_eq!(client.request(text("hello")).await.unwrap(), "hello");

    let stats = client.stats();
    assert_eq!((stats.attempts, stats.send_errors, stats.answered), (3, 2, 1));
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn an_error_that_the_network_reports_later_fails_the_attempt() {
    let network = Network::new(1, Conditions::default());
    let _silent = network.bind("10.0.0.1:9000").unwrap();
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = options().max_attempts(2).connect(socket).await.unwrap();
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("hello")).await }
    });

    for attempt in 1..=2 {
        crate::support::until(|| client.stats().attempts == attempt).await;
        network.fail_recv(addr("10.0.0.2:9000"), ErrorKind::ConnectionRefused, 1);
    }

    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Unreachable(_)), "{error:?}");
}
