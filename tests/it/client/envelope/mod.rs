//! clients whose datagrams are in the envelope of address tokens.

mod alone;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{
    AddressTokens, ClientBuilder, ClientExchangeError, ClientRecvError, ClientSendError, Server,
    ServerHandle, TokenSecret, TokenSecrets,
};
use tokio::time::{Instant, advance, sleep};

use super::*;
#[cfg(target_os = "linux")]
use crate::support::temporary_path;
use crate::support::{Running, conversing, within_deadline};

const NONE: [u8; 16] = [0; 16];

fn enveloped() -> ClientBuilder<Text> {
    Client::builder(Text).address_token_envelope(true)
}

fn asking(secrets: impl Into<TokenSecrets>) -> AddressTokens {
    AddressTokens::new(secrets).required(true)
}

fn secret(byte: u8) -> TokenSecret {
    TokenSecret::from([byte; 16])
}

async fn connect(net: &Net, server: &ServerHandle) -> Client<Text> {
    let addr = server.local_addrs().swap_remove(0);
    match net {
        Net::Memory(network) => {
            let socket = network.connect("10.0.0.3:0", addr.socket_addr().unwrap()).unwrap();
            enveloped().connect(socket).await.unwrap()
        }
        #[cfg(target_os = "linux")]
        Net::UnixPaths => {
            let unix = Unix::new(addr.as_pathname().unwrap()).local_addr(temporary_path());
            enveloped().connect(unix.batch_io(false)).await.unwrap()
        }
        _ => enveloped().connect(addr).await.unwrap(),
    }
}

/// A server of a function that always asks for tokens.
async fn shouting(net: &Net, secrets: impl Into<TokenSecrets>) -> Running {
    let server = Server::builder(Text, async |text: String| text.to_uppercase());
    net.serve(server.address_token_envelope(asking(secrets))).await
}

/// How many challenges a client gets for its first datagram: Unix sockets need no token.
fn asks(server: &ServerHandle) -> u64 {
    u64::from(server.local_addrs()[0].ip().is_some())
}

/// A client in memory with the same options, and its peer.
async fn alone(builder: ClientBuilder<Text>) -> (Client<Text>, Bytes) {
    let (local, peer) = linked(&Net::memory());
    (builder.connect(local).await.unwrap(), Bytes(client_on(peer, Raw).unwrap()))
}

/// A datagram of the client: its token and its text.
async fn stamped_at(peer: &Bytes) -> ([u8; 16], String) {
    let datagram = peer.recv().await;
    assert_eq!(datagram[0], 0x10);
    (datagram[1..17].try_into().unwrap(), String::from_utf8(datagram[17..].to_vec()).unwrap())
}

fn stamped(token: [u8; 16], text: &str) -> ([u8; 16], String) {
    (token, text.to_owned())
}

async fn challenge(peer: &Bytes, token: [u8; 16]) {
    peer.send([&[0x12][..], &token].concat()).await;
}

async fn heard(client: &Client<Text>) -> String {
    within_deadline(client.recv()).await.unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

everywhere! {
    //
    async fn a_challenge_is_answered_and_never_returned(net) {
        let server = shouting(&net, secret(1)).await;
        let client = connect(&net, &server.handle).await;
        let asks = asks(&server.handle);

        for n in 1..=3 {
            client.send(text("hello")).await.unwrap();
            assert_eq!(heard(&client).await, "HELLO");
            let stats = client.stats();
            assert_eq!((stats.challenges, stats.sent), (asks, n + asks));
            assert_eq!((stats.received, stats.decode_errors), (n, 0));
        }
        assert_eq!(server.handle.stats().challenges, asks);
        server.stop().await;
    }

    //
    async fn a_handler_that_waits_is_reached_with_a_token(net) {
        let handler = conversing!(|peer| {
            while let Ok(text) = peer.recv().await {
                peer.send(text.to_uppercase()).await?;
            }
            Ok(())
        });
        let server = Server::builder(Text, handler).address_token_envelope(asking(secret(1)));
        let server = net.serve(server).await;
        let client = connect(&net, &server.handle).await;

        for round in ["one", "two", "three"] {
            client.send(text(round)).await.unwrap();
            assert_eq!(heard(&client).await, round.to_uppercase());
        }
        assert_eq!(client.stats().challenges, asks(&server.handle));
        assert_eq!(server.handle.stats().active_conversations, 1);
        server.stop().await;
    }

    //
    async fn a_client_that_only_sends_learns_its_token(net) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let handler = conversing!([counted] |peer| {
            while peer.recv().await.is_ok() {
                counted.fetch_add(1, Relaxed);
            }
            Ok(())
        });
        let server = Server::builder(Text, handler).address_token_envelope(asking(secret(1)));
        let server = net.serve(server).await;
        let client = connect(&net, &server.handle).await;

        within_deadline(async {
            while calls.load(Relaxed) < 3 {
                client.send(text("measurement")).await.unwrap();
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert!(client.stats().challenges >= asks(&server.handle));
        server.stop().await;
    }

    //
    async fn many_packets_are_sent_at_once_with_a_token(net) {
        let server = shouting(&net, secret(1)).await;
        let client = connect(&net, &server.handle).await;
        client.send(text("first")).await.unwrap();
        assert_eq!(heard(&client).await, "FIRST");

        // More than one batch, and of one length, so that the kernel may take them as segments.
        for round in 1..=10 {
            client.send_all((0..20).map(|n| format!("{round:02} {n:02}"))).await.unwrap();
            let mut answers = Vec::new();
            for _ in 0..20 {
                answers.push(heard(&client).await);
            }
            answers.sort_unstable();
            assert_eq!(answers, (0..20).map(|n| format!("{round:02} {n:02}")).collect::<Vec<_>>());
        }
        assert_eq!(client.stats().challenges, asks(&server.handle));
        server.stop().await;
    }

    //
    async fn an_exchange_with_a_server_that_asks_takes_one_attempt(net) {
        let server = shouting(&net, secret(1)).await;
        let client = connect(&net, &server.handle).await;

        assert_eq!(within_deadline(client.exchange(text("hello"))).await.unwrap(), "HELLO");
        // A datagram for each, and one for the challenge.
        assert_eq!(client.stats().sent, 1 + asks(&server.handle));
        assert_eq!(within_deadline(client.exchange(text("you"))).await.unwrap(), "YOU");
        assert_eq!(client.stats().sent, 2 + asks(&server.handle));
        assert_eq!(client.stats().challenges, asks(&server.handle));
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn new_secrets_cost_a_challenge_only_when_the_old_one_is_gone() {
    let (net, secrets) = (Net::memory(), TokenSecrets::from(secret(1)));
    let server = shouting(&net, secrets.clone()).await;
    let client = connect(&net, &server.handle).await;
    let challenges = async || {
        client.send(text("hello")).await.unwrap();
        assert_eq!(heard(&client).await, "HELLO");
        client.stats().challenges
    };

    assert_eq!(challenges().await, 1);
    secrets.roll(secret(2));
    assert_eq!(challenges().await, 1);
    secrets.replace([secret(3)]).unwrap();
    assert_eq!(challenges().await, 2);
    assert_eq!(challenges().await, 2);
    server.stop().await;
}
