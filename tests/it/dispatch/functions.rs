//! Functions as handlers, and one handler over many protocols.

use datagrammar::{DatagramProtocol, Handler, Json, Server, Text, reply_if};
use tokio::task::yield_now;

use crate::{
    log::Log,
    support::{Bytes, Net, conversing, everywhere, until},
};

everywhere! {
    // D-19
    async fn a_function_answers_each_datagram_in_a_conversation_of_its_own(net) {
        let server = net.serve_text(async |text: String| text.to_uppercase()).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["a", "b", "c"] {
            peer.send(text).await;
        }

        for text in ["A", "B", "C"] {
            assert_eq!(peer.recv_text().await, text);
        }
        assert_eq!(server.handle.stats().conversations, 3);
        server.stop().await;
    }

    // D-19
    async fn a_function_that_waits_answers_each_datagram_in_a_conversation_of_its_own(net) {
        let server = net.serve_text(async |text: String| {
            yield_now().await;
            text.to_uppercase()
        }).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["a", "b", "c"] {
            peer.send(text).await;
        }

        for text in ["A", "B", "C"] {
            assert_eq!(peer.recv_text().await, text);
        }
        until(|| server.handle.stats().conversations == 3).await;
        server.stop().await;
    }

    // D-19
    async fn a_function_may_leave_requests_unanswered(net) {
        let log = Log::capture();
        let answer = async |text: String| (text != "hush").then_some(text);
        let server = net.serve_text(reply_if(answer)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("hush").await;
        assert_eq!(peer.ask("speak").await, "speak");

        let stats = server.handle.stats();
        assert!(peer.hears_nothing().await);
        assert_eq!((stats.delivered, stats.conversations, stats.failed), (2, 2, 0));
        assert!(log.alarms().is_empty());
        server.stop().await;
    }

    // D-19
    async fn a_function_does_not_answer_a_datagram_that_does_not_decode(net) {
        let log = Log::capture();
        let server = net.serve_text(async |text: String| text).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send(b"\xe9").await;
        assert_eq!(peer.ask("text").await, "text");

        let stats = server.handle.stats();
        assert!(peer.hears_nothing().await);
        assert_eq!((stats.decode_errors, stats.delivered, stats.failed), (1, 2, 0));
        assert!(log.alarms().is_empty());
        server.stop().await;
    }

    // D-19
    async fn a_function_with_optional_replies_does_not_answer_a_datagram_that_does_not_decode(net) {
        let server = net.serve_text(reply_if(async |text: String| Some(text))).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send(b"\xe9").await;
        assert_eq!(peer.ask("text").await, "text");

        let stats = server.handle.stats();
        assert!(peer.hears_nothing().await);
        assert_eq!((stats.decode_errors, stats.delivered, stats.failed), (1, 2, 0));
        server.stop().await;
    }

    // D-20
    async fn one_handler_behaves_the_same_over_every_protocol(net) {
        let expected = ["Who is there?", "Hello, Ann.", "What else?", "Who is there?"];

        assert_eq!(knock(&net, || Text).await, expected);
        assert_eq!(knock(&net, Json::<String>::new).await, expected);
        assert_eq!(knock(&net, || Json::<String>::new().ascii()).await, expected);
        #[cfg(feature = "bincode")]
        assert_eq!(knock(&net, datagrammar::Bincode::<String>::new).await, expected);
    }
}

/// The answers of a server to four requests, in `protocol`.
async fn knock<P>(net: &Net, protocol: impl Fn() -> P) -> Vec<String>
where
    P: DatagramProtocol<Incoming = String, Outgoing = String> + Send + Sync + 'static,
{
    let server = net.serve(Server::builder(protocol(), doorkeeper())).await;
    let peer = net.peer_of(&server.handle).await;
    let protocol = protocol();

    let mut heard = Vec::new();
    for request in ["knock", "Ann", "bye", "knock"] {
        heard.push(ask(&peer, &protocol, request).await);
    }

    server.stop().await;
    heard
}

async fn ask<P>(peer: &Bytes, protocol: &P, request: &str) -> String
where
    P: DatagramProtocol<Incoming = String, Outgoing = String>,
{
    let mut datagram = Vec::new();
    protocol.encode(&request.to_owned(), &mut datagram).unwrap();
    peer.send(datagram).await;
    protocol.decode(&peer.recv().await).unwrap()
}

fn doorkeeper() -> impl Handler<String, String> {
    conversing!(|peer| {
        peer.recv().await?;
        peer.send(&"Who is there?".to_owned()).await?;
        let name = peer.recv().await?;
        peer.send(&format!("Hello, {name}.")).await?;
        peer.recv().await?;
        peer.send(&"What else?".to_owned()).await?;
        Ok(())
    })
}
