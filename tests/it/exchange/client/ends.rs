//! How exchanges of a client end.

use std::pin::pin;
#[cfg(target_os = "linux")]
use std::{io::ErrorKind, net::UdpSocket};

use datagrammar::Raw;
#[cfg(target_os = "linux")]
use datagrammar::{Server, Unix};

use super::*;
#[cfg(target_os = "linux")]
use crate::support::{BindNow, client_on, temporary_path};

everywhere! {
    //
    async fn an_answer_ends_the_repetitions(net) {
        let (client, peer) = client(&net);

        let answers = both(
            async {
                let mut answers = Vec::new();
                for packet in ["1", "2", "3"] {
                    answers.push(client.exchange_with(text(packet), &soon()).await.unwrap());
                }
                answers
            },
            async {
                // The first two are lost.
                for _ in 0..3 {
                    assert_eq!(peer.recv_text().await, "1");
                }
                let mut last = text("1");
                for (answer, next) in [("a", "2"), ("b", "3")] {
                    peer.send(answer).await;
                    let mut datagram = peer.recv_text().await;
                    while datagram == last {
                        datagram = peer.recv_text().await;
                    }
                    assert_eq!(datagram, next);
                    last = datagram;
                }
                peer.send("c").await;
            },
        ).await;

        assert_eq!(answers, ["a", "b", "c"]);
    }

    //
    async fn dropping_an_exchange_stops_it_and_loses_no_packet(net) {
        let (client, peer) = client(&net);
        {
            let mut exchange = pin!(client.exchange_with(text("well?"), &soon()));
            until_sent(exchange.as_mut(), &peer, "well?").await;
        }

        // Perhaps it was repeated before that.
        while !peer.hears_nothing().await {}
        peer.send("one").await;
        peer.send("two").await;
        tokio::time::sleep(ms(60)).await;

        assert!(peer.hears_nothing().await);
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "one");
        let answer = within_deadline(client.exchange(text("next"))).await;
        assert_eq!(answer.unwrap(), "two");
        assert_eq!(peer.recv_text().await, "next");
    }

    // Q-15, C-9
    async fn closing_the_client_ends_exchanges_at_once(net) {
        let (client, peer) = client(&net);
        let mut running = pin!(client.exchange(text("well?")));
        until_sent(running.as_mut(), &peer, "well?").await;
        let mut waiting = pin!(client.exchange(text("my turn?")));
        waits(waiting.as_mut()).await;

        client.close();

        // The one that waits first: the end of the other one would give it its turn.
        for exchange in [within_deadline(waiting).await, within_deadline(running).await] {
            assert!(matches!(exchange, Err(ClientExchangeError::Closed)), "{exchange:?}");
        }
        let later = client.exchange(text("too late")).await;
        assert!(matches!(later, Err(ClientExchangeError::Closed)), "{later:?}");
        assert!(peer.hears_nothing().await);
    }

    // Q-15, C-22
    async fn the_datagrams_of_an_exchange_are_counted(net) {
        let (client, peer) = client(&net);

        let answer = both(client.exchange_with(text("well?"), &soon()), async {
            times(&peer, Instant::now(), "well?", 2).await;
            peer.send("yes").await;
        });

        assert_eq!(answer.await.unwrap(), "yes");
        assert!(client.stats().sent >= 2);
        assert_eq!(client.stats().received, 1);
    }
}

// Q-15, C-4
#[tokio::test(start_paused = true)]
async fn a_datagram_that_is_no_packet_does_not_end_the_exchange() {
    let (client, peer) = client_of(&Net::memory(), TextLine::new());
    let began = Instant::now();
    let mut exchange = client.begin_exchange(text("well?"), &Repeat::default()).unwrap();

    let error = both(exchange.next(), async {
        times(&peer, began, "well?", 1).await;
        tokio::time::sleep(ms(900)).await;
        peer.send(b"\xe9").await;
    });
    let error = error.await.unwrap_err();
    assert!(matches!(error, ClientExchangeError::Decode(_)), "{error:?}");

    // The timer goes on.
    let answer = both(exchange.next(), async {
        assert_near(&times(&peer, began, "well?", 2).await, &[1.0, 3.0]);
        peer.send("yes").await;
    });
    assert_eq!(answer.await.unwrap(), "yes");
    drop(exchange);

    // The packet before is still the last one that decoded.
    let mut exchange = client.begin_exchange(text("again?"), &Repeat::default()).unwrap();
    peer.send(b"\xe9").await;
    peer.send("yes").await;
    peer.send("yes, again").await;
    let error = exchange.next().await.unwrap_err();
    assert!(matches!(error, ClientExchangeError::Decode(_)), "{error:?}");
    assert_eq!(exchange.next().await.unwrap(), "yes, again");
}

//
#[tokio::test(start_paused = true)]
async fn a_datagram_that_is_too_long_does_not_end_the_exchange() {
    let Net::Memory(network) = Net::memory() else { unreachable!() };
    let [one, other] = ["10.0.0.1:1", "10.0.0.2:2"];
    let builder = Client::builder(Text).max_datagram_size(3);
    let client = builder.connect(network.connect(one, other).unwrap()).await.unwrap();
    let peer = Bytes(Client::connect(network.connect(other, one).unwrap(), Raw).await.unwrap());
    let mut exchange = client.begin_exchange(text("well?"), &Repeat::default()).unwrap();

    peer.send("too long").await;
    peer.send("yes").await;

    let error = exchange.next().await.unwrap_err();
    assert!(matches!(error, ClientExchangeError::ReceivedTooLarge { max: 3, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the datagram is longer than the limit of 3 bytes");
    assert_eq!(exchange.next().await.unwrap(), "yes");
}

// Q-15, S-5, S-6
#[tokio::test(start_paused = true)]
async fn a_packet_that_cannot_be_sent_ends_its_exchange_only() {
    let (client, peer) = client_of(&Net::memory(), TextLine::new());

    let error = client.exchange("x".repeat(65_508)).await.unwrap_err();
    assert!(
        matches!(error, ClientExchangeError::TooLarge { len: 65_508, max: 65_507, .. }),
        "{error:?}"
    );
    let error = client.exchange(text("é")).await.unwrap_err();
    assert!(matches!(error, ClientExchangeError::Encode(_)), "{error:?}");

    let answer = both(client.exchange(text("well?")), async {
        assert_eq!(peer.recv_text().await, "well?");
        peer.send("yes").await;
    });
    assert_eq!(answer.await.unwrap(), "yes");
}

// Q-15, C-7
#[cfg(target_os = "linux")]
#[tokio::test]
async fn refused_datagrams_count_as_lost() {
    for ip in ["127.0.0.1", "::1"] {
        let port = UdpSocket::bind((ip, 0)).unwrap();
        let at = port.local_addr().unwrap();
        let client = Client::connect(at, Text).await.unwrap();
        let to = client.local_addr().socket_addr().unwrap();
        let switch = port.try_clone().unwrap();
        switch.connect(to).unwrap();
        let peer = Bytes(client_on(port, Raw).unwrap());
        // The socket is connected to itself, so the kernel refuses datagrams of others.
        switch.connect(at).unwrap();

        let error = client.exchange_with(text("well?"), &soon().max_attempts(3)).await.unwrap_err();
        let ClientExchangeError::Unreachable(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(client.stats().send_errors, 3);

        let answer = both(client.exchange_with(text("well?"), &soon()), async {
            until(|| client.stats().send_errors >= 5).await;
            switch.connect(to).unwrap();
            assert_eq!(peer.recv_text().await, "well?");
            peer.send("yes").await;
        });
        assert_eq!(answer.await.unwrap(), "yes");

        // If one datagram was not refused, the peer may have it.
        let error = both(client.exchange_with(text("well?"), &soon().max_attempts(5)), async {
            while peer.recv_text().await != "well?" {}
            switch.connect(at).unwrap();
        });
        let error = error.await.unwrap_err();
        assert!(matches!(error, ClientExchangeError::TimedOut { attempts: 5, .. }), "{error:?}");
    }
}

// Q-15, U-8, C-6
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_exchange_survives_the_restart_of_a_unix_server() {
    let path = temporary_path();
    let serve = async || {
        let server = Server::builder(Text, async |text: String| text);
        Running::start(server.bind_now(Unix::new(&path)).unwrap()).await
    };
    let server = serve().await;
    let client = Client::connect(Unix::new(&path), Text).await.unwrap();
    assert_eq!(client.exchange(text("one")).await.unwrap(), "one");
    server.stop().await;

    let (answer, server) = within_deadline(async {
        tokio::join!(client.exchange_with(text("two"), &soon()), async {
            until(|| client.stats().send_errors >= 2).await;
            serve().await
        })
    })
    .await;

    assert_eq!(answer.unwrap(), "two");
    server.stop().await;
}
