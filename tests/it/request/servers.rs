//! Several servers: each attempt goes to the next one.

use std::io::ErrorKind;

use datagrammar::Idempotent;
use tokio::time::{Instant, sleep};

use super::*;
use crate::support::until;

/// A client of two servers, and their sockets.
async fn two(
    builder: RequestClientBuilder<Tagged<Text>>,
) -> (Network, TextClient, [Client<Raw>; 2]) {
    let network = Network::new(1, Conditions::default());
    let mut servers = Vec::new();
    let mut sockets = Vec::new();
    for n in 1..=2 {
        let (server, client) = (format!("10.0.0.{n}:9000"), format!("10.0.1.{n}:9000"));
        let socket = network.connect(&*server, &*client).unwrap();
        servers.push(Client::connect(socket, Raw).await.unwrap());
        sockets.push(network.connect(&*client, &*server).unwrap());
    }
    let second = sockets.pop().unwrap();
    let client = builder.fallback(second).connect(sockets.pop().unwrap()).await.unwrap();
    (network, client, servers.try_into().unwrap())
}

//
#[tokio::test(start_paused = true)]
async fn each_attempt_goes_to_the_next_server_and_the_next_request_to_the_one_that_answered() {
    let (_network, client, [one, two]) = two(options()).await;
    assert_eq!(client.server_addrs(), [addr("10.0.0.1:9000"), addr("10.0.0.2:9000")]);
    let began = Instant::now();
    let serve = async {
        request_at(&one).await;
        let (tag, _) = request_at(&two).await;
        assert_eq!(began.elapsed(), SECOND);
        sleep(Duration::from_millis(50)).await;
        answer(&two, &tag, "two").await;
    };
    let (response, ()) = tokio::join!(client.request(text("hello")), serve);
    assert_eq!(response.unwrap(), "two");

    let again = async {
        let (tag, _) = request_at(&two).await;
        answer(&two, &tag, "two again").await;
    };
    let (response, ()) = tokio::join!(client.request(text("hello")), again);

    assert_eq!(response.unwrap(), "two again");
    assert!(one.try_recv().is_none());
    // The second server was asked once for the first request, so that is a sample.
    let times = client.round_trip_times();
    assert!(times[0].is_none() && times[1].is_some_and(|time| time < Duration::from_millis(50)));
    assert_eq!(client.stats().round_trips.count(), 2);
}

//
#[tokio::test(start_paused = true)]
async fn a_late_response_of_the_first_server_counts_while_the_request_lasts() {
    let (_network, client, [one, two]) = two(options()).await;
    let serve = async {
        let (tag, _) = request_at(&one).await;
        let (other, _) = request_at(&two).await;
        // Each server knows its own id only.
        answer(&two, &tag, "forged").await;
        answer(&one, &other, "forged").await;
        answer(&one, &tag, "one").await;
    };

    let (response, ()) = tokio::join!(client.request(text("hello")), serve);

    assert_eq!(response.unwrap(), "one");
    assert_eq!(client.stats().unsolicited, 2);
}

//
#[tokio::test(start_paused = true)]
async fn if_a_server_is_unreachable_the_next_one_is_asked_at_once() {
    let (network, client, [one, two]) = two(options()).await;
    network.fail_send(addr("10.0.1.1:9000"), ErrorKind::ConnectionRefused, 1);
    let began = Instant::now();
    let serve = async {
        let (tag, _) = request_at(&two).await;
        answer(&two, &tag, "two").await;
    };

    let (response, ()) = tokio::join!(client.request(text("hello")), serve);

    assert_eq!((response.unwrap().as_str(), began.elapsed()), ("two", Duration::ZERO));
    assert!(one.try_recv().is_none());
}

//
#[tokio::test(start_paused = true)]
async fn if_all_servers_are_unreachable_the_timer_decides() {
    let (network, client, _servers) = two(options().max_attempts(6)).await;
    for n in 1..=2 {
        network.fail_send(addr(&format!("10.0.1.{n}:9000")), ErrorKind::ConnectionRefused, 100);
    }
    let began = Instant::now();

    let error = client.request(text("hello")).await.unwrap_err();

    assert!(matches!(error, datagrammar::RequestError::Unreachable(_)), "{error:?}");
    assert_eq!(client.stats().attempts, 6);
    // Three rounds, with timers of 1, 2 and 4 seconds.
    let waited = began.elapsed();
    assert!(waited > 6 * SECOND && waited < 8 * SECOND, "{waited:?}");
}

#[derive(Clone, Debug)]
struct Lookup(String);

impl Idempotent for Lookup {}

//
#[tokio::test(start_paused = true)]
async fn a_hedged_request_asks_the_second_server_early() {
    let network = Network::new(1, Conditions::default());
    let mut sockets = Vec::new();
    let mut servers = Vec::new();
    for n in 1..=2 {
        let (server, client) = (format!("10.0.0.{n}:9000"), format!("10.0.1.{n}:9000"));
        let socket = network.connect(&*server, &*client).unwrap();
        servers.push(Client::connect(socket, Raw).await.unwrap());
        sockets.push(network.connect(&*client, &*server).unwrap());
    }
    let protocol = Tagged::new(datagrammar::DatagramProtocol::convert(Text, Lookups));
    let builder = RequestClient::builder(protocol).hedge_after(Duration::from_millis(30));
    let second = sockets.pop().unwrap();
    let client = builder.fallback(second).connect(sockets.pop().unwrap()).await.unwrap();
    let began = Instant::now();
    let serve = async {
        let (tag, _) = request_at(&servers[0]).await;
        let (other, _) = request_at(&servers[1]).await;
        assert_eq!(began.elapsed(), Duration::from_millis(30));
        answer(&servers[1], &other, "two").await;
        tag
    };

    let (response, tag) = tokio::join!(client.request_hedged(Lookup(text("hello"))), serve);

    assert_eq!(response.unwrap(), "two");
    assert_eq!(client.in_flight_limit(), 64);
    answer(&servers[0], &tag, "one").await;
    until(|| client.stats().late == 1).await;
}

struct Lookups;

impl datagrammar::Converter for Lookups {
    type Incoming = String;
    type Outgoing = Lookup;
    type WireIncoming = String;
    type WireOutgoing = String;

    fn convert_incoming(&self, text: String) -> Result<String, datagrammar::BoxError> {
        Ok(text)
    }

    fn convert_outgoing(&self, lookup: &Lookup) -> Result<String, datagrammar::BoxError> {
        Ok(lookup.0.clone())
    }
}

//
#[tokio::test]
async fn each_address_of_a_list_is_a_server() {
    let servers =
        [echo(&Net::Loopback("127.0.0.1")).await, echo(&Net::Loopback("127.0.0.1")).await];
    let addrs: Vec<_> = servers
        .iter()
        .map(|server| server.handle.local_addrs()[0].socket_addr().unwrap())
        .collect();
    let options = options().initial_timeout(Duration::from_millis(20));
    let client = options.connect(&addrs[..]).await.unwrap();
    assert_eq!(
        client.server_addrs(),
        addrs.iter().map(|addr| Addr::from(*addr)).collect::<Vec<_>>()
    );

    assert_eq!(client.request(text("hello")).await.unwrap(), "hello");
    let [one, two] = servers;
    one.stop().await;
    for n in 0..10 {
        let number = n.to_string();
        assert_eq!(within_deadline(client.request(&number)).await.unwrap(), number);
    }
    two.stop().await;
}
