//! what may be sent to a peer whose address is not validated.

use std::sync::{Arc, Mutex};

use datagrammar::{
    BoxError, Guard, PeerExchangeError, PeerSender, Repeat, SendError, Server, Text, concurrent,
};
use tokio::time::Duration;
use tracing::Level;

use super::{guarded, lengths, peer_at, wanted};
use crate::{
    log::Log,
    support::{BindNow, Net, Running, conversing, everywhere, until},
};

everywhere! {
    //
    async fn a_reply_may_be_three_times_as_long_as_its_request(net) {
        let server = net.serve(lengths().guard(Guard::internet())).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("30 .......").await.len(), 30);
        if server.handle.local_addrs()[0].ip().is_none() {
            // Unix sockets are validated.
            assert_eq!(peer.ask("31 .......").await.len(), 31);
            return server.stop().await;
        }
        peer.send("31 .......").await;
        until(|| server.handle.stats().conversations == 2).await;
        assert!(peer.hears_nothing().await);

        let stats = server.handle.stats();
        assert_eq!((stats.delivered, stats.sent, stats.over_budget), (2, 1, 1));
        server.stop().await;
    }
}

// the error says both numbers; it is counted, and logged once
#[tokio::test(start_paused = true)]
async fn a_reply_over_the_budget_is_a_typed_error_and_quiet() {
    const TEXT: &str = "the datagram is 100 bytes, and the guard allows 15 bytes more to a peer whose \
                        address is not validated";

    let log = Log::capture();
    let errors = Arc::new(Mutex::new(Vec::new()));
    let handler = conversing!(
        [errors] | peer | {
            let text = peer.recv().await?;
            let error = peer.send("x".repeat(wanted(&text))).await.unwrap_err();
            assert!(matches!(error, SendError::OverBudget { len: 100, left: 15, .. }));
            errors.lock().unwrap().push(error.to_string());
            // What is shorter may still be sent.
            peer.send("x".repeat(15)).await?;
            Err(error.into())
        }
    );
    let (network, server) = guarded(Server::builder(Text, handler)).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);

    for _ in 0..5 {
        assert_eq!(peer.ask("100 .").await.len(), 15);
    }
    until(|| server.handle.stats().conversations == 5).await;

    let stats = server.handle.stats();
    assert_eq!((stats.over_budget, stats.failed, stats.sent), (5, 0, 5));
    assert_eq!(*errors.lock().unwrap(), [TEXT; 5]);
    let told = log.alarms();
    assert_eq!((told.len(), told[0].level), (1, Level::WARN), "{told:?}");
    assert!(told[0].message.contains("guard") && told[0].fields["error"] == TEXT, "{told:?}");
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn the_datagrams_of_a_conversation_add_up() {
    let handler = conversing!(|peer| {
        loop {
            let text = peer.recv().await?;
            if let Some(len) = text.strip_prefix("send ") {
                let _ = peer.send("x".repeat(len.parse()?)).await;
            }
        }
    });
    let (network, server) = guarded(Server::builder(Text, handler)).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);

    for _ in 0..10 {
        peer.send("0123456789").await;
    }
    // 300 bytes, and 24 for these.
    assert_eq!(peer.ask("send 300").await.len(), 300);
    peer.send("send 49 ").await;
    assert_eq!(peer.ask("send 48").await.len(), 48, "24 of the request before last are left");

    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_validated_peer_has_no_budget_until_its_next_conversation() {
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        assert!(!peer.is_validated());
        if text == "secret" {
            peer.validate();
            assert!(peer.is_validated());
        }
        Ok(peer.send("x".repeat(5_000)).await?)
    });
    let (network, server) = guarded(Server::builder(Text, handler)).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);

    assert_eq!(peer.ask("secret").await.len(), 5_000);
    peer.send("guess").await;
    assert_eq!(peer.ask("secret").await.len(), 5_000);

    assert_eq!(server.handle.stats().over_budget, 1);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_sender_shares_the_budget_of_its_peer() {
    let senders = Arc::new(Mutex::new(Vec::<PeerSender<String>>::new()));
    let handler = conversing!(
        [senders] | peer | {
            let text = peer.recv().await?;
            if text == "validate" {
                peer.validate();
            }
            senders.lock().unwrap().push(peer.sender());
            Ok(peer.send("12345".to_owned()).await?)
        }
    );
    let (network, server) = guarded(Server::builder(Text, handler)).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);

    for (n, left) in ["hello", "hello", "validate"].into_iter().zip([10, 10, usize::MAX]) {
        assert_eq!(peer.ask(n).await, "12345");
        let sender = senders.lock().unwrap().pop().unwrap();
        if left < 1_000 {
            let error = sender.send("x".repeat(left + 1)).await.unwrap_err();
            assert!(matches!(error, SendError::OverBudget { left: 10, .. }), "{error}");
            sender.clone().send("x".repeat(left)).await.unwrap();
            assert!(sender.send("x".to_owned()).await.is_err());
            // The empty datagram costs no budget.
            sender.send(String::new()).await.unwrap();
            assert_eq!((peer.recv().await.len(), peer.recv().await.len()), (left, 0));
        } else {
            sender.send("x".repeat(9_000)).await.unwrap();
            assert_eq!(peer.recv().await.len(), 9_000);
        }
    }
    // The program itself decides whom it sends to.
    let sender = server.handle.sender::<String>(peer.addr()).unwrap();
    sender.send("x".repeat(9_000)).await.unwrap();
    assert_eq!(peer.recv().await.len(), 9_000);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn each_repetition_of_an_exchange_pays() {
    let log = Log::capture();
    let handler = conversing!(|peer| {
        let _ = peer.recv().await?;
        match peer.exchange_with("12345".to_owned(), &Repeat::default()).await {
            Err(error @ PeerExchangeError::OverBudget { len: 5, left: 0, .. }) => Err(error.into()),
            other => panic!("{other:?}"),
        }
    });
    let (network, server) = guarded(Server::builder(Text, handler)).await;
    let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);

    peer.send("hello").await;
    until(|| server.handle.stats().conversations == 1).await;

    let stats = server.handle.stats();
    assert_eq!((stats.sent, stats.over_budget, stats.failed), (3, 1, 0));
    assert_eq!(log.alarms().len(), 1);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn concurrent_functions_and_functions_that_wait_have_the_same_budget() {
    let slow = |text: String| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        "x".repeat(wanted(&text))
    };
    for server in [Server::builder(Text, slow), Server::builder(Text, concurrent(4, slow))] {
        let (network, server) = guarded(server).await;
        let peer = peer_at(&network, "10.0.0.7:5000", &server.handle);

        assert_eq!(peer.ask("30 .......").await.len(), 30);
        peer.send("31 .......").await;
        until(|| server.handle.stats().conversations == 2).await;

        let stats = server.handle.stats();
        assert_eq!((stats.sent, stats.over_budget, stats.failed), (1, 1, 0));
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn the_factor_and_the_least_budget_can_be_set() {
    let ask = async |guard: Guard, request: &'static str| {
        let net = Net::memory();
        let Net::Memory(network) = &net else { unreachable!() };
        let server = net.serve(lengths().guard(guard)).await;
        let peer = peer_at(network, "10.0.0.7:5000", &server.handle);
        peer.send(request).await;
        until(|| server.handle.stats().conversations == 1).await;
        let refused = server.handle.stats().over_budget == 1;
        server.stop().await;
        !refused
    };

    assert!(ask(Guard::internet().reply_factor(1), "5 ...").await);
    assert!(!ask(Guard::internet().reply_factor(1), "6 ...").await);
    assert!(ask(Guard::internet().min_reply_budget(100), "100").await);
    assert!(!ask(Guard::internet().min_reply_budget(100), "101").await);
    assert!(
        ask(
            Guard::internet().min_reply_budget(100),
            &"101                              ............"[..40]
        )
        .await
    );
    assert!(ask(Guard::internet().reply_factor(None), "60000").await);
    assert!(ask(Guard::internet().reply_factor(u32::MAX), "60000").await);
}

// A-3, G-1
#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_is_refused_by_name() {
    for (guard, name) in [
        (Guard::internet().reply_factor(0), "Guard::reply_factor"),
        (Guard::internet().reply_rate(0), "Guard::reply_rate"),
        (Guard::internet().reply_burst(0), "Guard::reply_burst"),
        (Guard::internet().max_conversation_time(Duration::ZERO), "Guard::max_conversation_time"),
    ] {
        let error = lengths().guard(guard).bind_now(Net::memory().socket()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

// off means off
#[tokio::test(start_paused = true)]
async fn without_a_guard_nothing_is_limited() -> Result<(), BoxError> {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        let text = peer.recv().await?;
        peer.validate();
        assert!(!peer.is_validated(), "nobody remembers it");
        Ok(peer.send("x".repeat(wanted(&text))).await?)
    });
    let server: Running = net.serve_text(handler).await;
    let peer = net.peer_of(&server.handle).await;

    for _ in 0..200 {
        assert_eq!(peer.ask("60000").await.len(), 60_000);
    }

    server.stop().await;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use super::*;
    use crate::support::temporary_path;

    //
    #[tokio::test]
    async fn peers_on_unix_sockets_are_validated() {
        let handler = conversing!(|peer| {
            assert!(peer.is_validated());
            let text = peer.recv().await?;
            Ok(peer.send("x".repeat(wanted(&text))).await?)
        });
        let path = temporary_path();
        let server = Server::builder(Text, handler).guard(Guard::internet());
        let server = server.bind(datagrammar::Unix::new(&path)).await.unwrap();
        let running = Running::start(server).await;
        let client =
            datagrammar::Client::connect(datagrammar::Unix::new(&path), Text).await.unwrap();

        for _ in 0..200 {
            client.send("2000".to_owned()).await.unwrap();
            assert_eq!(client.recv().await.unwrap().len(), 2_000);
        }

        running.stop().await;
    }
}
