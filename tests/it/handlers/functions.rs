//! D-22 to D-25: what functions may take, and what they may return.

use std::{
    convert::Infallible,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use datagrammar::{
    Addr, BoxError, BoxHandler, Handler, IntoHandler, Json, Server, Text, function::IntoReply,
    no_reply, reply_if, try_reply, with_state,
};
use tokio::task::yield_now;

use crate::support::{Net, everywhere, until};

/// An error type of the user's.
#[derive(Debug)]
struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody knows that")
    }
}

impl std::error::Error for Unknown {}

/// Sends three requests to a handler that answers only the last one. Returns the answer and the number of
/// failures.
async fn answers_the_third<Form>(
    net: &Net,
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> (String, u64) {
    let server = net.serve_text(handler).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("1").await;
    peer.send("2").await;
    let answer = peer.ask("3").await;

    until(|| server.handle.stats().conversations == 3).await;
    until(|| server.handle.stats().sent == 1).await;
    let stats = server.handle.stats();
    assert!(peer.hears_nothing().await);
    assert_eq!((stats.delivered, stats.panicked), (3, 0));
    server.stop().await;
    (answer, stats.failed)
}

async fn may_fail(text: String) -> Result<String, Unknown> {
    if text == "2" {
        yield_now().await;
    }
    if text == "3" { Ok(text) } else { Err(Unknown) }
}

everywhere! {
    // D-22
    async fn a_function_is_given_the_address_of_the_peer(net) {
        async fn who(_: String, addr: Addr) -> String {
            addr.to_string()
        }

        for server in [
            net.serve_text(who).await,
            net.serve_text(async |text: String, addr: Addr| {
                yield_now().await;
                who(text, addr).await
            }).await,
            net.serve_text(reply_if(async |_: String, addr: Addr| Some(addr.to_string()))).await,
            net.serve_text(try_reply(async |_: String, addr: Addr| -> Result<_, BoxError> {
                Ok(addr.to_string())
            })).await,
        ] {
            let peer = net.peer_of(&server.handle).await;

            assert_eq!(peer.ask("who am I?").await, peer.addr().to_string());

            server.stop().await;
        }
    }

    // D-23
    async fn a_function_that_fails_sends_nothing_and_is_counted(net) {
        async fn text_for_an_error(text: String) -> Result<String, &'static str> {
            if text == "3" { Ok(text) } else { Err("no such thing") }
        }

        async fn any_error(text: String, _: Addr) -> Result<Option<String>, BoxError> {
            if text.parse::<u32>()? == 3 { Ok(Some(text)) } else { Err(Unknown.into()) }
        }

        let three = || ("3".to_owned(), 2);
        assert_eq!(answers_the_third(&net, may_fail).await, three());
        assert_eq!(answers_the_third(&net, try_reply(may_fail)).await, three());
        assert_eq!(answers_the_third(&net, text_for_an_error).await, three());
        assert_eq!(answers_the_third(&net, any_error).await, three());
        assert_eq!(answers_the_third(&net, try_reply(any_error)).await, three());
    }

    // D-24
    async fn a_function_that_returns_none_sends_nothing(net) {
        async fn may_be_silent(text: String) -> Option<String> {
            if text == "2" {
                yield_now().await;
            }
            (text == "3").then_some(text)
        }

        async fn may_fail_too(text: String) -> Result<Option<String>, Unknown> {
            Ok(may_be_silent(text).await)
        }

        let three = || ("3".to_owned(), 0);
        assert_eq!(answers_the_third(&net, may_be_silent).await, three());
        assert_eq!(answers_the_third(&net, reply_if(may_be_silent)).await, three());
        assert_eq!(answers_the_third(&net, may_fail_too).await, three());
        assert_eq!(answers_the_third(&net, try_reply(may_fail_too)).await, three());
    }

    // D-24, D-23
    async fn a_function_that_returns_nothing_never_answers(net) {
        async fn collect(sum: Arc<AtomicUsize>, text: String) {
            sum.fetch_add(text.parse().unwrap_or(0), Relaxed);
        }

        async fn try_to_collect(sum: Arc<AtomicUsize>, text: String) -> Result<(), BoxError> {
            sum.fetch_add(text.parse()?, Relaxed);
            Ok(())
        }

        let sum = Arc::new(AtomicUsize::new(0));
        for (server, failed) in [
            (net.serve_text(with_state(sum.clone(), collect)).await, 0),
            (net.serve_text(no_reply(with_state(sum.clone(), collect))).await, 0),
            (net.serve_text(with_state(sum.clone(), try_to_collect)).await, 1),
            (net.serve_text(no_reply(with_state(sum.clone(), try_to_collect))).await, 1),
        ] {
            let peer = net.peer_of(&server.handle).await;
            sum.store(0, Relaxed);

            for text in ["17", "none", "4"] {
                peer.send(text).await;
            }

            until(|| server.handle.stats().conversations == 3).await;
            assert_eq!(sum.load(Relaxed), 21);
            assert!(peer.hears_nothing().await);
            let stats = server.handle.stats();
            assert_eq!((stats.sent, stats.failed), (0, failed));
            server.stop().await;
        }
    }

    // D-24
    async fn a_response_that_is_itself_a_result_or_an_option_is_sent_as_it_is(net) {
        let parse = async |text: String| text.parse::<u32>().map_err(|_| "no number".to_owned());
        let protocol = Json::<String, Result<u32, String>>::new();
        let server = net.serve(Server::builder(protocol, parse)).await;
        let peer = net.peer_of(&server.handle).await;
        assert_eq!(peer.ask("\"2\"").await, "{\"Ok\":2}");
        assert_eq!(peer.ask("\"two\"").await, "{\"Err\":\"no number\"}");
        assert_eq!(server.handle.stats().failed, 0);
        server.stop().await;

        let parse = async |text: String| text.parse::<u32>().ok();
        let protocol = Json::<String, Option<u32>>::new();
        let server = net.serve(Server::builder(protocol, parse)).await;
        let peer = net.peer_of(&server.handle).await;
        assert_eq!(peer.ask("\"2\"").await, "2");
        assert_eq!(peer.ask("\"two\"").await, "null");
        server.stop().await;
    }

    // D-23, D-24: adapters determine the type of the response if the protocol takes its types from the
    // function.
    async fn a_protocol_takes_its_types_from_adapted_functions(net) {
        async fn half(number: u32) -> Result<f64, BoxError> {
            if number == 0 { Err("nothing".into()) } else { Ok(f64::from(number) / 2.0) }
        }

        async fn half_of_some(number: u32) -> Option<f64> {
            half(number).await.ok()
        }

        for (server, failed) in [
            (net.serve(Server::builder(Json::new(), try_reply(half))).await, 1),
            (net.serve(Server::builder(Json::new(), reply_if(half_of_some))).await, 0),
            (net.serve(Server::builder(Json::<u32, f64>::new(), half)).await, 1),
        ] {
            let peer = net.peer_of(&server.handle).await;

            peer.send("0").await;

            assert_eq!(peer.ask("5").await, "2.5");
            until(|| server.handle.stats().conversations == 2).await;
            assert_eq!(server.handle.stats().failed, failed);
            server.stop().await;
        }
    }

    // D-25
    async fn all_calls_share_one_state(net) {
        async fn count(calls: Arc<AtomicUsize>, text: String) -> String {
            yield_now().await;
            format!("{text} {}", calls.fetch_add(1, Relaxed) + 1)
        }

        async fn count_for(calls: Arc<AtomicUsize>, text: String, addr: Addr) -> Option<String> {
            (text != "quiet").then(|| format!("{addr} {}", calls.fetch_add(1, Relaxed) + 1))
        }

        let calls = Arc::new(AtomicUsize::new(0));
        let server = net.serve_text(with_state(Arc::clone(&calls), count)).await;
        let peers = [net.peer_of(&server.handle).await, net.peer_of(&server.handle).await];
        assert_eq!(peers[0].ask("first").await, "first 1");
        assert_eq!(peers[1].ask("second").await, "second 2");
        assert_eq!(peers[0].ask("third").await, "third 3");
        server.stop().await;
        assert_eq!(calls.load(Relaxed), 3);

        let calls = Arc::new(AtomicUsize::new(0));
        let server = net.serve_text(with_state(Arc::clone(&calls), count_for)).await;
        let peer = net.peer_of(&server.handle).await;
        peer.send("quiet").await;
        assert_eq!(peer.ask("loud").await, format!("{} 1", peer.addr()));
        server.stop().await;
    }

    // D-19
    async fn functions_of_all_forms_do_not_answer_a_datagram_that_does_not_decode(net) {
        let state = Arc::new(());
        let handlers: [BoxHandler<String, String>; 5] = [
            BoxHandler::new(may_fail),
            BoxHandler::new(try_reply(may_fail)),
            BoxHandler::new(async |text: String, _: Addr| text),
            BoxHandler::new(with_state(state, async |_: Arc<()>, text: String| text)),
            BoxHandler::new(no_reply(async |_: String| {})),
        ];

        for handler in handlers {
            let server = net.serve_text(handler).await;
            let peer = net.peer_of(&server.handle).await;

            peer.send(b"\xe9").await;

            until(|| server.handle.stats().conversations == 1).await;
            assert!(peer.hears_nothing().await);
            let stats = server.handle.stats();
            assert_eq!((stats.decode_errors, stats.failed, stats.sent), (1, 0, 0));
            server.stop().await;
        }
    }

    // D-23
    async fn a_value_of_a_users_type_becomes_the_reply_that_into_reply_returns(net) {
        enum Verdict {
            Say(&'static str),
            Ignore,
        }

        impl IntoReply<String, Self> for Verdict {
            type Error = Infallible;

            fn into_reply(self) -> Result<Option<String>, Infallible> {
                Ok(match self {
                    Self::Say(text) => Some(text.to_owned()),
                    Self::Ignore => None,
                })
            }
        }

        let judge = async |text: String| {
            if text == "ping" { Verdict::Say("pong") } else { Verdict::Ignore }
        };
        let server = net.serve(Server::builder(Text, judge)).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("hello").await;

        assert_eq!(peer.ask("ping").await, "pong");
        server.stop().await;
    }
}
