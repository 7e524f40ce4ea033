//! What `recv` of a client returns.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    time::{Duration, Instant},
};

use datagrammar::{Client, ClientRecvError, Text, Udp, testing::Conditions};
use tokio::time::timeout;

use super::{client, client_of};
use crate::{
    clients::Fragile,
    support::{Net, everywhere, within_deadline},
};

fn timed_out(received: &Result<String, ClientRecvError>) -> bool {
    matches!(received, Err(ClientRecvError::TimedOut))
}

everywhere! {
    // C-22
    async fn sent_and_received_packets_and_decode_errors_are_counted(net) {
        let (client, peer) = client(&net);

        client.send("one".to_owned()).await.unwrap();
        client.send_all(["two", "three"].map(str::to_owned)).await.unwrap();
        peer.send("text").await;
        peer.send(b"\xe9").await;
        assert!(within_deadline(client.recv()).await.is_ok());
        assert!(within_deadline(client.recv()).await.is_err());
        client.close();

        assert_eq!(client.stats().to_string(), "sent: 3, received: 2, decode_errors: 1");
    }

    // C-20
    async fn try_recv_returns_at_once_with_or_without_a_packet(net) {
        let (client, peer) = client(&net);
        assert!(client.try_recv().is_none());

        peer.send("hello").await;
        peer.send(b"\xe9").await;
        // Both datagrams were sent on this host, so when the first is received, the second has arrived too.
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");

        let junk = client.try_recv();
        assert!(matches!(junk, Some(Err(ClientRecvError::Decode(_)))), "{junk:?}");
        assert!(client.try_recv().is_none());
        client.close();
        assert!(matches!(client.try_recv(), Some(Err(ClientRecvError::Closed))));
    }

    // C-4, R-2
    async fn a_datagram_that_is_not_a_packet_is_an_error_at_its_place(net) {
        let (client, peer) = client(&net);
        for datagram in [&b"good"[..], b"\xe9", b"good again"] {
            peer.send(datagram).await;
        }

        assert_eq!(within_deadline(client.recv()).await.unwrap(), "good");
        let bad = within_deadline(client.recv()).await;
        assert!(matches!(bad, Err(ClientRecvError::Decode(_))), "{bad:?}");
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "good again");
    }

    // C-4
    async fn a_panic_of_the_codec_reaches_the_caller_and_the_client_stays_usable(net) {
        let (client, peer) = client_of(&net, Fragile);
        let same = client.clone();
        peer.send("panic").await;
        peer.send("fine").await;

        let panicked = tokio::spawn(async move { same.recv().await }).await.unwrap_err();

        assert!(panicked.is_panic());
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "fine");
    }

    // C-4, D-11
    async fn a_zero_length_datagram_is_received_and_sent(net) {
        let (client, peer) = client(&net);

        peer.send("").await;
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "");
        client.send(&String::new()).await.unwrap();
        assert_eq!(peer.recv().await, b"");
        peer.send("").await;
        assert_eq!(client.recv_timeout(Duration::MAX).await.unwrap(), "");
    }

    // C-4, R-6
    async fn a_timeout_without_end_waits_for_the_packet(net) {
        for endless in [Duration::MAX, Duration::from_secs(u64::MAX >> 1), Duration::from_secs(1 << 40)] {
            let (client, peer) = client(&net);
            let waiting = tokio::spawn(async move { client.recv_timeout(endless).await });

            peer.send("at last").await;

            assert_eq!(within_deadline(waiting).await.unwrap().unwrap(), "at last");
        }
    }

    // C-4, R-9
    async fn a_packet_that_is_there_is_returned_with_a_timeout_of_zero(net) {
        let (client, peer) = client(&net);
        peer.send("first").await;
        peer.send("second").await;

        assert_eq!(client.recv_timeout(Duration::ZERO).await.unwrap(), "first");
        assert_eq!(client.recv_timeout(Duration::ZERO).await.unwrap(), "second");
        assert!(timed_out(&client.recv_timeout(Duration::ZERO).await));
    }

    // C-4, R-10
    async fn a_recv_that_is_dropped_loses_nothing(net) {
        let (client, peer) = client(&net);
        let sending = tokio::spawn(async move {
            for n in 0..100 {
                peer.send(n.to_string()).await;
                tokio::task::yield_now().await;
            }
            peer
        });

        let mut heard = Vec::new();
        within_deadline(async {
            while heard.len() < 100 {
                tokio::select! {
                    biased;
                    packet = client.recv() => heard.push(packet.unwrap()),
                    () = tokio::task::yield_now() => {}
                }
            }
        }).await;

        assert!(heard.iter().enumerate().all(|(n, packet)| *packet == n.to_string()), "{heard:?}");
        sending.await.unwrap();
    }

    // C-5
    async fn after_a_recv_timed_out_the_next_one_receives(net) {
        let (client, peer) = client(&net);

        assert!(timed_out(&client.recv_timeout(Duration::from_millis(1)).await));
        peer.send("late").await;

        assert_eq!(client.recv_timeout(Duration::from_secs(20)).await.unwrap(), "late");
    }
}

// C-5
#[tokio::test(start_paused = true)]
async fn recv_waits_without_a_limit() {
    let (client, peer) = client(&Net::memory());

    assert!(timeout(Duration::from_secs(365 * 24 * 3600), client.recv()).await.is_err());
    peer.send("at last").await;

    assert_eq!(client.recv().await.unwrap(), "at last");
}

// C-5
#[tokio::test(start_paused = true)]
async fn a_timeout_takes_as_long_as_requested() {
    let (client, _peer) = client(&Net::memory());
    let start = tokio::time::Instant::now();

    assert!(timed_out(&client.recv_timeout(Duration::from_secs(10)).await));

    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

// C-5
#[tokio::test]
async fn a_timeout_is_not_shorter_than_requested() {
    let (client, _peer) = client(&Net::Loopback("127.0.0.1"));
    let start = Instant::now();

    assert!(timed_out(&client.recv_timeout(Duration::from_millis(20)).await));

    assert!(start.elapsed() >= Duration::from_millis(20));
}

// C-4, R-12
#[tokio::test]
async fn a_datagram_beyond_the_limit_is_never_returned_as_a_whole_one() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = Client::builder(Text).max_datagram_size(4);
    let client = client.connect(peer.local_addr().unwrap()).await.unwrap();
    for datagram in ["1234", "12345", "123456789", "last"] {
        peer.send_to(datagram.as_bytes(), client.local_addr().socket_addr().unwrap()).unwrap();
    }

    assert_eq!(within_deadline(client.recv()).await.unwrap(), "1234");
    for _ in 0..2 {
        let long = within_deadline(client.recv()).await;
        assert!(matches!(long, Err(ClientRecvError::TooLarge { max: 4, .. })), "{long:?}");
    }
    assert_eq!((client.stats().received, client.stats().too_large), (3, 2));
    assert_eq!(client.recv_timeout(Duration::ZERO).await.unwrap(), "last");
}

// C-4, R-12
#[tokio::test]
async fn a_limit_above_the_longest_datagram_costs_nothing() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = Client::builder(Text).max_datagram_size(usize::MAX);
    let client = client.connect(peer.local_addr().unwrap()).await.unwrap();

    peer.send_to(&[b'x'; 65_507], client.local_addr().socket_addr().unwrap()).unwrap();

    assert_eq!(within_deadline(client.recv()).await.unwrap().len(), 65_507);
}

// C-6
#[tokio::test(start_paused = true)]
async fn recv_ignores_an_icmp_error() {
    for kind in [
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::Interrupted,
    ] {
        let net = Net::memory();
        let Net::Memory(network) = &net else { unreachable!() };
        let (client, peer) = client(&net);
        network.fail_recv(client.local_addr().clone(), kind, 3);
        peer.send("hello").await;

        assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello", "{kind}");
    }
}

// C-12
#[tokio::test(start_paused = true)]
async fn recv_returns_another_socket_error_and_the_client_stays_usable() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, peer) = client(&net);
    network.fail_recv(client.local_addr().clone(), ErrorKind::OutOfMemory, 1);
    peer.send("hello").await;

    let failed = within_deadline(client.recv()).await;

    assert!(
        matches!(failed, Err(ClientRecvError::Io(error)) if error.kind() == ErrorKind::OutOfMemory)
    );
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
}

// C-13
#[tokio::test(start_paused = true)]
async fn packets_that_are_not_received_are_lost_when_the_buffer_of_the_socket_is_full() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    network.set_conditions(Conditions::default().buffer(16));
    let (client, peer) = client(&net);

    for n in 0..100 {
        peer.send(n.to_string()).await;
        tokio::task::yield_now().await;
    }

    assert_eq!(network.lost(), 84);
    for n in 0..16 {
        assert_eq!(client.recv().await.unwrap(), n.to_string());
    }
    assert!(timed_out(&client.recv_timeout(Duration::ZERO).await));
}

// C-13
#[tokio::test]
async fn the_kernel_keeps_packets_that_are_not_received_until_its_buffer_is_full() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = Client::builder(Text);
    let client = client
        .connect(Udp::new(peer.local_addr().unwrap()).recv_buffer_size(10_000))
        .await
        .unwrap();

    for _ in 0..10_000 {
        peer.send_to(b"flood", client.local_addr().socket_addr().unwrap()).unwrap();
        tokio::task::yield_now().await;
    }

    let mut heard = 0;

    while client.recv_timeout(Duration::ZERO).await.is_ok() {
        heard += 1;
    }
    assert!((1..1_000).contains(&heard), "{heard} of 10,000 were kept");
}

// C-5
#[tokio::test(start_paused = true)]
async fn a_deadline_is_one_for_all_packets_that_come_before_it() {
    let (client, peer) = client(&Net::memory());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    peer.send("early").await;
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        peer.send("in time").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        peer.send("late").await;
    });

    assert_eq!(client.recv_deadline(deadline).await.unwrap(), "early");
    assert_eq!(client.recv_deadline(deadline).await.unwrap(), "in time");
    assert!(timed_out(&client.recv_deadline(deadline).await));

    assert_eq!(tokio::time::Instant::now(), deadline);
    assert_eq!(client.recv().await.unwrap(), "late");
    assert_eq!(client.recv_deadline(deadline).await.ok(), None);
}
