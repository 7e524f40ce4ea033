//! H-3 to H-6: panics of handlers, of protocols and of the source filter.

use std::{
    panic::panic_any,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use datagrammar::{
    Addr, BoxError, DatagramProtocol, DecodeError, DropReason, EncodeError, Handler, Peer,
    PeerSender, Server, ServerStats, Text, converter_fn,
};
use tokio::{sync::Notify, task::yield_now};

use super::two_peers;
use crate::support::{OVERHEAD, Running, conversing, everywhere, until};

everywhere! {
    // H-3, H-4
    async fn a_panic_at_the_first_poll_ends_only_its_conversation(net) {
        let server = net.serve_text(panics_on_request(false)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("panic").await;
        let first_reply = peer.ask("fine").await;

        assert_eq!(first_reply, "fine");
        assert_books(&server, 2, 1).await;
        server.stop().await;
    }

    // H-3, H-4
    async fn a_panic_after_waiting_ends_only_its_conversation(net) {
        let server = net.serve_text(panics_on_request(true)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("panic").await;
        let first_reply = peer.ask("fine").await;

        assert_eq!(first_reply, "fine");
        assert_books(&server, 2, 1).await;
        server.stop().await;
    }

    // H-3, H-4
    async fn a_datagram_that_waits_while_a_handler_panics_opens_the_next_conversation(net) {
        let gate = Arc::new(Notify::new());
        let server = net.serve_text(conversing!([gate] |peer| {
            let request = peer.recv().await?;
            if request == "panic" {
                gate.notified().await;
                panic!("as asked");
            }
            Ok(peer.send(&request).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;
        peer.send("panic").await;
        peer.send("first").await;
        peer.send("second").await;
        until(|| server.handle.stats().queued_bytes == 2 * OVERHEAD + 11).await;

        gate.notify_one();

        assert_eq!([peer.recv_text().await, peer.recv_text().await], ["first", "second"]);
        assert_books(&server, 3, 1).await;
        server.stop().await;
    }

    // H-3
    async fn other_peers_and_their_queues_survive_a_panic(net) {
        let gate = Arc::new(Notify::new());
        let server = net.serve_text(conversing!([gate] |peer| {
            loop {
                match peer.recv().await?.as_str() {
                    "wait" => gate.notified().await,
                    "panic" => panic!("as asked"),
                    other => peer.send(&other.to_owned()).await?,
                }
            }
        })).await;
        let (peer, other) = two_peers(&net, &server.handle).await;
        other.send("wait").await;
        other.send("it waited").await;
        until(|| server.handle.stats().queued_bytes == OVERHEAD + 9).await;

        peer.send("panic").await;
        until(|| server.handle.stats().panicked == 1).await;
        gate.notify_one();

        assert_eq!(other.recv_text().await, "it waited");
        assert_eq!(other.ask("go on").await, "go on");
        server.stop().await;
    }

    // H-3
    async fn a_payload_that_panics_when_it_is_dropped_does_no_harm(net) {
        struct Bomb;

        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("once more");
            }
        }

        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            if request == "panic" {
                panic_any(Bomb);
            }
            Ok(peer.send(&request).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("panic").await;

        assert_eq!(peer.ask("fine").await, "fine");
        server.stop().await;
    }

    // H-3
    async fn an_error_that_panics_when_it_is_formatted_does_no_harm(net) {
        #[derive(Debug)]
        struct Unspeakable;

        impl std::fmt::Display for Unspeakable {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("no words")
            }
        }

        impl std::error::Error for Unspeakable {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                panic!("no reasons")
            }
        }

        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            if request == "wait" {
                yield_now().await;
            }
            if request != "fine" {
                return Err(Unspeakable.into());
            }
            Ok(peer.send(&request).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("fail").await;
        peer.send("wait").await;

        assert_eq!(peer.ask("fine").await, "fine");
        server.stop().await;
    }

    // H-5, H-4
    async fn a_panic_in_decode_ends_only_its_conversation(net) {
        let server = net.serve(Server::builder(Fragile, Echo { waits: false })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("break decode").await;
        let first_reply = peer.ask("fine").await;

        assert_eq!(first_reply, "fine");
        assert_books(&server, 2, 1).await;
        server.stop().await;
    }

    // H-5, H-4
    async fn a_panic_in_decode_in_a_task_ends_only_its_conversation(net) {
        let server = net.serve(Server::builder(Fragile, Echo { waits: true })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("break decode").await;
        let first_reply = peer.ask("fine").await;

        assert_eq!(first_reply, "fine");
        assert_books(&server, 2, 1).await;
        server.stop().await;
    }

    // H-5, H-4
    async fn a_panic_in_encode_sends_nothing(net) {
        let server = net.serve(Server::builder(Fragile, Echo { waits: false })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("break encode").await;
        let first_reply = peer.ask("fine").await;

        assert_eq!(first_reply, "fine");
        assert_books(&server, 2, 1).await;
        server.stop().await;
    }

    // H-5, H-4
    async fn a_panic_in_encode_in_a_task_sends_nothing(net) {
        let server = net.serve(Server::builder(Fragile, Echo { waits: true })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("break encode").await;
        let first_reply = peer.ask("fine").await;

        assert_eq!(first_reply, "fine");
        assert_books(&server, 2, 1).await;
        server.stop().await;
    }

    // H-5
    async fn a_panic_of_a_converter_ends_only_its_conversation(net) {
        let protocol = Text.convert(converter_fn(
            |text: String| -> Result<String, BoxError> {
                assert_ne!(text, "break decode");
                Ok(text)
            },
            |text: &String| Ok::<_, BoxError>(text.clone()),
        ));
        let server = net.serve(Server::builder(protocol, Echo { waits: false })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("break decode").await;

        assert_eq!(peer.ask("fine").await, "fine");
        assert_books(&server, 2, 1).await;
        server.stop().await;
    }

    // H-5
    async fn a_panic_of_the_protocol_in_a_sender_reaches_the_caller(net) {
        let sender = Arc::new(Mutex::new(None::<PeerSender<String>>));
        let handler = Stores(Arc::clone(&sender));
        let server = net.serve(Server::builder(Fragile, handler)).await;
        let peer = net.peer_of(&server.handle).await;
        peer.ask("here I am").await;
        let sender = sender.lock().unwrap().take().unwrap();

        let broken = sender.clone();
        let sent = tokio::spawn(async move { broken.send(&"break encode".to_owned()).await });

        assert!(sent.await.unwrap_err().is_panic());
        sender.send(&"still usable".to_owned()).await.unwrap();
        assert_eq!(peer.recv_text().await, "still usable");
        assert_eq!(peer.ask("and the server").await, "and the server");
        assert_eq!(server.handle.stats().panicked, 0);
        server.stop().await;
    }

    // H-6
    async fn a_panic_of_the_source_filter_refuses_the_datagram(net) {
        let panics = Arc::new(AtomicBool::new(true));
        let check = {
            let panics = Arc::clone(&panics);
            move |_: &Addr| if panics.load(Relaxed) { panic!("as asked") } else { true }
        };
        let builder = Server::builder(Text, async |text: String| text).source_filter(check);
        let server = net.serve(builder).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("refused").await;
        until(|| server.handle.stats().dropped(DropReason::Refused) == 1).await;
        panics.store(false, Relaxed);

        assert_eq!(peer.ask("admitted").await, "admitted");
        server.stop().await;
    }
}

fn panics_on_request(waits: bool) -> impl Handler<String, String> {
    conversing!(|peer| {
        let request = peer.recv().await?;
        if waits {
            yield_now().await;
        }
        assert_ne!(request, "panic", "as asked");
        Ok(peer.send(&request).await?)
    })
}

/// Asserts that no conversation is left, that `conversations` conversations have ended and `panicked` of them
/// have panicked, and that each datagram is counted.
async fn assert_books(server: &Running, conversations: u64, panicked: u64) {
    let quiet = |stats: &ServerStats| {
        stats.active_conversations == 0
            && stats.queued_bytes == 0
            && stats.conversations == conversations
            && stats.received == stats.delivered + stats.total_dropped()
    };
    until(|| quiet(&server.handle.stats())).await;
    assert_eq!(server.handle.stats().panicked, panicked);
    assert_eq!(server.handle.stats().failed, 0);
}

/// Text; some words make it panic.
struct Fragile;

impl DatagramProtocol for Fragile {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        assert_ne!(datagram, b"break decode");
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)?;
        assert_ne!(packet, "break encode");
        Ok(())
    }
}

struct Echo {
    waits: bool,
}

impl Handler<String, String> for Echo {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        if self.waits {
            yield_now().await;
        }
        let request = peer.recv().await?;
        Ok(peer.send(&request).await?)
    }
}

/// Echoes, and keeps a sender for its last peer.
struct Stores(Arc<Mutex<Option<PeerSender<String>>>>);

impl Handler<String, String> for Stores {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        *self.0.lock().unwrap() = Some(peer.sender());
        Ok(peer.send(&request).await?)
    }
}
