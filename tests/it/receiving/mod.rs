//! What `recv` returns: section R.

mod aside;
mod beside;
mod cancellation;
mod hostile;
mod in_time;
mod several;
mod timeouts;
mod traffic_class;

use std::{convert::Infallible, error::Error, num::ParseIntError, str::Utf8Error, time::Duration};

use datagrammar::{
    DatagramProtocol, DecodeError, DropReason, ErrorKind, Limits, RecvError, Server, Text,
    converter_fn,
};
use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{Instant, sleep},
};

use crate::{
    log::Log,
    support::{Gate, Net, conversing, everywhere, until},
};

/// The result of `recv` in short words.
fn word(received: &Result<String, RecvError>) -> &str {
    match received {
        Ok(text) => text,
        Err(RecvError::Closed) => "closed",
        Err(RecvError::Decode(_)) => "not a packet",
        Err(RecvError::Idle) => "idle",
        Err(RecvError::TimedOut) => "timed out",
        Err(other) => panic!("{other:?}"),
    }
}

fn is_about_utf8(error: &DecodeError) -> bool {
    error.kind() == ErrorKind::Codec
        && error.source().is_some_and(|source| source.is::<Utf8Error>())
}

everywhere! {
    //
    async fn a_decode_error_has_kind_and_source_and_the_conversation_goes_on(net) {
        let server = net.serve_text(conversing!(|peer| {
            let Err(RecvError::Decode(error)) = peer.recv().await else { panic!() };
            peer.send(&format!("about UTF-8: {}", is_about_utf8(&error))).await?;
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send(b"\xe9").await;
        assert_eq!(peer.recv_text().await, "about UTF-8: true");
        assert_eq!(peer.ask("text").await, "text");

        assert_eq!(server.handle.stats().panicked, 0);
        server.stop().await;
    }

    //
    async fn a_decode_error_in_a_task_has_kind_and_source(net) {
        let server = net.serve_text(conversing!(|peer| {
            yield_now().await;
            let Err(RecvError::Decode(error)) = peer.recv().await else { panic!() };
            peer.send(&format!("about UTF-8: {}", is_about_utf8(&error))).await?;
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send(b"\xe9").await;
        assert_eq!(peer.recv_text().await, "about UTF-8: true");
        assert_eq!(peer.ask("text").await, "text");

        assert_eq!(server.handle.stats().panicked, 0);
        server.stop().await;
    }

    //
    async fn a_decode_error_consumes_only_its_own_datagram_and_keeps_the_order(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            gate.pass().await;
            for _ in 0..3 {
                let received = peer.recv().await;
                peer.send(&word(&received).to_owned()).await?;
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for datagram in [&b"good"[..], b"\xe9", b"good again"] {
            peer.send(datagram).await;
        }
        until(|| server.handle.stats().received == 3).await;
        gate.open();

        for said in ["good", "not a packet", "good again"] {
            assert_eq!(peer.recv_text().await, said);
        }
        server.stop().await;
    }

    //
    async fn a_decode_error_that_the_handler_has_handled_is_quiet_and_counted_once(net) {
        let log = Log::capture();
        let server = net.serve_text(conversing!(|peer| {
            let received = peer.recv().await;
            Ok(peer.send(&word(&received).to_owned()).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send(b"\xe9").await;
        assert_eq!(peer.recv_text().await, "not a packet");
        until(|| server.handle.stats().conversations == 1).await;

        let stats = server.handle.stats();
        assert!(log.alarms().is_empty());
        assert_eq!((stats.decode_errors, stats.delivered, stats.failed), (1, 1, 0));
        server.stop().await;
    }

    //
    async fn a_packet_that_the_converter_refuses_is_an_error_with_the_converters_own_error(net) {
        let protocol = Text.convert(converter_fn(
            |text: String| text.parse().map(|number: u8| number.to_string()),
            |text: &String| Ok::<_, Infallible>(text.clone()),
        ));
        let server = net.serve(Server::builder(protocol, conversing!(|peer| {
            let Err(RecvError::Decode(error)) = peer.recv().await else { panic!() };
            let own = error.source().is_some_and(|source| source.is::<ParseIntError>());
            peer.send(&format!("{:?} {own}", error.kind())).await?;
            let number = peer.recv().await?;
            Ok(peer.send(&number).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("300").await, "Converter true");
        assert_eq!(peer.ask("200").await, "200");

        server.stop().await;
    }

    //
    async fn a_recv_that_waits_when_serving_ends_is_closed_and_stays_so(net) {
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = net.serve_text(conversing!([tell] |peer| {
            let text = peer.recv().await?;
            peer.send(&text).await?;
            for _ in 0..3 {
                tell.send(word(&peer.recv().await).to_owned())?;
            }
            tell.send(word(&peer.recv_timeout(Duration::ZERO).await).to_owned())?;
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.ask("hello").await;
        server.stop().await;

        for _ in 0..4 {
            assert_eq!(told.try_recv().unwrap(), "closed");
        }
    }

    //
    async fn a_datagram_longer_than_the_limit_is_dropped_and_one_of_exactly_the_limit_is_whole(net) {
        let limits = Limits::default().max_datagram_size(8);
        let server = net.serve_text_within(limits, async |text: String| text).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["123456789", "12345678", &"9".repeat(5_000), "1234567"] {
            peer.send(text).await;
        }

        assert_eq!(peer.recv_text().await, "12345678");
        assert_eq!(peer.recv_text().await, "1234567");
        let stats = server.handle.stats();
        assert_eq!((stats.dropped(DropReason::Truncated), stats.received), (2, 4));
        assert!(peer.hears_nothing().await);
        server.stop().await;
    }

    //
    async fn a_conversation_never_gets_a_part_of_a_datagram(net) {
        let server = net.serve_text_within(Limits::default().max_datagram_size(1), conversing!(|peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(&text).await?;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("a").await, "a");
        peer.send("bc").await;
        assert_eq!(peer.ask("d").await, "d");
        assert_eq!(peer.ask("").await, "");

        assert_eq!(server.handle.stats().dropped(DropReason::Truncated), 1);
        server.stop().await;
    }

    //
    async fn the_longest_possible_datagram_arrives_whole(net) {
        let server = net.serve_text(async |text: String| text.len().to_string()).await;
        let peer = net.peer_of(&server.handle).await;

        let reply = peer.ask(&"a".repeat(65_507)).await;

        assert_eq!(reply, "65507");
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn no_datagram_comes_after_closed_and_closed_comes_at_once() {
    let net = Net::memory();
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = net
        .serve_text(conversing!(
            [tell] | peer | {
                sleep(Duration::from_millis(500)).await;
                tell.send((word(&peer.recv().await).to_owned(), Instant::now()))?;
                tell.send((word(&peer.recv().await).to_owned(), Instant::now()))?;
                Ok(())
            }
        ))
        .await;
    let peer = net.peer_of(&server.handle).await;
    let start = Instant::now();

    peer.send("opens").await;
    peer.send("waits").await;
    until(|| server.handle.stats().received == 2).await;
    let handle = server.handle.clone();
    server.stop().await;

    let awake = start + Duration::from_millis(500);
    assert_eq!(told.recv().await, Some(("closed".to_owned(), awake)));
    assert_eq!(told.recv().await, Some(("closed".to_owned(), awake)));
    assert_eq!(handle.stats().dropped(DropReason::ShuttingDown), 2);
}
