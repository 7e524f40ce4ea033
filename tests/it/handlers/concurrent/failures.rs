//! D-27: calls that fail or panic, among others.

use datagrammar::{
    DatagramProtocol, DecodeError, EncodeError, Server, Text, concurrent, with_state,
};

use super::as_told;
use crate::support::{Gate, everywhere, until};

everywhere! {
    // D-27, H-1, H-3, H-19
    async fn a_call_that_fails_or_panics_ends_no_other_call(net) {
        let gate = Gate::closed();
        let server = net.serve_text(concurrent(8, with_state(gate.clone(), as_told))).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("wait").await;
        for text in ["fail", "panic", "fail later", "panic later"] {
            peer.send(text).await;
        }
        peer.send(b"\xe9").await;
        assert_eq!(peer.ask("hello").await, "hello");
        until(|| {
            let stats = server.handle.stats();
            (stats.failed, stats.panicked, stats.decode_errors) == (2, 2, 1)
        })
        .await;
        gate.open();

        assert_eq!(peer.recv_text().await, "wait");
        until(|| server.handle.stats().active_conversations == 0).await;
        let stats = server.handle.stats();
        assert_eq!((stats.conversations, stats.failed, stats.panicked), (1, 2, 2));
        assert_eq!(stats.received, stats.delivered);
        server.stop().await;
    }

    // D-27, H-1, H-3
    async fn the_first_call_fails_and_panics_like_all_others(net) {
        let server = net.serve_text(concurrent(8, with_state(Gate::closed(), as_told))).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["fail", "panic", "fail later", "panic later"] {
            peer.send(text).await;
            until(|| server.handle.stats().active_conversations == 0).await;
        }

        assert_eq!(peer.ask("hello").await, "hello");
        until(|| {
            let stats = server.handle.stats();
            (stats.failed, stats.panicked) == (2, 2)
        })
        .await;
        server.stop().await;
    }

    // D-27, H-5
    async fn a_response_that_cannot_be_encoded_ends_no_other_call(net) {
        let gate = Gate::closed();
        let handler = concurrent(8, with_state(gate.clone(), as_told));
        let server = net.serve(Server::builder(Fragile, handler)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("wait").await;
        peer.send("too long").await;
        peer.send("break").await;
        assert_eq!(peer.ask("fine").await, "fine");
        until(|| {
            let stats = server.handle.stats();
            (stats.failed, stats.panicked) == (1, 1)
        })
        .await;
        gate.open();

        assert_eq!(peer.recv_text().await, "wait");
        server.stop().await;
    }
}

/// Text of at most 5 bytes; one word makes it panic.
struct Fragile;

impl DatagramProtocol for Fragile {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)?;
        assert_ne!(packet, "break");
        if packet.len() > 5 { Err(EncodeError::codec("packet is too long")) } else { Ok(()) }
    }
}
