//! H-10, H-14: the events of serving, and the spans of conversations.

use std::{collections::BTreeMap, time::Duration};

use crate::support::BindNow;

use datagrammar::{Server, Text};
use tokio::{task::yield_now, time::sleep};
use tracing::{Instrument, Level};

use super::{serve, settle};
use crate::{
    log::{Log, Scope},
    support::{Net, Running, conversing, within_deadline},
};

fn conversation(peer: &crate::support::Bytes) -> Scope {
    let fields = [("peer".to_owned(), peer.addr().to_string())];
    Scope { name: "conversation", fields: BTreeMap::from(fields) }
}

// H-10
#[tokio::test(start_paused = true)]
async fn each_serving_logs_serving_stopping_and_stopped() {
    let log = Log::capture();
    let net = Net::memory();
    let server = Server::builder(Text, async |text: String| text).bind_now(net.socket()).unwrap();
    let handle = server.handle();

    for _ in 0..2 {
        let (served, ()) = tokio::join!(server.serve(), async {
            assert!(handle.ready().await);
            handle.shutdown().await;
        });
        served.unwrap();
    }

    let expected = ["serving", "stopping", "stopped"].repeat(2);
    assert_eq!(log.messages(Level::INFO), expected);
}

// H-10
#[tokio::test]
async fn the_serving_event_names_every_address() {
    let log = Log::capture();
    let server = Server::builder(Text, async |text: String| text)
        .bind(["127.0.0.1:0", "[::1]:0"])
        .await
        .unwrap();
    let addresses: Vec<_> = server.handle().local_addrs().iter().map(ToString::to_string).collect();

    Running::start(server).await.stop().await;

    let serving = &log.at(Level::INFO)[0];
    assert_eq!(serving.message, "serving");
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        assert!(serving.field("addresses").contains(&address), "{serving:?}");
    }
}

// H-10
#[tokio::test(start_paused = true)]
async fn stopping_is_logged_before_conversations_are_closed_and_stopped_after_the_last_has_ended() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        peer.recv().await?;
        peer.send(&"ready".to_owned()).await?;
        peer.recv().await.unwrap_err();
        tracing::info!("goodbye");
        sleep(Duration::from_millis(500)).await;
        tracing::info!("gone");
        Ok(())
    }))
    .await;
    peer.ask("hello").await;

    server.stop().await;

    let told = log.messages(Level::INFO);
    assert_eq!(told, ["serving", "stopping", "goodbye", "gone", "stopped"]);
}

// H-10
#[tokio::test(start_paused = true)]
async fn a_drain_logs_stopping_once() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        peer.recv().await?;
        peer.send(&"ready".to_owned()).await?;
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    }))
    .await;
    peer.ask("hello").await;

    within_deadline(server.handle.drain(Duration::from_secs(5))).await;
    within_deadline(server.serving).await.unwrap().unwrap();

    assert_eq!(log.messages(Level::INFO), ["serving", "stopping", "stopped"]);
}

// H-10, L-19
#[tokio::test(start_paused = true)]
async fn a_dropped_serve_future_logs_stopped() {
    let log = Log::capture();
    let (server, _peer) = serve(async |text: String| text).await;

    server.serving.abort();
    assert!(server.serving.await.unwrap_err().is_cancelled());

    assert_eq!(log.messages(Level::INFO), ["serving", "stopping", "stopped"]);
}

// H-14
#[tokio::test(start_paused = true)]
async fn every_conversation_has_a_span_below_the_one_in_which_the_server_serves() {
    let log = Log::capture();
    let net = Net::memory();
    let handler = conversing!(|peer| {
        let request = peer.recv().await?;
        tracing::info!("inline");
        if request == "wait" {
            yield_now().await;
            tracing::info!("task");
        }
        Ok(peer.send(&request).await?)
    });
    let server = Server::builder(Text, handler).bind_now(net.socket()).unwrap();
    let handle = server.handle();
    let serving = async move { server.serve().await };
    let serving = tokio::spawn(serving.instrument(tracing::info_span!("outer", shard = 7)));
    assert!(within_deadline(handle.ready()).await);
    let (first, second) = (net.peer_of(&handle).await, net.peer_of(&handle).await);

    first.ask("now").await;
    second.ask("wait").await;
    // The second datagram opens its conversation in the task of the first one.
    first.send("wait").await;
    first.send("now").await;
    assert_eq!([first.recv_text().await, first.recv_text().await], ["wait", "now"]);
    within_deadline(handle.shutdown()).await;
    within_deadline(serving).await.unwrap().unwrap();

    let outer =
        Scope { name: "outer", fields: BTreeMap::from([("shard".to_owned(), "7".to_owned())]) };
    let told: Vec<_> = log
        .at(Level::INFO)
        .into_iter()
        .filter(|told| ["inline", "task"].contains(&&*told.message))
        .map(|told| (told.message, told.spans))
        .collect();
    let of = |peer| vec![conversation(peer), outer.clone()];
    let expected = [
        ("inline", of(&first)),
        ("inline", of(&second)),
        ("task", of(&second)),
        ("inline", of(&first)),
        ("task", of(&first)),
        ("inline", of(&first)),
    ];
    assert_eq!(told, expected.map(|(message, spans)| (message.to_owned(), spans)));
}

// H-14
#[tokio::test(start_paused = true)]
async fn without_a_span_around_serving_conversations_are_at_the_top() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        peer.recv().await?;
        tracing::info!("inline");
        Ok(())
    }))
    .await;

    let elsewhere = tracing::info_span!("elsewhere");
    peer.send("hello").instrument(elsewhere.clone()).await;
    settle().instrument(elsewhere).await;

    let told = log.at(Level::INFO);
    assert_eq!(told[1].spans, [conversation(&peer)]);
    server.stop().await;
}

// H-14
#[tokio::test(start_paused = true)]
async fn failures_of_a_conversation_are_logged_in_its_span() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        if peer.recv().await? == "wait" {
            yield_now().await;
        }
        Err("no such thing".into())
    }))
    .await;

    peer.send("now").await;
    peer.send("wait").await;
    settle().await;

    let told: Vec<_> = log.alarms().into_iter().map(|told| told.spans).collect();
    assert_eq!(told, [[conversation(&peer)], [conversation(&peer)]]);
    server.stop().await;
}

// H-14, H-15
#[tokio::test(start_paused = true)]
async fn the_span_of_a_conversation_is_exited_however_the_conversation_ends() {
    let log = Log::capture();
    let (server, peer) = serve(conversing!(|peer| {
        let request = peer.recv().await?;
        if request.starts_with("later") {
            yield_now().await;
        }
        assert!(!request.ends_with("panic"), "as asked");
        Ok(peer.send(&request).await?)
    }))
    .await;

    for request in ["return", "panic", "later return", "later panic"] {
        peer.send(request).await;
        settle().await;
        tracing::info!("outside");
    }

    let outside = log.at(Level::INFO).into_iter().filter(|told| told.message == "outside");
    let spans: Vec<_> = outside.map(|told| told.spans).collect();
    assert_eq!(spans, [[], [], [], []]);
    server.stop().await;
}
