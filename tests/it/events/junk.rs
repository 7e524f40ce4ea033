//! H-7, H-19, H-20: replies that cannot be sent, datagrams that do not decode, and errors of other
//! endpoints.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use datagrammar::{
    BoxError, Client, DatagramProtocol, Limits, RecvError, SendError, Server, Text, concurrent,
    reply_if,
};
use tokio::task::yield_now;
use tracing::{Level, level_filters::LevelFilter};

use super::{Failure, quiet::Transparent, serve, settle};
use crate::{
    log::{Log, Told},
    support::{BindNow, Bytes, Net, Running, client_on, conversing, until},
};

// H-7
#[tokio::test(start_paused = true)]
async fn a_conversation_that_could_no_longer_send_logs_a_warning() {
    type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

    let bare: fn(SendError) -> BoxError = |error| error.into();
    let wrapped: fn(SendError) -> BoxError = |error| Failure("no goodbye", error.into()).into();
    let as_io: fn(SendError) -> BoxError = |error| io::Error::other(error).into();

    for wrap in [bare, wrapped, as_io] {
        let log = Log::capture();
        let net = Net::memory();
        let serving = Arc::new(Mutex::new(None::<Serving>));
        let handler = conversing!(
            [serving] | peer | {
                peer.recv().await?;
                yield_now().await;
                // Serving ends while this conversation runs.
                drop(serving.lock().unwrap().take());
                peer.send(&"goodbye".to_owned()).await.map_err(wrap)
            }
        );
        let server = Server::builder(Text, handler).bind_now(net.socket()).unwrap();
        let handle = server.handle();
        *serving.lock().unwrap() = Some(Box::pin(async move { server.serve().await.unwrap() }));
        let driver = tokio::spawn(poll_fn(move |cx| match &mut *serving.lock().unwrap() {
            Some(serving) => serving.as_mut().poll(cx),
            None => Poll::Ready(()),
        }));
        assert!(handle.ready().await);
        let peer = net.peer_of(&handle).await;

        peer.send("request").await;
        until(|| handle.stats().conversations == 1).await;

        let told = log.alarm();
        assert_eq!((told.level, told.field("peer")), (Level::WARN, &*peer.addr().to_string()));
        assert!(told.field("error").ends_with("the server is not serving"), "{told:?}");
        assert_eq!(handle.stats().failed, 0);
        driver.abort();
    }
}

const TEXT: &str = "the datagram is not a packet of the protocol: invalid UTF-8";

/// Sends a datagram that does not decode; returns the one event about it. It must not count as a failure.
async fn told_of_junk((server, peer): (Running, Bytes), log: &Log) -> Told {
    peer.send(b"\xe9").await;
    settle().await;

    let stats = server.handle.stats();
    assert_eq!((stats.decode_errors, stats.failed, stats.suppressed_events), (1, 0, 0));
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
    let mut told = log.at(Level::DEBUG);
    assert_eq!(told.len(), 1, "expected exactly one event: {told:#?}");
    assert_eq!(told[0].field("peer"), peer.addr().to_string());
    server.stop().await;
    told.remove(0)
}

// H-19
#[tokio::test(start_paused = true)]
async fn a_returned_decode_error_is_logged_at_debug_without_its_own_source() {
    let bare: fn(RecvError) -> BoxError = |error| error.into();
    let wrapped: fn(RecvError) -> BoxError = |error| Failure("no request", error.into()).into();
    let as_io: fn(RecvError) -> BoxError = |error| io::Error::other(error).into();
    let transparent: fn(RecvError) -> BoxError = |error| Transparent(error).into();
    let within: fn(RecvError) -> BoxError =
        |error| Failure("no request", Transparent(error).into()).into();

    for (wrap, before) in [
        (bare, ""),
        (wrapped, "no request: "),
        (as_io, ""),
        (transparent, ""),
        (within, "no request: "),
    ] {
        let log = Log::capture();
        let served = serve(conversing!(|peer| {
            peer.recv().await.map_err(wrap)?;
            Ok(())
        }));

        let told = told_of_junk(served.await, &log).await;

        assert_eq!(told.field("error"), format!("{before}{TEXT}"));
    }
}

// H-19
#[tokio::test(start_paused = true)]
async fn a_returned_error_of_the_protocol_is_logged_at_debug() {
    let log = Log::capture();
    let served = serve(conversing!(|peer| {
        match peer.recv().await {
            Err(RecvError::Decode(error)) => Err(error.into()),
            other => Err(format!("{other:?}").into()),
        }
    }));

    let told = told_of_junk(served.await, &log).await;

    assert_eq!(told.field("error"), "invalid UTF-8");
}

// H-19
#[tokio::test(start_paused = true)]
async fn a_returned_decode_error_after_other_packets_is_logged_at_debug() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        loop {
            let request = peer.recv().await?;
            peer.send(&request).await?;
        }
    }))
    .await;
    peer.ask("hello").await;

    let told = told_of_junk((server, peer), &log).await;

    assert_eq!(told.field("error"), TEXT);
}

// H-19, D-19
#[tokio::test(start_paused = true)]
async fn a_datagram_that_does_not_decode_for_a_function_is_logged_at_debug() {
    let log = Log::capture();
    let told = told_of_junk(serve(async |text: String| text).await, &log).await;
    assert_eq!(told.field("error"), TEXT);

    let log = Log::capture();
    let told = told_of_junk(serve(reply_if(async |text: String| Some(text))).await, &log).await;
    assert_eq!(told.field("error"), TEXT);

    let log = Log::capture();
    let told = told_of_junk(serve(concurrent(8, async |text: String| text)).await, &log).await;
    assert_eq!(told.field("error"), TEXT);
}

// H-19, H-11, H-12
#[tokio::test(start_paused = true)]
async fn for_a_hundred_such_datagrams_in_a_second_ten_events_are_logged_and_the_rest_is_reported_at_the_end()
 {
    let log = Log::capture();
    let (server, peer) = serve(async |text: String| text).await;
    let handle = server.handle.clone();

    for _ in 0..100 {
        peer.send(b"\xe9").await;
    }
    settle().await;
    assert_eq!(log.at(Level::DEBUG).len(), 10);
    server.stop().await;

    let stats = handle.stats();
    assert_eq!((stats.decode_errors, stats.suppressed_events), (100, 90));
    let told = log.at(Level::DEBUG);
    assert_eq!((told.len(), told[10].field("suppressed")), (11, "90"));
}

// H-19
#[tokio::test(start_paused = true)]
async fn without_a_subscriber_at_debug_nothing_is_logged_and_nothing_counts_as_suppressed() {
    let log = Log::capture_behind(LevelFilter::INFO);
    let net = Net::memory();
    let limits = Limits::default().max_events_per_second(1);
    let server = net.serve_text_within(limits, async |text: String| text).await;
    let handle = server.handle.clone();
    let peer = net.peer_of(&handle).await;

    for _ in 0..100 {
        peer.send(b"\xe9").await;
    }
    settle().await;
    server.stop().await;

    let stats = handle.stats();
    assert_eq!((stats.decode_errors, stats.suppressed_events), (100, 0));
    assert!(log.at(Level::DEBUG).is_empty() && log.alarms().is_empty());
}

// H-20, D-27
#[tokio::test(start_paused = true)]
async fn the_error_of_another_endpoint_is_a_failure_of_a_call_even_if_the_peer_has_sent_junk_too() {
    let log = Log::capture();
    let net = Net::memory();
    let answered_with_junk = async |text: String| {
        yield_now().await;
        Text.decode(b"\xe9").map(|_| text).map_err(RecvError::Decode)
    };
    let server = net.serve_text(concurrent(8, answered_with_junk)).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("request").await;
    peer.send(b"\xe9").await;
    settle().await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("error")), (Level::ERROR, TEXT));
    assert_eq!(log.at(Level::DEBUG).len(), 1);
    assert_eq!(server.handle.stats().failed, 1);
    server.stop().await;
}

/// A client whose server does not exist.
fn upstream(net: &Net) -> Client<Text> {
    let Net::Memory(network) = net else { panic!("not a network in memory") };
    client_on(network.connect("10.0.0.3:0", "10.0.0.9:9000").unwrap(), Text).unwrap()
}

// H-20
#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_the_closed_error_of_another_endpoint_has_failed() {
    let log = Log::capture();
    let net = Net::memory();
    let client = upstream(&net);
    client.close();
    let server = net
        .serve_text(conversing!(
            [client] | peer | {
                let request = peer.recv().await?;
                match request.as_str() {
                    "receive" => client.recv().await.map(drop)?,
                    "receive, transparently" => {
                        client.recv().await.map(drop).map_err(Transparent)?
                    }
                    "receive, as I/O" => client.recv().await.map(drop).map_err(io::Error::other)?,
                    "ask" => client.exchange(&request).await.map(drop)?,
                    "ask, transparently" => {
                        client.exchange(&request).await.map(drop).map_err(Transparent)?
                    }
                    _ => client.send(&request).await?,
                }
                Ok(())
            }
        ))
        .await;
    let peer = net.peer_of(&server.handle).await;

    for request in [
        "receive",
        "receive, transparently",
        "receive, as I/O",
        "send",
        "ask",
        "ask, transparently",
    ] {
        peer.send(request).await;
    }
    settle().await;

    let alarms = log.alarms();
    assert_eq!(alarms.len(), 6, "{alarms:?}");
    for told in alarms {
        assert_eq!((told.level, told.field("error")), (Level::ERROR, "the client is closed"));
    }
    assert_eq!(server.handle.stats().failed, 6);
    server.stop().await;
}

// H-20
#[tokio::test(start_paused = true)]
async fn junk_of_the_peer_does_not_hide_a_decode_error_of_another_endpoint() {
    for asks in [false, true] {
        let log = Log::capture();
        let net = Net::memory();
        let client = upstream(&net);
        let Net::Memory(network) = &net else { unreachable!() };
        let other = network.connect("10.0.0.9:9000", client.local_addr()).unwrap();
        let other = Bytes(client_on(other, datagrammar::Raw).unwrap());
        let server = net
            .serve_text(conversing!(
                [client] | peer | {
                    assert!(peer.recv().await.is_err());
                    if asks {
                        client.exchange("well?".to_owned()).await.map(drop)?;
                    } else {
                        client.recv().await.map(drop)?;
                    }
                    Ok(())
                }
            ))
            .await;
        let peer = net.peer_of(&server.handle).await;
        other.send(b"\xe9").await;

        peer.send(b"\xe9").await;
        settle().await;

        assert_eq!((log.alarm().level, server.handle.stats().failed), (Level::ERROR, 1));
        server.stop().await;
    }
}

// H-20
#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_the_decode_error_of_another_endpoint_has_failed() {
    let log = Log::capture();
    let net = Net::memory();
    let client = upstream(&net);
    let Net::Memory(network) = &net else { unreachable!() };
    let other = network.connect("10.0.0.9:9000", client.local_addr().socket_addr().unwrap());
    let other = Bytes(client_on(other.unwrap(), datagrammar::Raw).unwrap());
    let server = net
        .serve_text(conversing!(
            [client] | peer | {
                peer.recv().await?;
                client.recv().await.map(drop)?;
                Ok(())
            }
        ))
        .await;
    let peer = net.peer_of(&server.handle).await;
    other.send(b"\xe9").await;

    peer.send("request").await;
    settle().await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("error")), (Level::ERROR, TEXT));
    assert_eq!(server.handle.stats().failed, 1);
    server.stop().await;
}
