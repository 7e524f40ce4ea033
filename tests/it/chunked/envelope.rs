//! packets in chunks whose datagrams are in the envelope of address tokens.

use datagrammar::{
    AddressTokens, Client, Guard, Raw, TokenSecret, TokenSecrets,
    testing::{Conditions, Network},
};

use super::*;
use crate::support::Bytes;

/// The length of a datagram, an envelope of a client, and what is in front of the bytes of a chunk.
const LONGEST: usize = 1_200;
const ENVELOPE: usize = 17;

fn asking(secrets: impl Into<TokenSecrets>) -> ServerBuilder<TaggedServer<Text>> {
    let tokens = AddressTokens::new(secrets).required(true);
    server(tagged(async |request: String| wanted(&request))).address_token_envelope(tokens)
}

fn secret(byte: u8) -> TokenSecret {
    TokenSecret::from([byte; 16])
}

fn enveloped() -> RequestClientBuilder<Tagged<Text>> {
    options().address_token_envelope(true)
}

everywhere! {
    //
    async fn long_packets_pass_a_server_that_asks_for_tokens(net) {
        let server = net.serve(asking(secret(1)).guard(Guard::internet())).await;
        let client = connect(&net, &server.handle, enveloped()).await;
        let asks = server.handle.local_addrs()[0].ip().is_some();

        for (len, wanted) in [(9_000, 20), (20, 9_000), (9_000, 9_000), (20, 20)] {
            let response = client.request(request(len, wanted)).await.unwrap();
            assert_eq!(response, text(wanted));
        }
        let stats = client.stats();
        // Each chunk of the first request was challenged, and no other one.
        let challenges = if asks { 9_000_u64.div_ceil((CHUNK - ENVELOPE) as u64) } else { 0 };
        assert_eq!((stats.answered, stats.challenges, stats.unsolicited), (4, challenges, 0));
        assert_eq!(server.handle.stats().dropped(DropReason::Unproven), challenges);
        stop(server).await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_token_that_expires_in_the_middle_costs_no_retry() {
    for (len, wanted) in [(LIMIT - 5, 20), (20, LIMIT - 5)] {
        let delay = Duration::from_millis(20)..=Duration::from_millis(20);
        let net = Net::Memory(Network::new(1, Conditions::default().delay(delay)));
        let secrets = TokenSecrets::from(secret(1));
        let server = net.serve(asking(secrets.clone())).await;
        let client = connect(&net, &server.handle, enveloped()).await;
        assert_eq!(client.request(request(20, 20)).await.unwrap(), text(20));
        assert_eq!(client.stats().challenges, 1);

        let asked = client.clone();
        let asking = tokio::spawn(async move { asked.request(request(len, wanted)).await });
        tokio::time::sleep(Duration::from_millis(90)).await;
        secrets.replace([secret(2)]).unwrap();
        assert!(!asking.is_finished());

        assert_eq!(asking.await.unwrap().unwrap(), text(wanted));
        let stats = client.stats();
        assert_eq!((stats.attempts, stats.retries, stats.resumed), (2, 0, 0), "{stats}");
        assert!(stats.challenges > 1, "{stats}");
        stop(server).await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn long_packets_arrive_also_if_challenges_are_lost() {
    for seed in 1..=50 {
        let delay = Duration::from_millis(10)..=Duration::from_millis(40);
        let conditions = Conditions::default().loss(0.1).duplicate(0.1).reorder(0.1).delay(delay);
        let net = Net::Memory(Network::new(seed, conditions));
        let secrets = TokenSecrets::from(secret(1));
        let server = net.serve(asking(secrets.clone())).await;
        let client = connect(&net, &server.handle, enveloped().seed(seed)).await;

        for byte in 2..=4 {
            let response = client.request(request(30_000, 30_000)).await;
            assert_eq!(response.unwrap(), text(30_000), "seed {seed}, {}", client.stats());
            secrets.replace([secret(byte)]).unwrap();
        }
        let handle = server.handle.clone();
        handle.shutdown().await;
        check_balance(&handle);
    }
}

//
#[tokio::test(start_paused = true)]
async fn each_datagram_of_a_client_is_in_an_envelope_of_at_most_the_chunk_size() {
    let network = Network::new(1, Conditions::default());
    let peer = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let peer = Bytes(Client::connect(peer, Raw).await.unwrap());
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = enveloped().connect(socket).await.unwrap();
    let ask = |len: usize| {
        let client = client.clone();
        tokio::spawn(async move { client.request(text(len)).await })
    };

    // The longest that is one datagram: without the kind and the tag.
    let whole = ask(LONGEST - ENVELOPE - 1 - 5);
    let datagram = peer.recv().await;
    assert_eq!((datagram.len(), datagram[0], datagram[ENVELOPE]), (LONGEST, 0x10, 0));
    whole.abort();
    let chunks = ask(LONGEST - ENVELOPE - 5);
    let mut sent = [peer.recv().await, peer.recv().await];
    sent.sort_by_key(Vec::len);
    assert_eq!(sent[1].len(), LONGEST);
    assert!(sent.iter().all(|one| one[0] == 0x10 && matches!(one[ENVELOPE], 1 | 2)));

    // Both are sent again with the token, however many challenges come.
    for token in 1..=20_u8 {
        peer.send([&[0x12][..], &[token; 16]].concat()).await;
    }
    until(|| client.stats().challenges == 20).await;
    for token in [1, 1, 2, 2] {
        assert_eq!(peer.recv().await[1..ENVELOPE], [token; 16]);
    }
    assert!(peer.hears_nothing().await);
    chunks.abort();
}

//
#[tokio::test(start_paused = true)]
async fn each_datagram_of_a_server_is_in_an_envelope_of_at_most_the_chunk_size() {
    let net = Net::memory();
    let tokens = AddressTokens::new(secret(1));
    let server = server(tagged(async |request: String| wanted(&request)));
    let server = net.serve(server.address_token_envelope(tokens)).await;
    let peer = net.peer_of(&server.handle).await;
    let request = |id: u8, wanted: usize| {
        let packet = [&[0, 0, 0, 0, 0, id], wanted.to_string().as_bytes()].concat();
        [&[0x10][..], &[0; 16], &packet].concat()
    };

    peer.send(request(1, LONGEST - 1 - 1 - 5)).await;
    let whole = peer.recv().await;
    assert_eq!((whole.len(), &whole[..2]), (LONGEST, &b"\x11\0"[..]));
    peer.send(request(2, LONGEST - 1 - 5)).await;
    let (first, last) = (peer.recv().await, peer.recv().await);
    assert_eq!((first.len(), &first[..2]), (LONGEST, &b"\x11\x01"[..]));
    assert_eq!(&last[..2], b"\x11\x01");

    // A chunk that asks is answered with a list in an envelope, and not with more bytes.
    let chunk = [&[0x10][..], &[0; 16], &[2], &[0; 12], &[0, 0, 0, 2], &[7; 600]].concat();
    peer.send(&chunk).await;
    let list = peer.recv().await;
    assert_eq!(list, [&[0x11, 3][..], &[0; 12], &[0, 1, 0, 2]].concat());
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_for_chunks_without_a_token() {
    let net = Net::memory();
    let server = net.serve(asking(secret(1))).await;
    let peer = net.peer_of(&server.handle).await;

    for number in 0..50 {
        let header = [&[2][..], &[0; 11], &[number], &[0, 0, 0, 2]].concat();
        peer.send([&[0x10][..], &[0; 16], &header, &[7; 600]].concat()).await;
        assert_eq!((peer.recv().await.len(), peer.hears_nothing().await), (17, true));
    }
    // Longer than a server waits for chunks.
    tokio::time::sleep(4 * SECOND).await;
    let stats = server.handle.stats();
    assert_eq!((stats.dropped(DropReason::Unproven), stats.challenges), (50, 50));
    assert_eq!((stats.chunks, stats.incomplete), (0, 0));
    stop(server).await;
}
