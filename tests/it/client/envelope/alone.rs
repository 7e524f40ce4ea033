//! Clients in envelopes whose peer is no server, so that it can do what servers do not.

use super::*;

//
#[tokio::test(start_paused = true)]
async fn of_several_packets_the_last_one_is_sent_again() {
    let (client, peer) = alone(enveloped()).await;
    client.send_all(["one", "two", "three"].map(text)).await.unwrap();
    for sent in ["one", "two", "three"] {
        assert_eq!(stamped_at(&peer).await, stamped(NONE, sent));
    }
    // The server asks for the token of each, with the same one.
    for _ in 0..3 {
        challenge(&peer, [1; 16]).await;
    }
    peer.send(b"\x11there").await;

    assert_eq!(heard(&client).await, "there");
    assert_eq!(stamped_at(&peer).await, stamped([1; 16], "three"));
    assert!(peer.hears_nothing().await);
    client.send_all(["four", "five"].map(text)).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped([1; 16], "four"));
    assert_eq!(stamped_at(&peer).await, stamped([1; 16], "five"));
    assert_eq!((client.stats().sent, client.stats().challenges), (6, 3));
}

//
#[tokio::test(start_paused = true)]
async fn a_challenge_behind_a_packet_is_found_when_the_packet_was_taken() {
    let (client, peer) = alone(enveloped()).await;
    client.send(text("hello")).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped(NONE, "hello"));
    peer.send(b"\x11there").await;
    challenge(&peer, [1; 16]).await;
    // Until then it waits.
    client.send(text("again")).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped(NONE, "again"));
    assert_eq!(heard(&client).await, "there");

    client.send_all([text("once more")]).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped([1; 16], "again"));
    assert_eq!(stamped_at(&peer).await, stamped([1; 16], "once more"));
    assert_eq!((client.stats().challenges, client.stats().received), (1, 1));
}

//
#[tokio::test(start_paused = true)]
async fn a_flood_of_forged_challenges_sends_a_datagram_again_twice() {
    let (client, peer) = alone(enveloped()).await;
    client.send(text("hello")).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped(NONE, "hello"));

    for n in 1..=100_u128 {
        challenge(&peer, n.to_be_bytes()).await;
    }
    assert!(client.try_recv().is_none());
    let nothing = client.recv_timeout(Duration::from_millis(50)).await;
    assert!(matches!(nothing, Err(ClientRecvError::TimedOut)), "{nothing:?}");
    for n in 1..=2_u128 {
        assert_eq!(stamped_at(&peer).await, stamped(n.to_be_bytes(), "hello"));
    }
    assert!(peer.hears_nothing().await);
    peer.send(b"\x11there").await;

    assert_eq!(heard(&client).await, "there");
    let stats = client.stats();
    assert_eq!((stats.challenges, stats.sent, stats.received), (100, 3, 1));
    client.send(text("again")).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped(100_u128.to_be_bytes(), "again"));
}

//
#[tokio::test(start_paused = true)]
async fn what_was_sent_long_ago_is_not_sent_again() {
    let (client, peer) = alone(enveloped()).await;
    client.send(text("hello")).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped(NONE, "hello"));

    advance(Duration::from_secs(29)).await;
    challenge(&peer, [1; 16]).await;
    assert!(client.try_recv().is_none());
    assert_eq!(stamped_at(&peer).await, stamped([1; 16], "hello"));
    advance(Duration::from_secs(1)).await;
    challenge(&peer, [2; 16]).await;
    assert!(client.try_recv().is_none());
    assert!(peer.hears_nothing().await);
    assert_eq!(client.stats().challenges, 2);
}

// A-39, C-3
#[tokio::test]
async fn challenges_of_strangers_are_ignored() {
    for ip in ["127.0.0.1", "::1"] {
        let [stranger, peer, socket] = [(); 3].map(|()| UdpSocket::bind((ip, 0)).unwrap());
        let to = socket.local_addr().unwrap();
        let forged = [&[0x12][..], &[0xbb; 16]].concat();
        stranger.send_to(&forged, to).unwrap();
        socket.connect(peer.local_addr().unwrap()).unwrap();
        let client = enveloped().connect(socket).await.unwrap();
        client.send(text("hello")).await.unwrap();
        stranger.send_to(&forged, to).unwrap();
        peer.send_to(b"\x11there", to).unwrap();

        assert_eq!(heard(&client).await, "there");
        client.send(text("again")).await.unwrap();
        for sent in ["hello", "again"] {
            let mut datagram = [0; 100];
            let len = peer.recv(&mut datagram).unwrap();
            assert_eq!(datagram[..len], [&[0x10][..], &NONE, sent.as_bytes()].concat());
        }
        assert_eq!((client.stats().challenges, client.stats().sent), (0, 2));
    }
}

//
#[tokio::test(start_paused = true)]
async fn what_is_in_no_envelope_is_a_decode_error() {
    let (client, peer) = alone(enveloped()).await;
    for datagram in [&b"hi"[..], &[0x10; 40], &[0x12; 16], &[0x12; 18], &[0x13; 17], b""] {
        peer.send(datagram).await;
        let error = within_deadline(client.recv()).await.unwrap_err();
        assert!(matches!(error, ClientRecvError::Decode(_)), "{error:?}");
    }
    peer.send(b"\x11there").await;

    assert_eq!(heard(&client).await, "there");
    let stats = client.stats();
    assert_eq!((stats.received, stats.decode_errors, stats.challenges), (7, 6, 0));
}

//
#[tokio::test(start_paused = true)]
async fn the_envelope_takes_17_bytes() {
    let (client, peer) = alone(enveloped()).await;
    // A datagram over IPv4 has up to 65,507 bytes.
    let longest = 65_507 - 17;

    client.send("x".repeat(longest)).await.unwrap();
    assert_eq!(peer.recv().await.len(), 65_507);
    client.send_all(["x".repeat(longest)]).await.unwrap();
    assert_eq!(peer.recv().await.len(), 65_507);

    let too_long = "x".repeat(longest + 1);
    for error in [client.send(&too_long).await, client.send_all([&too_long]).await] {
        assert!(
            matches!(error, Err(ClientSendError::TooLarge { len: 65_491, max: 65_490, .. })),
            "{error:?}"
        );
    }
    let error = client.exchange(too_long).await;
    assert!(
        matches!(error, Err(ClientExchangeError::TooLarge { len: 65_491, max: 65_490, .. })),
        "{error:?}"
    );
    assert!(peer.hears_nothing().await);
}

//
#[tokio::test(start_paused = true)]
async fn a_client_of_short_datagrams_receives_challenges() {
    let (client, peer) = alone(enveloped().max_datagram_size(3)).await;
    client.send(text("hello")).await.unwrap();
    assert_eq!(stamped_at(&peer).await, stamped(NONE, "hello"));
    challenge(&peer, [1; 16]).await;
    peer.send([&[0x11][..], &[b'x'; 16]].concat()).await;
    peer.send([&[0x11][..], &[b'x'; 17]].concat()).await;

    assert_eq!(heard(&client).await, "x".repeat(16));
    let too_long = within_deadline(client.recv()).await;
    assert!(matches!(too_long, Err(ClientRecvError::TooLarge { max: 17, .. })), "{too_long:?}");
    assert_eq!(stamped_at(&peer).await, stamped([1; 16], "hello"));
}

//
#[tokio::test(start_paused = true)]
async fn a_challenge_is_no_attempt_of_an_exchange_and_gives_no_sample() {
    let (client, peer) = alone(enveloped()).await;
    let answering = async {
        assert_eq!(stamped_at(&peer).await, stamped(NONE, "one"));
        challenge(&peer, [1; 16]).await;
        assert_eq!(stamped_at(&peer).await, stamped([1; 16], "one"));
        peer.send(b"\x11first").await;
    };
    let began = Instant::now();
    let (answer, ()) = tokio::join!(client.exchange(text("one")), answering);
    assert_eq!(answer.unwrap(), "first");
    assert!(began.elapsed() < Duration::from_millis(100));

    // With a sample, the timer would be 200 ms. Each attempt has the newest token.
    let answering = async {
        let began = Instant::now();
        assert_eq!(stamped_at(&peer).await, stamped([1; 16], "two"));
        assert_eq!(stamped_at(&peer).await, stamped([1; 16], "two"));
        assert!(began.elapsed() >= Duration::from_millis(900));
        challenge(&peer, [2; 16]).await;
        assert_eq!(stamped_at(&peer).await, stamped([2; 16], "two"));
        assert!(began.elapsed() < Duration::from_millis(1_200));
        // A challenge moves no timer.
        assert_eq!(stamped_at(&peer).await, stamped([2; 16], "two"));
        assert!(began.elapsed() >= Duration::from_millis(2_700));
        peer.send(b"\x11second").await;
    };
    let (answer, ()) = tokio::join!(client.exchange(text("two")), answering);
    assert_eq!(answer.unwrap(), "second");
}

//
#[tokio::test(start_paused = true)]
async fn without_a_challenge_an_exchange_gives_a_sample() {
    let (client, peer) = alone(enveloped()).await;
    let answering = async {
        stamped_at(&peer).await;
        peer.send(b"\x11first").await;
    };
    let (answer, ()) = tokio::join!(client.exchange(text("one")), answering);
    assert_eq!(answer.unwrap(), "first");

    let answering = async {
        let began = Instant::now();
        stamped_at(&peer).await;
        stamped_at(&peer).await;
        assert!(began.elapsed() < Duration::from_millis(300));
        peer.send(b"\x11second").await;
    };
    let (answer, ()) = tokio::join!(client.exchange(text("two")), answering);
    assert_eq!(answer.unwrap(), "second");
}
