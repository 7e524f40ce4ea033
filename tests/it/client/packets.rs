//! Received packets as a stream.

use std::{io::ErrorKind, net::UdpSocket, pin::pin, time::Duration};

use datagrammar::{Client, ClientRecvError, DatagramProtocol, DecodeError, EncodeError, Text, Udp};
use futures_util::StreamExt;
use tokio::time::{Instant, sleep};

use super::{client, client_of, waits};
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
        // `close` may discard packets that have arrived, but the others must come in order.
        client.close();

        let collected = within_deadline(collecting).await.unwrap();

        assert!(["one", "two"].starts_with(&collected.iter().map(String::as_str).collect::<Vec<_>>()));
    }

    // C-11
    async fn a_time_limit_of_zero_yields_the_packets_that_have_arrived(net) {
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
        assert!(matches!(bad, Some(Err(ClientRecvError::Decode(_)))), "{bad:?}");
        assert_eq!(within_deadline(packets.next()).await.unwrap().unwrap(), "good again");
    }
}

// C-11
#[tokio::test(start_paused = true)]
async fn a_time_limit_also_applies_to_a_wait_that_has_begun() {
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

    let [Err(ClientRecvError::Io(_)), Err(ClientRecvError::Io(_)), Ok(good)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(good, "good");
}

// C-11
#[tokio::test(start_paused = true)]
async fn a_time_limit_yields_the_packets_that_come_and_ends() {
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
async fn an_endless_time_limit_is_no_limit() {
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
async fn a_time_limit_ends_a_stream_that_gets_packets_faster_than_they_are_taken() {
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

// C-10, C-11
#[tokio::test(start_paused = true)]
async fn an_unused_stream_withholds_no_packet_from_others() {
    for way in [0, 1] {
        let (client, peer) = client(&Net::memory());
        let mut idle = client.packets();
        match way {
            0 => waits(pin!(StreamExt::next(&mut idle))).await,
            _ => waits(pin!(idle.next())).await,
        }
        let mut others = [Box::pin(client.recv()), Box::pin(client.recv())];
        for other in &mut others {
            waits(other.as_mut()).await;
        }
        for packet in ["one", "two", "three"] {
            peer.send(packet).await;
        }

        // All packets were fetched together with the first one.
        assert_eq!(client.recv_timeout(Duration::ZERO).await.unwrap(), "one");
        for (other, packet) in others.into_iter().zip(["two", "three"]) {
            assert_eq!(within_deadline(other).await.unwrap(), packet);
        }
    }
}

// C-11
#[tokio::test(start_paused = true)]
async fn next_and_stream_next_return_the_same_sequence() {
    let (client, peer) = client(&Net::memory());
    let mut packets = client.packets();

    waits(pin!(StreamExt::next(&mut packets))).await;
    waits(pin!(packets.next())).await;
    waits(pin!(StreamExt::next(&mut packets))).await;
    for n in 0..4 {
        peer.send(n.to_string()).await;
    }

    assert_eq!(packets.next().await.unwrap().unwrap(), "0");
    assert_eq!(StreamExt::next(&mut packets).await.unwrap().unwrap(), "1");
    assert_eq!(packets.next().await.unwrap().unwrap(), "2");
    assert_eq!(StreamExt::next(&mut packets).await.unwrap().unwrap(), "3");
    waits(pin!(packets.next())).await;
}

// C-8, C-17
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stream_whose_next_was_dropped_keeps_no_socket_open() {
    let local = "127.0.0.37:0";
    let client = Client::connect(Udp::new("127.0.0.1:9").local_addr(local), Text).await.unwrap();
    let addr = client.local_addr().socket_addr().unwrap();
    let mut packets = client.packets();
    waits(pin!(packets.next())).await;

    client.close();

    assert!(UdpSocket::bind(addr).is_ok());
    assert!(packets.next().await.is_none());
}

// C-11
#[tokio::test]
async fn the_protocol_of_a_stream_need_not_be_sync() {
    /// Text, with a field that threads cannot share.
    #[derive(Debug, Default)]
    struct Local(std::cell::Cell<usize>);

    impl DatagramProtocol for Local {
        type Incoming = std::rc::Rc<str>;
        type Outgoing = String;

        fn decode(&self, datagram: &[u8]) -> Result<std::rc::Rc<str>, DecodeError> {
            self.0.set(self.0.get() + 1);
            Ok(Text.decode(datagram)?.into())
        }

        fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
            Text.encode(packet, datagram)
        }
    }

    let (client, peer) = client_of(&Net::Loopback("127.0.0.1"), Local::default());
    let mut packets = client.packets();
    waits(pin!(packets.next())).await;
    for n in 0..2 {
        peer.send(n.to_string()).await;
    }

    assert_eq!(&*within_deadline(packets.next()).await.unwrap().unwrap(), "0");
    assert_eq!(&*within_deadline(StreamExt::next(&mut packets)).await.unwrap().unwrap(), "1");
}
