//! sources that only an attacker uses.

use datagrammar::{DropReason, Guard, Server, Text};

use super::{guarded, peer_at};
use crate::support::{Net, until};

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
