//! a handler receives each request once, and a repetition gets the same reply again.

mod bounds;
mod dropped;
#[cfg(target_os = "linux")]
mod fds;
mod replies;
mod servers;
mod store;

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{
    Addr, Correlated, DatagramProtocol, DecodeError, DropReason, EncodeError, IntoHandler,
    ReplyCache, Server, ServerBuilder, TaggedServer, Text, concurrent, reply_if, tagged,
};
use tokio::task::yield_now;

use crate::{
    log::Log,
    support::{Bytes, Gate, Net, Running, conversing, everywhere, until},
};

/// Text whose first character is the id, if it is a digit.
#[derive(Clone, Copy, Debug)]
pub struct Numbered;

impl DatagramProtocol for Numbered {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)
    }
}

impl Correlated for Numbered {
    fn max_id(&self) -> u64 {
        9
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        let first = char::from(*datagram.first()?);
        assert_ne!(first, '!', "as asked");
        first.to_digit(10).map(Into::into)
    }

    fn set_id(&self, _: u64, _: &mut [u8]) {}
}

/// A server of these texts with a reply cache of the default size.
pub fn numbered<Form>(
    handler: impl IntoHandler<String, String, Form, Handler: datagrammar::Handler<String, String>>,
) -> ServerBuilder<Numbered> {
    Server::builder(Numbered, handler).reply_cache(ReplyCache::default())
}

/// How often a handler was called.
#[derive(Clone, Debug, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn count(&self) -> usize {
        self.0.fetch_add(1, Relaxed) + 1
    }

    fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// A function that counts its calls and returns the request with the number of the call.
    fn echo(&self) -> impl Fn(String) -> Ready<String> + Send + Sync + 'static + use<> {
        let calls = self.clone();
        move |text| ready(format!("{text} {}", calls.count()))
    }
}

/// Whether each conversation is a task of another thread. Then a repetition may be answered before an earlier request.
const fn is_by_tasks(net: &Net) -> bool {
    matches!(net, Net::Threads(_))
}

/// Waits until so many datagrams were dropped as duplicates.
async fn duplicates(server: &Running, expected: u64) {
    until(|| server.handle.stats().dropped(DropReason::Duplicate) >= expected).await;
    assert_eq!(server.handle.stats().dropped(DropReason::Duplicate), expected);
}

/// Asserts that each datagram is counted, and how many replies were sent again; then ends the server.
async fn end(server: Running, replayed: u64) {
    until(|| {
        let stats = server.handle.stats();
        stats.received == stats.delivered + stats.total_dropped()
    })
    .await;
    assert_eq!(server.handle.stats().replayed, replayed);
    server.stop().await;
}

everywhere! {
    // Q-10, G-9: a function answers inline
    async fn a_repetition_after_the_reply_gets_the_same_bytes_again(net) {
        let calls = Calls::default();
        let server = net.serve(numbered(calls.echo())).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..3 {
            assert_eq!(peer.ask("1 pay").await, "1 pay 1");
        }

        assert_eq!(calls.get(), 1);
        duplicates(&server, 2).await;
        assert_eq!(peer.ask("2 pay").await, "2 pay 2");
        assert_eq!(peer.ask("1 pay").await, "1 pay 1");
        assert!(peer.hears_nothing().await);
        end(server, 3).await;
    }

    // a conversation that goes on
    async fn a_repetition_is_answered_while_the_conversation_goes_on(net) {
        let calls = Calls::default();
        let server = net.serve(numbered(conversing!([calls] |peer| {
            loop {
                let text = peer.recv().await?;
                peer.send(format!("{text} {}", calls.count())).await?;
            }
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("1 a").await, "1 a 1");
        assert_eq!(peer.ask("2 b").await, "2 b 2");
        assert_eq!(peer.ask("1 a").await, "1 a 1");
        assert_eq!(peer.ask("2 b").await, "2 b 2");
        assert_eq!(peer.ask("3 c").await, "3 c 3");
        end(server, 2).await;
    }

    //
    async fn a_repetition_is_dropped_while_the_request_waits_and_while_its_handler_works(net) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let server = net.serve(numbered(conversing!([calls, gate] |peer| {
            let text = peer.recv().await?;
            let call = calls.count();
            gate.pass().await;
            Ok(peer.send(format!("{text} {call}")).await?)
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("1 a").await;
        until(|| calls.get() == 1).await;
        peer.send("1 a").await;
        duplicates(&server, 1).await;
        for text in ["2 b", "2 b", "1 a", "2 b"] {
            peer.send(text).await;
        }
        duplicates(&server, 4).await;
        gate.open();

        assert_eq!([peer.recv_text().await, peer.recv_text().await], ["1 a 1", "2 b 2"]);
        assert_eq!(peer.ask("2 b").await, "2 b 2");
        assert!(peer.hears_nothing().await);
        assert_eq!(calls.get(), 2);
        end(server, 1).await;
    }

    //
    async fn a_repetition_of_a_request_without_a_reply_is_dropped(net) {
        let calls = Calls::default();
        let counts = calls.clone();
        let function = move |text: String| {
            counts.count();
            ready((!text.ends_with("quiet")).then_some(text))
        };
        let server = net.serve(numbered(reply_if(function))).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..3 {
            peer.send("1 quiet").await;
        }
        duplicates(&server, 2).await;

        assert_eq!(peer.ask("2 loud").await, "2 loud");
        assert!(peer.hears_nothing().await);
        until(|| calls.get() == 2).await;
        end(server, 0).await;
    }

    // the datagram was delivered, so it is a request that has no reply
    async fn a_repetition_of_what_does_not_decode_is_dropped(net) {
        let server = net.serve(numbered(async |text: String| text)).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..2 {
            peer.send(b"1 \xff").await;
        }
        duplicates(&server, 1).await;

        until(|| server.handle.stats().decode_errors == 1).await;
        end(server, 0).await;
    }

    // a failed handler has received its request
    async fn a_repetition_after_a_failure_or_a_panic_is_dropped(net) {
        let server = net.serve(numbered(conversing!(|peer| {
            let text = peer.recv().await?;
            assert_ne!(text, "1 panic", "as asked");
            Err("as asked".into())
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["1 panic", "1 fail", "1 panic", "1 fail"] {
            peer.send(text).await;
        }
        duplicates(&server, 2).await;

        until(|| server.handle.stats().conversations == 2).await;
        let stats = server.handle.stats();
        assert_eq!((stats.panicked, stats.failed), (1, 1));
        end(server, 0).await;
    }

    //
    async fn the_same_id_with_other_bytes_or_from_another_peer_is_a_new_request(net) {
        let calls = Calls::default();
        let server = net.serve(numbered(calls.echo())).await;
        let (first, second) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);

        assert_eq!(first.ask("1 a").await, "1 a 1");
        assert_eq!(first.ask("1 b").await, "1 b 2");
        assert_eq!(second.ask("1 a").await, "1 a 3");

        assert_eq!(first.ask("1 a").await, "1 a 1");
        assert_eq!(first.ask("1 b").await, "1 b 2");
        assert_eq!(second.ask("1 a").await, "1 a 3");
        end(server, 3).await;
    }

    //
    async fn datagrams_without_an_id_are_never_repetitions(net) {
        let calls = Calls::default();
        let server = net.serve(numbered(calls.echo())).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("hello").await, "hello 1");
        assert_eq!(peer.ask("hello").await, "hello 2");
        assert_eq!(peer.ask("").await, " 3");
        assert_eq!(peer.ask("").await, " 4");
        assert_eq!(server.handle.stats().dropped(DropReason::Duplicate), 0);
        end(server, 0).await;
    }

    // Q-10, D-26
    async fn concurrent_calls_receive_each_request_once(net) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let state = (calls.clone(), gate.clone());
        let function = async |(calls, gate): (Calls, Gate), text: String| {
            calls.count();
            gate.pass().await;
            text
        };
        let function = concurrent(2, datagrammar::with_state(state, function));
        let server = net.serve(numbered(function)).await;
        let peer = net.peer_of(&server.handle).await;

        for text in ["1 a", "2 b", "3 c", "1 a", "2 b", "3 c", "4 d"] {
            peer.send(text).await;
        }
        duplicates(&server, 3).await;
        until(|| calls.get() == 2).await;
        gate.open();
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.push(peer.recv_text().await);
        }
        heard.sort();
        assert_eq!(heard, ["1 a", "2 b", "3 c", "4 d"]);

        assert_eq!(peer.ask("3 c").await, "3 c");
        assert_eq!(calls.get(), 4);
        end(server, 1).await;
    }

    // the kinds of tagged packets
    async fn tagged_requests_and_their_responses_have_ids(net) {
        let calls = Calls::default();
        let function = tagged(calls.echo());
        let builder = Server::builder(TaggedServer::new(Text), function);
        let server = net.serve(builder.reply_cache(ReplyCache::default())).await;
        let peer = net.peer_of(&server.handle).await;

        for _ in 0..2 {
            assert_eq!(peer.ask("\0\0\0\0\x07hello").await, "\x01\0\0\0\x07hello 1");
        }
        assert_eq!(peer.ask("\0\0\0\0\x08hello").await, "\x01\0\0\0\x08hello 2");
        for _ in 0..2 {
            peer.send("\x02\0\0\0\x09one-way").await;
        }
        duplicates(&server, 2).await;
        until(|| calls.get() == 3).await;
        end(server, 1).await;
    }

    //
    async fn a_burst_of_repetitions_is_answered_in_order(net) {
        let calls = Calls::default();
        let server = net.serve(numbered(calls.echo())).await;
        let peer = net.peer_of(&server.handle).await;
        for id in 0..5 {
            peer.ask(&format!("{id} a")).await;
        }

        let (mut expected, mut heard) = (Vec::new(), Vec::new());
        for round in 0..4 {
            for id in 0..5 {
                peer.send(format!("{id} a")).await;
                peer.send(format!("{id} new {round}")).await;
                expected.push(format!("{id} a {}", id + 1));
                expected.push(format!("{id} new {round} {}", 6 + round * 5 + id));
            }
        }

        for _ in 0..expected.len() {
            heard.push(peer.recv_text().await);
        }
        if is_by_tasks(&net) {
            heard.sort();
            expected.sort();
        }
        assert_eq!(heard, expected);
        end(server, 20).await;
    }
}
