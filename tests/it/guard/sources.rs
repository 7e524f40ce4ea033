//! sources that only an attacker uses.

use datagrammar::{DropReason, Guard, Server, Text};

use super::{guarded, lengths, peer_at};
use crate::{
    log::Log,
    support::{Net, until},
};

//
#[tokio::test(start_paused = true)]
async fn datagrams_from_the_ports_of_reflectors_are_refused() {
    let (network, server) = guarded(Server::builder(Text, async |text: String| text)).await;
    let ports = [17, 19, 53, 111, 123, 137, 138, 161, 389, 500];

    for port in ports {
        peer_at(&network, &format!("10.0.0.7:{port}"), &server.handle).send("hello").await;
    }
    until(|| server.handle.stats().received == 10).await;
    for port in [1, 18, 54, 499, 501, 5_353, 65_535] {
        let peer = peer_at(&network, &format!("10.0.0.7:{port}"), &server.handle);
        assert_eq!(peer.ask("hello").await, "hello", "port {port}");
    }

    let stats = server.handle.stats();
    assert_eq!((stats.dropped(DropReason::Refused), stats.delivered), (10, 7));
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn the_list_of_ports_can_be_replaced() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let guard = Guard::internet().refused_ports([5_000, 65_535]);
    assert_eq!(guard.get_refused_ports(), [5_000, 65_535]);
    let server = Server::builder(Text, async |text: String| text).guard(guard);
    let server = net.serve(server).await;

    for port in [5_000, 65_535] {
        peer_at(network, &format!("10.0.0.7:{port}"), &server.handle).send("hello").await;
    }
    until(|| server.handle.stats().dropped(DropReason::Refused) == 2).await;
    for port in [53, 123] {
        let peer = peer_at(network, &format!("10.0.0.7:{port}"), &server.handle);
        assert_eq!(peer.ask("hello").await, "hello", "port {port}");
    }
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_server_without_a_guard_says_once_that_it_amplifies() {
    for (server, expected) in
        [(lengths(), 1), (lengths().guard(Guard::internet().reply_factor(None)), 0)]
    {
        let log = Log::capture();
        let net = Net::memory();
        let server = net.serve(server).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..100 {
            assert_eq!(peer.ask("50000").await.len(), 50_000);
        }

        let stats = server.handle.stats();
        assert_eq!((stats.received_bytes, stats.sent_bytes), (500, 5_000_000));
        let told = log.alarms();
        assert_eq!(told.len(), expected, "{told:?}");
        if let [told] = &told[..] {
            assert!(told.message.contains(".guard(Guard::internet())"), "{told:?}");
            assert_eq!(told.fields["ratio"], "10000.0");
        }
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn replies_of_three_times_the_length_are_no_alarm() {
    let log = Log::capture();
    let net = Net::memory();
    let server = net.serve(lengths()).await;
    let peer = net.peer_of(&server.handle).await;
    let request = format!("60000 {}", ".".repeat(19_994));

    for _ in 0..100 {
        assert_eq!(peer.ask(&request).await.len(), 60_000);
    }

    assert!(log.alarms().is_empty());
    server.stop().await;
}
