//! L-9 and L-14: a handler, a background task or a clean-up awaits the shutdown of its own server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::ServerHandle;
use tokio::time::Instant;

use super::{Sleeps, Steps, TestServer, echo, ended, in_memory, settle, starting};
use crate::{
    log::Log,
    support::{Net, conversing, within_deadline},
};

// L-9, L-14
#[tokio::test(start_paused = true)]
async fn a_shutdown_awaited_by_a_handler_returns_at_once() {
    for inline in [true, false] {
        let handle = Arc::new(Mutex::new(None::<ServerHandle>));
        let (server, serving, peer) = in_memory(conversing!(
            [handle] | peer | {
                peer.recv().await?;
                if !inline {
                    settle().await;
                }
                let handle = handle.lock().unwrap().clone().unwrap();
                handle.shutdown().await;
                Ok(())
            }
        ))
        .await;
        *handle.lock().unwrap() = Some(server.handle.clone());
        let begun = Instant::now();

        peer.send("shut down").await;

        ended(serving).await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(750), "the shutdown waited for the grace");
        assert_eq!(server.handle.stats().aborted, 0);
    }
}

// L-14
#[tokio::test(start_paused = true)]
async fn a_shutdown_awaited_by_a_background_task_or_while_starting_ends_with_it() {
    let in_background = starting!(
        |context| {
            let handle = context.handle().clone();
            context.spawn(async move {
                handle.shutdown().await;
                Ok(())
            });
            Ok(())
        },
        echo
    );
    let while_starting = starting!(
        |context| {
            context.handle().shutdown().await;
            Err("it goes on".into())
        },
        echo
    );

    ended(TestServer::bind(&Net::memory(), in_background).begin()).await.unwrap();
    ended(TestServer::bind(&Net::memory(), while_starting).begin()).await.unwrap();
}

// L-14
#[tokio::test(start_paused = true)]
async fn a_shutdown_awaited_by_a_clean_up_returns_at_once() {
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let handle = context.handle().clone();
            context.on_shutdown(async move {
                handle.shutdown().await;
                assert_eq!(handle.drain(Duration::from_secs(1)).await, 0);
                steps.note("cleans up");
            });
            Ok(())
        },
        echo
    );
    let (server, serving, _peer) = in_memory(handler).await;

    within_deadline(server.handle.shutdown()).await;

    ended(serving).await.unwrap();
    assert_eq!(steps.all(), ["cleans up"]);
}

// L-14
#[tokio::test(start_paused = true)]
async fn a_clean_up_may_wait_for_the_shutdown_of_another_server() {
    let (other, others_serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;
    let handle = other.handle.clone();
    let handler = starting!(
        [handle] | context | {
            context.on_shutdown(async move {
                handle.shutdown().await;
                assert!(!handle.is_serving() && handle.stats().aborted == 1);
            });
            Ok(())
        },
        echo
    );
    let log = Log::capture();
    let (server, serving, _peer) = in_memory(handler).await;

    within_deadline(server.handle.shutdown()).await;

    assert!(others_serving.is_finished());
    ended(serving).await.unwrap();
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}
