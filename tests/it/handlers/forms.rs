//! The forms of handlers: types, functions, and wrappers around them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use datagrammar::{
    BoxError, BoxHandler, DatagramProtocol, DecodeError, EncodeError, Handler, IntoHandler, Peer,
    Server, ServerContext, Text, reply_if,
};
use tokio::task::yield_now;

use crate::support::{Net, everywhere, until};

async fn shout(text: String) -> String {
    text.to_uppercase()
}

async fn shout_later(text: String) -> String {
    yield_now().await;
    text.to_uppercase()
}

/// Counts how often it was started and how many conversations it handled.
#[derive(Default)]
struct Counting {
    started: AtomicUsize,
    held: AtomicUsize,
}

impl Handler<String, String> for Counting {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        self.started.fetch_add(1, Relaxed);
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        self.held.fetch_add(1, Relaxed);
        let request = peer.recv().await?;
        Ok(peer.send(&request.to_uppercase()).await?)
    }
}

impl Counting {
    fn seen(&self) -> (usize, usize) {
        (self.started.load(Relaxed), self.held.load(Relaxed))
    }
}

async fn answers<Form>(
    net: &Net,
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> [String; 2] {
    let server = net.serve_text(handler).await;
    let peer = net.peer_of(&server.handle).await;
    let answers = [peer.ask("one").await, peer.ask("two").await];
    server.stop().await;
    answers
}

everywhere! {
    // D-19
    async fn functions_and_closures_answer(net) {
        let captured = "!".to_owned();
        let closure = move |text: String| {
            let mark = captured.clone();
            async move { text.to_uppercase() + &mark }
        };

        assert_eq!(answers(&net, shout).await, ["ONE", "TWO"]);
        assert_eq!(answers(&net, shout_later).await, ["ONE", "TWO"]);
        assert_eq!(answers(&net, async |text: String| text + "?").await, ["one?", "two?"]);
        assert_eq!(answers(&net, closure).await, ["ONE!", "TWO!"]);
    }

    // D-19
    async fn a_function_with_reply_if_leaves_requests_unanswered(net) {
        let handler = reply_if(async |text: String| {
            if text.contains("later") {
                yield_now().await;
            }
            (!text.starts_with("quiet")).then(|| text.to_uppercase())
        });
        let server = net.serve_text(handler).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("quiet").await;
        peer.send("quiet, later").await;

        assert_eq!(peer.ask("loud").await, "LOUD");
        assert_eq!(peer.ask("loud, later").await, "LOUD, LATER");
        until(|| server.handle.stats().conversations == 4).await;
        assert_eq!(server.handle.stats().failed, 0);
        server.stop().await;
    }

    // L-2
    async fn a_shared_handler_is_started_and_converses_like_the_handler_itself(net) {
        let counting = Arc::new(Counting::default());

        let answers = answers(&net, Arc::clone(&counting)).await;

        assert_eq!(answers, ["ONE", "TWO"]);
        assert_eq!(counting.seen(), (1, 2));
    }

    // L-2
    async fn a_boxed_handler_is_started_and_converses_like_the_handler_itself(net) {
        let counting = Arc::new(Counting::default());
        let boxed = BoxHandler::new(Arc::clone(&counting));

        let answers = [answers(&net, boxed.clone()).await, answers(&net, boxed).await];

        assert_eq!(answers, [["ONE", "TWO"], ["ONE", "TWO"]]);
        assert_eq!(counting.seen(), (2, 4));
    }

    async fn boxed_handlers_have_one_type(net) {
        let handlers: [BoxHandler<String, String>; 3] = [
            BoxHandler::new(shout),
            BoxHandler::new(reply_if(async |text: String| Some(text + "?"))),
            BoxHandler::new(BoxHandler::new(Counting::default())),
        ];

        let mut heard = Vec::new();
        for handler in handlers {
            heard.push(answers(&net, handler).await);
        }

        assert_eq!(heard, [["ONE", "TWO"], ["one?", "two?"], ["ONE", "TWO"]]);
    }

    // H-1
    async fn a_function_whose_response_cannot_be_encoded_has_failed(net) {
        let server = net.serve(Server::builder(ShortText, shout)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("far too long").await;

        assert_eq!(peer.ask("fine").await, "FINE");
        assert_eq!(server.handle.stats().failed, 1);
        server.stop().await;
    }
}

/// Text that encodes at most 4 bytes.
struct ShortText;

impl DatagramProtocol for ShortText {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)?;
        if packet.len() > 4 { Err(EncodeError::codec("longer than 4 bytes")) } else { Ok(()) }
    }
}
