//! clients whose datagrams are in the envelope of address tokens.

use datagrammar::{AddressTokens, RequestError, TokenSecret, TokenSecrets};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, advance},
};

use super::*;
use crate::support::{everywhere, until};

const NONE: [u8; 16] = [0; 16];

fn enveloped() -> RequestClientBuilder<Tagged<Text>> {
    options().address_token_envelope(true)
}

fn secret(byte: u8) -> TokenSecret {
    TokenSecret::from([byte; 16])
}

/// A server that always asks for tokens.
async fn asking(net: &Net, secrets: impl Into<TokenSecrets>) -> Running {
    let tokens = AddressTokens::new(secrets).required(true);
    let echo = tagged(async |text: String| text);
    net.serve(Server::builder(TaggedServer::new(Text), echo).address_token_envelope(tokens)).await
}

async fn client_in(net: &Net, server: &ServerHandle) -> TextClient {
    let addr = server.local_addrs().swap_remove(0);
    match net {
        Net::Memory(network) => {
            let socket = network.connect("10.0.0.3:0", addr.socket_addr().unwrap()).unwrap();
            enveloped().connect(socket).await.unwrap()
        }
        _ => enveloped().connect(addr).await.unwrap(),
    }
}

/// Sends "hello" in a task.
fn hello(client: &TextClient) -> JoinHandle<Result<String, RequestError>> {
    let client = client.clone();
    tokio::spawn(async move { client.request(text("hello")).await })
}

/// A request as the server sees it: its token, its tag and its text.
async fn stamped_at(server: &Client<Raw>) -> ([u8; 16], Vec<u8>, String) {
    let datagram = within_deadline(server.recv()).await.unwrap();
    assert_eq!(datagram[0], 0x10);
    let (tag, text) = datagram[17..].split_at(5);
    let text = String::from_utf8(text.to_vec()).unwrap();
    (datagram[1..17].try_into().unwrap(), tag.to_vec(), text)
}

async fn challenge(server: &Client<Raw>, token: [u8; 16]) {
    server.send(&[&[0x12][..], &token].concat().into()).await.unwrap();
}

async fn reply(server: &Client<Raw>, tag: &[u8], text: &str) {
    let datagram = [&[0x11, 1], &tag[1..], text.as_bytes()].concat();
    server.send(&datagram.into()).await.unwrap();
}

everywhere! {
    //
    async fn a_challenge_costs_no_attempt_and_gives_no_sample(net) {
        let server = asking(&net, secret(1)).await;
        let client = client_in(&net, &server.handle).await;
        // Unix sockets need no token.
        let asks = u64::from(server.handle.local_addrs()[0].ip().is_some());

        for n in 1..=3 {
            assert_eq!(client.request(text("hello")).await.unwrap(), "hello");
            let stats = client.stats();
            assert_eq!((stats.requests, stats.attempts, stats.retries), (n, n, 0));
            assert_eq!((stats.challenges, stats.round_trips.count()), (asks, n - asks));
            assert_eq!((stats.answered, stats.late, stats.unsolicited), (n, 0, 0));
        }
        assert_eq!(server.handle.stats().challenges, asks);
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_challenge_repeats_all_requests_that_wait() {
    let net = Net::memory();
    let server = asking(&net, secret(1)).await;
    let client = client_in(&net, &server.handle).await;

    let began = Instant::now();
    let mut requests = JoinSet::new();
    for n in 0..40 {
        let client = client.clone();
        requests.spawn(async move { client.request(n.to_string()).await.unwrap() });
    }
    let mut answered: Vec<usize> =
        requests.join_all().await.iter().map(|text| text.parse().unwrap()).collect();
    answered.sort_unstable();

    assert_eq!(answered, (0..40).collect::<Vec<_>>());
    let stats = client.stats();
    assert_eq!((stats.attempts, stats.retries, stats.answered), (40, 0, 40));
    assert!(began.elapsed() < Duration::from_millis(200));
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn new_secrets_cost_a_challenge_only_when_the_old_one_is_gone() {
    let net = Net::memory();
    let secrets = TokenSecrets::from(secret(1));
    let server = asking(&net, secrets.clone()).await;
    let client = client_in(&net, &server.handle).await;
    let challenges = async || {
        assert_eq!(client.request(text("hello")).await.unwrap(), "hello");
        client.stats().challenges
    };

    assert_eq!(challenges().await, 1);
    secrets.roll(secret(2));
    assert_eq!(challenges().await, 1);
    secrets.replace([secret(3)]).unwrap();
    assert_eq!(challenges().await, 2);
    assert_eq!(challenges().await, 2);
    assert_eq!(client.stats().retries, 0);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_flood_of_forged_challenges_repeats_a_request_twice() {
    let (client, server) = alone(enveloped()).await;
    let began = Instant::now();
    let request = hello(&client);
    let (token, tag, _) = stamped_at(&server).await;
    assert_eq!(token, NONE);

    for n in 1..=100_u128 {
        challenge(&server, n.to_be_bytes()).await;
    }
    until(|| client.stats().challenges == 100).await;
    for _ in 0..2 {
        let (token, again, text) = stamped_at(&server).await;
        assert!(token != NONE && again == tag && text == "hello");
    }
    assert!(server.try_recv().is_none());
    reply(&server, &tag, "there").await;

    assert_eq!(request.await.unwrap().unwrap(), "there");
    assert!(began.elapsed() < SECOND);
    let stats = client.stats();
    assert_eq!((stats.attempts, stats.retries, stats.round_trips.count()), (1, 0, 0));
    // The next request has the newest token.
    let _request = hello(&client);
    assert_eq!(stamped_at(&server).await.0, 100_u128.to_be_bytes());
}

//
#[tokio::test(start_paused = true)]
async fn a_challenge_that_is_lost_costs_one_retry_and_moves_no_timer() {
    let (client, server) = alone(enveloped()).await;
    let began = Instant::now();
    let request = hello(&client);
    let (_, tag, _) = stamped_at(&server).await;
    // The challenge is lost.
    assert_eq!(stamped_at(&server).await, (NONE, tag.clone(), text("hello")));
    assert_eq!(began.elapsed(), SECOND);
    challenge(&server, [1; 16]).await;
    // The answer to this one is lost too, and the timer has been running since the second attempt.
    assert_eq!(stamped_at(&server).await, ([1; 16], tag.clone(), text("hello")));
    let since = began.elapsed();
    assert!(since < SECOND + Duration::from_millis(10));
    assert_eq!(stamped_at(&server).await, ([1; 16], tag.clone(), text("hello")));
    let third = began.elapsed() - SECOND;
    assert!(third >= Duration::from_millis(1_800) && third <= Duration::from_millis(2_200));
    reply(&server, &tag, "there").await;

    assert_eq!(request.await.unwrap().unwrap(), "there");
    let stats = client.stats();
    assert_eq!((stats.attempts, stats.retries, stats.challenges), (3, 2, 1));
}

//
#[tokio::test(start_paused = true)]
async fn each_server_has_a_token_of_its_own() {
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
    let client = enveloped().fallback(second).connect(sockets.pop().unwrap()).await.unwrap();

    let request = hello(&client);
    assert_eq!(stamped_at(&servers[0]).await.0, NONE);
    challenge(&servers[0], [1; 16]).await;
    assert_eq!(stamped_at(&servers[0]).await.0, [1; 16]);
    // The first one does not answer.
    assert_eq!(stamped_at(&servers[1]).await.0, NONE);
    challenge(&servers[1], [2; 16]).await;
    let (token, tag, _) = stamped_at(&servers[1]).await;
    assert_eq!(token, [2; 16]);
    assert!(servers[0].try_recv().is_none());
    reply(&servers[1], &tag, "two").await;

    assert_eq!(request.await.unwrap().unwrap(), "two");
    let stats = client.stats();
    assert_eq!((stats.challenges, stats.retries), (2, 1));
    let times = client.round_trip_times();
    assert!(times.iter().all(Option::is_none), "{times:?}");
}

//
#[tokio::test(start_paused = true)]
async fn the_last_one_way_packet_is_sent_again_if_a_challenge_comes_soon() {
    let (client, server) = alone(enveloped()).await;

    client.notify(text("hello")).await.unwrap();
    let (token, tag, _) = stamped_at(&server).await;
    assert_eq!((token, tag[0]), (NONE, 2));
    challenge(&server, [1; 16]).await;
    assert_eq!(stamped_at(&server).await, ([1; 16], tag, text("hello")));
    // Later it is not: the server has received it, and asks for another packet's token.
    advance(2 * SECOND).await;
    challenge(&server, [2; 16]).await;
    until(|| client.stats().challenges == 2).await;
    assert!(server.try_recv().is_none());
    assert_eq!((client.stats().notifications, client.stats().send_errors), (1, 0));

    client.notify(text("again")).await.unwrap();
    assert_eq!(stamped_at(&server).await.0, [2; 16]);
}

//
#[tokio::test(start_paused = true)]
async fn what_is_in_no_envelope_answers_nothing() {
    let (client, server) = alone(enveloped()).await;
    let request = hello(&client);
    let (_, tag, _) = stamped_at(&server).await;

    answer(&server, &tag, "no envelope").await;
    for datagram in [&[0x10; 40][..], &[0x12; 16], &[0x12; 18], &[0x13; 17], b""] {
        server.send(&datagram.to_vec().into()).await.unwrap();
    }
    until(|| client.stats().unsolicited == 6).await;
    reply(&server, &tag, "there").await;

    assert_eq!(request.await.unwrap().unwrap(), "there");
    assert_eq!(client.stats().challenges, 0);
    assert_eq!(client.stats().round_trips.count(), 1);
}

//
#[tokio::test(start_paused = true)]
async fn the_envelope_takes_17_bytes_of_a_request() {
    let (client, server) = alone(enveloped()).await;
    // A datagram over IPv4 has up to 65,507 bytes, and a tag has 5.
    let longest = 65_507 - 17 - 5;

    client.notify("x".repeat(longest)).await.unwrap();
    assert_eq!(within_deadline(server.recv()).await.unwrap().len(), 65_507);
    let too_long = client.request("x".repeat(longest + 1)).await.unwrap_err();
    assert!(
        matches!(too_long, RequestError::TooLarge { len: 65_491, max: 65_490, .. }),
        "{too_long:?}"
    );
}
