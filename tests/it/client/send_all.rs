//! Many packets at once, out and in.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use datagrammar::{Client, ClientSendError, Limits, Text, Udp};
use tokio::task::JoinSet;

use super::{client, client_of, waits};
use crate::{
    clients::Fragile,
    support::{Net, everywhere, within_deadline},
};

/// Texts of different lengths, in runs of equal length that GSO and GRO can merge.
fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:0width$}", width = 4 + n / 7 % 5)).collect()
}

everywhere! {
    // C-1, S-4, S-12
    async fn packets_that_are_sent_together_arrive_as_they_are_and_in_order(net) {
        let (client, peer) = client(&net);

        for count in [0, 1, 2, 64, 65, 150] {
            client.send_all(&texts(count)).await.unwrap();

            for expected in texts(count) {
                assert_eq!(peer.recv_text().await, expected);
            }
            assert!(peer.hears_nothing().await);
        }
    }

    // D-17, S-12
    async fn segments_come_back_from_a_server_unchanged(net) {
        // A worker on a dedicated thread is faster than the handlers, so the queue must be long.
        let limits = Limits::default().max_queue_len(1_000);
        let server = net.serve_text_within(limits, async |text: String| text).await;
        let client = net.peer_of(&server.handle).await;

        for round in 0..5 {
            let sent = texts(100 + round);
            client.send_all(sent.clone()).await;
            for expected in sent {
                assert_eq!(client.recv_text().await, expected);
            }
        }
        server.stop().await;
    }

    // C-6, S-5, S-6
    async fn packets_before_a_failing_packet_are_sent_and_the_rest_is_not(net) {
        let (client, peer) = client_of(&net, Fragile);
        let long = "x".repeat(10_000_000);

        let refused = client.send_all(["a", "b", "error", "c"].map(str::to_owned)).await;
        assert!(matches!(refused, Err(ClientSendError::Encode(_))));
        let refused = client.send_all(["d", &long, "e"].map(str::to_owned)).await;
        assert!(matches!(refused, Err(ClientSendError::TooLarge { len: 10_000_000, .. })));
        client.send_all(["f"].map(str::to_owned)).await.unwrap();

        for expected in ["a", "b", "d", "f"] {
            assert_eq!(peer.recv_text().await, expected);
        }
        assert!(peer.hears_nothing().await);
    }

    // C-4
    async fn a_panic_of_the_codec_or_of_the_iterator_leaves_the_client_usable(net) {
        let (client, peer) = client_of(&net, Fragile);
        let (codec, iterator) = (client.clone(), client.clone());

        let panicked = tokio::spawn(async move {
            codec.send_all(["a", "panic", "b"].map(str::to_owned)).await
        });
        assert!(panicked.await.unwrap_err().is_panic());
        let panicked = tokio::spawn(async move {
            iterator.send_all((0..100).map(|n| if n < 70 { "c".to_owned() } else { panic!("no more") })).await
        });
        assert!(panicked.await.unwrap_err().is_panic());
        client.send_all(["d", "e"].map(str::to_owned)).await.unwrap();

        // Packets that were encoded in the same call as the panic are not sent later.
        for _ in 0..64 {
            assert_eq!(peer.recv_text().await, "c");
        }
        assert_eq!(peer.recv_text().await, "d");
        assert_eq!(peer.recv_text().await, "e");
        assert!(peer.hears_nothing().await);
    }

    // C-10
    async fn packets_of_a_batch_that_one_task_leaves_wake_the_others(net) {
        let (client, peer) = client(&net);
        let heard = Arc::new(AtomicU32::new(0));
        let mut tasks = JoinSet::new();

        for round in 1..=50 {
            for _ in 0..8 {
                let (client, heard) = (client.clone(), Arc::clone(&heard));
                tasks.spawn(async move {
                    client.recv().await.unwrap();
                    heard.fetch_add(1, Relaxed);
                });
            }
            peer.send_all((0..8).map(|n| n.to_string())).await;

            while let Some(task) = within_deadline(tasks.join_next()).await {
                task.unwrap();
            }
            assert_eq!(heard.load(Relaxed), 8 * round);
        }
    }

    // C-8
    async fn a_closed_client_sends_nothing_and_discards_packets_that_have_arrived(net) {
        let (client, peer) = client(&net);
        peer.send_all((0..8).map(|n| n.to_string())).await;
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "0");

        client.close();

        assert!(matches!(client.send_all(&texts(2)).await, Err(ClientSendError::Closed)));
        assert!(client.recv().await.is_err_and(|error| error.to_string().contains("closed")));
        assert!(peer.hears_nothing().await);
    }
}

// C-6, S-10, S-11
#[tokio::test(start_paused = true)]
async fn without_room_the_rest_waits_and_is_dropped_with_the_future() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, peer) = client(&net);
    network.hold_sends(client.local_addr().clone(), true);

    let sent = texts(70);
    let mut sending = Box::pin(client.send_all(&sent));
    waits(sending.as_mut()).await;
    drop(sending);
    network.hold_sends(client.local_addr().clone(), false);
    client.send(&"next".to_owned()).await.unwrap();
    assert_eq!(peer.recv_text().await, "next");

    network.hold_sends(client.local_addr().clone(), true);
    let mut sending = pin!(client.send_all(&sent));
    waits(sending.as_mut()).await;
    network.hold_sends(client.local_addr().clone(), false);
    within_deadline(sending).await.unwrap();
    for expected in &sent {
        assert_eq!(peer.recv_text().await, *expected);
    }
}

// C-7
#[cfg(target_os = "linux")]
#[tokio::test]
async fn send_all_to_a_closed_port_is_refused() {
    for portable in [false, true] {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client =
            Client::builder(Text).connect(Udp::new(closed).batch_io(!portable)).await.unwrap();

        for _ in 0..3 {
            let refused = client.send_all(&texts(10)).await;
            let Err(ClientSendError::Io(error)) = refused else {
                panic!("a packet to a closed port was sent")
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            client.send_all(&texts(0)).await.unwrap();
        }
        assert!(matches!(
            client.recv_timeout(std::time::Duration::ZERO).await,
            Err(datagrammar::ClientRecvError::TimedOut)
        ));
    }
}
