//! How exchanges of a handler end.

use std::{error::Error, fmt, io};

use datagrammar::{BoxError, PeerExchangeError, Repeat, Server, TextLine};
use tracing::Level;

use super::*;
use crate::{
    log::Log,
    support::{Gate, conversing, everywhere, until},
};

everywhere! {
    //
    async fn an_answer_ends_the_repetitions(net) {
        let server = net
            .serve_text(conversing!(|peer| {
                let repeat = Repeat::default().initial_timeout(ms(50)).min_timeout(ms(50));
                let mut packet = peer.recv().await?;
                for n in 0..3 {
                    packet = peer.exchange_with(format!("{n} {packet}"), &repeat).await?;
                }
                Ok(peer.send(text("end")).await?)
            }))
            .await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("hello").await;
        // The first two are lost.
        for _ in 0..3 {
            assert_eq!(peer.recv_text().await, "0 hello");
        }
        let mut last = text("0 hello");
        for (answer, next) in [("a", "1 a"), ("b", "2 b"), ("c", "end")] {
            peer.send(answer).await;
            let mut datagram = peer.recv_text().await;
            while datagram == last {
                datagram = peer.recv_text().await;
            }
            assert_eq!(datagram, next);
            last = datagram;
        }

        finished(server).await;
    }

    //
    async fn a_shutdown_ends_a_request_at_once_and_the_handler_can_say_goodbye(net) {
        let server = net
            .serve_text(conversing!(|peer| {
                peer.recv().await?;
                for _ in 0..2 {
                    let error = peer.exchange(text("well?")).await.unwrap_err();
                    assert!(matches!(error, PeerExchangeError::Closed), "{error:?}");
                }
                Ok(peer.send(text("goodbye")).await?)
            }))
            .await;
        let peer = net.peer_of(&server.handle).await;
        let stats = server.handle.clone();

        assert_eq!(peer.ask("hello").await, "well?");
        server.stop().await;

        assert_eq!(peer.recv_text().await, "goodbye");
        assert_eq!((stats.stats().failed, stats.stats().panicked), (0, 0));
    }

    //
    async fn dropping_a_request_stops_it_and_loses_no_packet(net) {
        let (gate, sent) = (Gate::closed(), Gate::closed());
        let server = net
            .serve_text(conversing!([gate, sent] |peer| {
                peer.recv().await?;
                {
                    let repeat = Repeat::default().initial_timeout(ms(20));
                    let exchange = peer.exchange_with(text("well?"), &repeat);
                    tokio::select! {
                        biased;
                        answer = exchange => panic!("{answer:?}"),
                        () = gate.pass() => {}
                    }
                }
                peer.send(text("dropped")).await?;
                sent.pass().await;
                assert_eq!(peer.recv().await?, "one");
                assert_eq!(peer.exchange(text("next")).await?, "two");
                peer.send(text("end")).await?;
                Ok(())
            }))
            .await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("hello").await, "well?");
        gate.open();
        while peer.recv_text().await == "well?" {}
        peer.send("one").await;
        peer.send("two").await;
        sent.open();

        assert_eq!(peer.recv_text().await, "next");
        assert_eq!(peer.recv_text().await, "end");
        assert!(peer.hears_nothing().await);
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_datagram_that_does_not_decode_does_not_end_the_exchange() {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        peer.recv().await?;
        let mut exchange = peer.begin_exchange(text("well?"), &Repeat::default())?;
        let error = exchange.next().await.unwrap_err();
        assert!(matches!(error, PeerExchangeError::Decode(_)), "{error:?}");
        assert_eq!(exchange.next().await?, "yes");
        drop(exchange);
        let error = peer.exchange(text("again?")).await.unwrap_err();
        assert!(matches!(error, PeerExchangeError::Decode(_)), "{error:?}");
        assert_eq!(peer.undecoded(), Some(&b"\xe9"[..]));
        assert_eq!(peer.exchange(text("again?")).await?, "yes, again");
        Ok(())
    });
    let server = net.serve(Server::builder(TextLine::new(), handler)).await;
    let peer = net.peer_of(&server.handle).await;
    let began = Instant::now();

    peer.send("hello").await;
    times(&peer, began, "well?", 1).await;
    tokio::time::sleep(ms(900)).await;
    peer.send(b"\xe9").await;
    // The timer goes on.
    assert_near(&times(&peer, began, "well?", 2).await, &[1.0, 3.0]);
    peer.send("yes").await;
    times(&peer, began, "again?", 1).await;
    peer.send(b"\xe9").await;
    times(&peer, began, "again?", 1).await;
    // The packet before is still the last one that decoded.
    peer.send("yes").await;
    peer.send("yes, again").await;
    finished(server).await;
}

#[derive(Debug)]
struct Transparent(PeerExchangeError);

impl fmt::Display for Transparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Transparent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

// Q-12, H-8, H-19, G-12
#[tokio::test(start_paused = true)]
async fn returned_errors_are_treated_as_those_of_recv() {
    let wraps: [fn(PeerExchangeError) -> BoxError; 3] = [
        |error| error.into(),
        |error| Transparent(error).into(),
        |error| io::Error::other(error).into(),
    ];
    for wrap in wraps {
        let (net, log) = (Net::memory(), Log::capture());
        let handler = conversing!(|peer| {
            peer.recv().await?;
            peer.exchange(text("well?")).await.map_err(wrap)?;
            Ok(())
        });
        let server = net.serve(Server::builder(TextLine::new(), handler)).await;
        let handle = server.handle.clone();

        // One peer is silent, one sends what is no packet, and one waits when serving ends.
        let [silent, junk, last] = [(); 3].map(|()| net.peer_of(&handle));
        assert_eq!(silent.await.ask("hello").await, "well?");
        tokio::time::sleep(31 * SECOND).await;
        let junk = junk.await;
        assert_eq!(junk.ask("hello").await, "well?");
        junk.send(b"\xe9").await;
        until(|| handle.stats().decode_errors == 1).await;
        assert_eq!(last.await.ask("hello").await, "well?");
        server.stop().await;

        let stats = handle.stats();
        assert_eq!((stats.failed, stats.panicked, stats.idle_timeouts), (0, 0, 1));
        assert!(log.alarms().is_empty(), "{:?}", log.alarms());
        let refused =
            log.at(Level::DEBUG).into_iter().filter(|told| told.fields.contains_key("peer"));
        assert_eq!(refused.count(), 1);
    }
}

// Q-12, S-5, S-6
#[tokio::test(start_paused = true)]
async fn a_packet_that_cannot_be_sent_ends_its_request_only() {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        peer.recv().await?;
        let error = peer.exchange("x".repeat(65_508)).await.unwrap_err();
        assert!(
            matches!(error, PeerExchangeError::TooLarge { len: 65_508, max: 65_507, .. }),
            "{error:?}"
        );
        let error = peer.exchange(text("é")).await.unwrap_err();
        assert!(matches!(error, PeerExchangeError::Encode(_)), "{error:?}");
        peer.exchange(text("well?")).await?;
        Ok(())
    });
    let server = net.serve(Server::builder(TextLine::new(), handler)).await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("hello").await, "well?");

    peer.send("yes").await;
    finished(server).await;
}

// Q-12, U-8
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_unix_peer_that_has_gone_ends_a_request() {
    let net = Net::Unix;
    let server = net
        .serve_text(conversing!(|peer| {
            peer.recv().await?;
            let repeat = Repeat::default().initial_timeout(ms(20));
            let error = peer.exchange_with(text("well?"), &repeat).await.unwrap_err();
            let PeerExchangeError::Io(error) = error else { panic!("{error:?}") };
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("hello").await, "well?");
    drop(peer);

    finished(server).await;
}

// Q-12, D-1: the opening packet is the next one for a handler that has not received it
#[tokio::test(start_paused = true)]
async fn a_request_before_the_first_recv_returns_the_opening_packet() {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        assert_eq!(peer.exchange(text("1")).await?, "2");
        Ok(())
    });
    let server = net.serve_text(handler).await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("2").await, "1");

    finished(server).await;
    assert!(peer.hears_nothing().await);
}
