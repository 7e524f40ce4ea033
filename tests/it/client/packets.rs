//! The packets that come, as a stream.

use std::{io::ErrorKind, pin::pin, time::Duration};

use datagrammar::RecvError;
use futures_util::StreamExt;
use tokio::time::{Instant, sleep};

use super::{client, waits};
use crate::support::{Net, everywhere, within_deadline};

everywhere! {
    // C-11
    async fn all_packets_come_until_the_client_is_closed(net) {
        let (client, peer) = client(&net);
        for n in 0..10 {
            peer.send(n.to_string()).await;
        }
        let mut packets = client.packets();

        for n in 0..10 {
            assert_eq!(within_deadline(packets.next()).await.unwrap().unwrap(), n.to_string());
        }
        waits(pin!(packets.next())).await;
        client.close();
        assert!(within_deadline(packets.next()).await.is_none());
        assert!(packets.next().await.is_none());
    }

    // C-11
    async fn closing_ends_a_stream_that_waits(net) {
        let (client, peer) = client(&net);
        let same = client.clone();
        let collecting = tokio::spawn(async move {
            let packets: Vec<_> = StreamExt::collect(same.packets()).await;
            packets.into_iter().map(Result::unwrap).collect::<Vec<_>>()
        });
        peer.send("one").await;
        peer.send("two").await;
        tokio::task::yield_now().await;
        // What has arrived may be closed away, but nothing may come out of order.
        client.close();

        let collected = within_deadline(collecting).await.unwrap();

        assert!(["one", "two"].starts_with(&collected.iter().map(String::as_str).collect::<Vec<_>>()));
    }

    // C-11
    async fn a_limit_of_zero_yields_what_is_there(net) {
        let (client, peer) = client(&net);
        for n in 0..100 {
            peer.send(n.to_string()).await;
        }

        let packets: Vec<_> = StreamExt::collect(client.packets().within(Duration::ZERO)).await;

        let packets: Vec<_> = packets.into_iter().map(Result::unwrap).collect();
        assert_eq!(packets, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
        peer.send("later").await;
        let mut packets = client.packets().within(Duration::ZERO);
        assert_eq!(packets.next().await.unwrap().unwrap(), "later");
        assert!(packets.next().await.is_none());
    }

    // C-12
    async fn a_decode_error_is_an_item_like_others(net) {
        let (client, peer) = client(&net);
        for datagram in [&b"good"[..], b"\xe9", b"good again"] {
            peer.send(datagram).await;
        }
        let mut packets = client.packets();

        assert_eq!(within_deadline(packets.next()).await.unwrap().unwrap(), "good");
        let bad = within_deadline(packets.next()).await;
        assert!(matches!(bad, Some(Err(RecvError::Decode(_)))), "{bad:?}");
        assert_eq!(within_deadline(packets.next()).await.unwrap().unwrap(), "good again");
    }
}

// C-11
#[tokio::test(start_paused = true)]
async fn a_limit_counts_also_for_what_is_waited_for_already() {
    let (client, _peer) = client(&Net::memory());
    let mut packets = client.packets();
    waits(pin!(StreamExt::next(&mut packets))).await;

    let mut packets = packets.within(Duration::from_secs(1));

    assert!(within_deadline(StreamExt::next(&mut packets)).await.is_none());
}

// C-12
#[tokio::test(start_paused = true)]
async fn an_error_of_the_socket_is_an_item_like_others() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, peer) = client(&net);
    network.fail_recv(client.local_addr().clone(), ErrorKind::OutOfMemory, 2);
    peer.send("good").await;

    let items: Vec<_> = StreamExt::collect(client.packets().within(Duration::from_secs(1))).await;

    let [Err(RecvError::Io(_)), Err(RecvError::Io(_)), Ok(good)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(good, "good");
}

// C-11
#[tokio::test(start_paused = true)]
async fn a_limit_of_time_yields_what_comes_and_ends() {
    let (client, peer) = client(&Net::memory());
    tokio::spawn(async move {
        for n in 0.. {
            peer.send(n.to_string()).await;
            sleep(Duration::from_millis(300)).await;
        }
    });
    let start = Instant::now();

    let packets: Vec<_> = StreamExt::collect(client.packets().within(Duration::from_secs(1))).await;

    let packets: Vec<_> = packets.into_iter().map(Result::unwrap).collect();
    assert_eq!(packets, ["0", "1", "2", "3"]);
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

// C-11
#[tokio::test(start_paused = true)]
async fn a_limit_without_end_is_none() {
    let (client, peer) = client(&Net::memory());
    let mut packets = client.packets().within(Duration::MAX);
    tokio::spawn(async move {
        sleep(Duration::from_secs(1_000_000)).await;
        peer.send("late").await;
    });

    assert_eq!(packets.next().await.unwrap().unwrap(), "late");
}

// C-11
#[tokio::test(start_paused = true)]
async fn a_limit_of_time_ends_also_what_comes_faster_than_it_is_taken() {
    let (client, peer) = client(&Net::memory());
    tokio::spawn(async move {
        loop {
            peer.send("again").await;
            sleep(Duration::from_millis(1)).await;
        }
    });
    let slow = async {
        let mut packets = client.packets().within(Duration::from_secs(1));
        while packets.next().await.is_some() {
            sleep(Duration::from_millis(2)).await;
        }
    };

    assert!(tokio::time::timeout(Duration::from_secs(60), slow).await.is_ok());
}
