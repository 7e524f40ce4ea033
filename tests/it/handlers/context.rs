//! H-15: the context that a conversation sets, such as task-local values and spans, is not visible to others.

use std::sync::Arc;

use tokio::{sync::Notify, task_local};
use tracing::{Instrument, Level};

use super::two_peers;
use crate::{
    log::Log,
    support::{Net, conversing, everywhere, until},
};

task_local! {
    static CONTEXT: String;
}

fn context() -> String {
    CONTEXT.try_with(String::clone).unwrap_or_else(|_| "none".to_owned())
}

everywhere! {
    // H-15
    async fn a_task_local_value_is_not_visible_to_later_conversations(net) {
        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            if request == "set" {
                return CONTEXT.scope("mine".to_owned(), async {
                    peer.send(&context()).await?;
                    Ok(())
                }).await;
            }
            Ok(peer.send(&context()).await?)
        })).await;
        let (peer, other) = two_peers(&net, &server.handle).await;

        assert_eq!(peer.ask("set").await, "mine");
        assert_eq!(peer.ask("look").await, "none");
        assert_eq!(other.ask("look").await, "none");
        server.stop().await;
    }

    // H-15
    async fn a_task_local_value_of_a_conversation_that_waits_is_not_visible_to_others(net) {
        let gate = Arc::new(Notify::new());
        let server = net.serve_text(conversing!([gate] |peer| {
            let request = peer.recv().await?;
            if request == "set" {
                return CONTEXT.scope("mine".to_owned(), async {
                    peer.send(&context()).await?;
                    gate.notified().await;
                    peer.send(&context()).await?;
                    Ok(())
                }).await;
            }
            Ok(peer.send(&context()).await?)
        })).await;
        let (peer, other) = two_peers(&net, &server.handle).await;

        assert_eq!(peer.ask("set").await, "mine");
        assert_eq!(other.ask("look").await, "none");
        peer.send("look").await;
        gate.notify_one();
        assert_eq!([peer.recv_text().await, peer.recv_text().await], ["mine", "none"]);
        server.stop().await;
    }

    // H-15
    async fn a_task_local_value_of_a_conversation_that_panics_is_not_visible_to_others(net) {
        let server = net.serve_text(conversing!(|peer| {
            let request = peer.recv().await?;
            if request == "look" {
                return Ok(peer.send(&context()).await?);
            }
            CONTEXT.scope("mine".to_owned(), async {
                if request == "wait" {
                    tokio::task::yield_now().await;
                }
                panic!("as asked");
            }).await
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("panic").await;
        peer.send("wait").await;

        assert_eq!(peer.ask("look").await, "none");
        until(|| server.handle.stats().panicked == 2).await;
        server.stop().await;
    }
}

// H-15
#[tokio::test(start_paused = true)]
async fn a_span_that_a_conversation_has_entered_is_not_visible_to_others() {
    let log = Log::capture();
    let net = Net::memory();
    let gate = Arc::new(Notify::new());
    let server = net
        .serve_text(conversing!(
            [gate] | peer | {
                match peer.recv().await?.as_str() {
                    "wait" => {
                        let waiting = async {
                            tracing::info!("before");
                            gate.notified().await;
                            tracing::info!("after");
                        };
                        waiting.instrument(tracing::info_span!("mine")).await;
                    }
                    "panic" => {
                        let _entered = tracing::info_span!("broken").entered();
                        panic!("as asked");
                    }
                    _ => tracing::info!("look"),
                }
                Ok(peer.send(&"done".to_owned()).await?)
            }
        ))
        .await;
    let (peer, other) = two_peers(&net, &server.handle).await;

    peer.send("wait").await;
    other.send("panic").await;
    other.ask("look").await;
    gate.notify_one();
    peer.recv().await;
    peer.ask("look").await;

    let told = log.at(Level::INFO);
    let spans: Vec<_> = ["before", "look", "after"]
        .into_iter()
        .map(|message| {
            let told = told.iter().filter(|told| told.message == message);
            told.map(|told| told.spans.iter().map(|span| span.name).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        })
        .collect();
    let (set, plain) = (vec!["mine", "conversation"], vec!["conversation"]);
    assert_eq!(spans, [vec![set.clone()], vec![plain.clone(), plain], vec![set]]);
    server.stop().await;
}
