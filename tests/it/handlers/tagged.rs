//! Functions and handlers of tagged requests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use datagrammar::{
    Addr, BoxError, Handler, IntoHandler, Peer, Server, TaggedRequest, TaggedResponse,
    TaggedServer, Text, concurrent, no_reply, reply_if, tagged, try_reply, with_state,
};

use crate::support::Net;

type Request = TaggedRequest<String>;
type Response = TaggedResponse<String>;

/// Sends `kind`, the id 7 and "hello" to a server of `handler`; returns the response.
async fn ask<Form>(
    handler: impl IntoHandler<Request, Response, Form, Handler: Handler<Request, Response>>,
    kind: &str,
) -> String {
    let net = Net::memory();
    let server = net.serve(Server::builder(TaggedServer::new(Text), handler)).await;
    let peer = net.peer_of(&server.handle).await;
    let response = peer.ask(&format!("{kind}\0\0\0\x07hello")).await;
    server.stop().await;
    response
}

const RESPONSE: &str = "\x01\0\0\0\x07hello there";
const REFUSAL: &str = "\x03\0\0\0\x07";

async fn greet(request: String) -> String {
    format!("{request} there")
}

// D-22, Q-1
#[tokio::test(start_paused = true)]
async fn each_form_of_function_gets_packets_and_its_response_gets_the_id() {
    assert_eq!(ask(tagged(greet), "\0").await, RESPONSE);
    assert_eq!(ask(tagged(async |text: String, _: Addr| greet(text).await), "\0").await, RESPONSE);
    let state = |_: Arc<()>, text: String| greet(text);
    assert_eq!(ask(tagged(with_state(Arc::new(()), state)), "\0").await, RESPONSE);
    assert_eq!(ask(concurrent(4, tagged(greet)), "\0").await, RESPONSE);
    let some = reply_if(async |text: String| Some(greet(text).await));
    assert_eq!(ask(tagged(some), "\0").await, RESPONSE);
    let fails = try_reply(async |text: String| Ok::<_, BoxError>(greet(text).await));
    assert_eq!(ask(tagged(fails), "\0").await, RESPONSE);
}

/// Counts one-way requests with functions, and refuses others.
#[derive(Clone, Default)]
struct Counts(Arc<AtomicUsize>);

impl Handler<Request, Response> for Counts {
    async fn handle(&self, peer: &mut Peer<Request, Response>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        if request.wants_response() {
            peer.send(request.refuse()).await?;
        } else {
            self.0.fetch_add(request.len(), SeqCst);
        }
        Ok(())
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_handler_sees_the_tags_and_may_refuse() {
    let net = Net::memory();
    let counts = Counts::default();
    let server = net.serve(Server::builder(TaggedServer::new(Text), counts.clone())).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("\x02\0\0\0\x08hello").await;

    assert_eq!(peer.ask("\0\0\0\0\x07hello").await, REFUSAL);
    assert_eq!(counts.0.load(SeqCst), 5);
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn a_function_does_not_answer_a_request_that_wants_no_response() {
    let net = Net::memory();
    let counts = Arc::new(AtomicUsize::new(0));
    let count = with_state(Arc::clone(&counts), async |counts: Arc<AtomicUsize>, text: String| {
        counts.fetch_add(1, SeqCst);
        greet(text).await
    });
    let server = net.serve(Server::builder(TaggedServer::new(Text), tagged(count))).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("\x02\0\0\0\x08hello").await;
    assert_eq!(peer.ask("\0\0\0\0\x07hello").await, RESPONSE);

    assert_eq!((counts.load(SeqCst), server.handle.stats().sent), (2, 1));
    server.stop().await;
    let silent = no_reply(async |_: String| ());
    let server = net.serve(Server::builder(TaggedServer::new(Text), tagged(silent))).await;
    server.stop().await;
}
