//! L-14: calls that ask for the end of serving, wait for it, or wait until it begins, also from inside the
//! server.

use std::{
    future::pending,
    net::UdpSocket,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{BoxError, Handler, Peer, RecvError, Server, ServerContext, ServerHandle, Text};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, timeout};

use super::{Sleeps, Steps, TestServer, abort, echo, ended, in_memory, settle, starting};
use crate::support::{Net, conversing, everywhere, until, within_deadline};

/// Ends its own server in the way that the request says, and then sends "goodbye".
#[derive(Clone, Default)]
struct Quits(Arc<Mutex<Option<ServerHandle>>>);

impl Handler<String, String> for Quits {
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        *self.0.lock().unwrap() = Some(context.handle().clone());
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let handle = self.0.lock().unwrap().clone().unwrap();
        let request = peer.recv().await?;
        let (way, later) = request.split_once(' ').unwrap_or((&request, ""));
        if later == "later" {
            sleep(Duration::from_millis(1)).await;
        }
        match way {
            "begin" => handle.begin_shutdown(),
            "shutdown" => handle.shutdown().await,
            "drain" => assert_eq!(handle.drain(Duration::from_secs(60)).await, 0),
            _ => unreachable!("no such way"),
        }
        assert!(!handle.is_serving());
        Ok(peer.send(&"goodbye".to_owned()).await?)
    }
}

everywhere! {
    // L-9, L-14
    async fn a_conversation_that_ends_its_server_goes_on(net) {
        let server = TestServer::bind(&net, Quits::default());
        let peer = net.peer_of(&server.handle).await;
        for way in ["begin", "shutdown", "drain", "begin later", "shutdown later", "drain later"] {
            let serving = server.serve().await;

            assert_eq!(peer.ask(way).await, "goodbye");

            ended(serving).await.unwrap();
        }
        assert_eq!(server.handle.stats().aborted, 0);
    }

    // L-14
    async fn stopping_completes_before_the_server_has_ended(net) {
        let quits = Quits::default();
        let server = TestServer::bind(&net, conversing!([quits] |peer| {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            let handle = quits.0.lock().unwrap().clone().unwrap();
            handle.stopping().await;
            Ok(peer.send(&"goodbye".to_owned()).await?)
        }));
        *quits.0.lock().unwrap() = Some(server.handle.clone());
        let peer = net.peer_of(&server.handle).await;
        for drains in [false, true] {
            let serving = server.serve().await;
            peer.ask("hello").await;
            assert!(server.handle.stopping().now_or_never().is_none());

            if drains {
                assert_eq!(within_deadline(server.handle.drain(Duration::MAX)).await, 0);
            } else {
                within_deadline(server.handle.shutdown()).await;
            }

            assert_eq!(peer.recv_text().await, "goodbye");
            ended(serving).await.unwrap();
        }
        assert_eq!(server.handle.stats().aborted, 0);
    }

    // L-14
    async fn stopping_and_stopped_return_at_once_if_the_server_does_not_serve(net) {
        let server = TestServer::bind(&net, echo);
        let handle = server.handle.clone();

        for _ in 0..2 {
            handle.begin_shutdown();
            within_deadline(handle.stopping()).await;
            within_deadline(handle.stopped()).await;
            let serving = server.serve().await;
            assert!(handle.stopping().now_or_never().is_none(), "the request was made before serving began");
            assert!(handle.stopped().now_or_never().is_none());
            server.stop(serving).await;
        }
        drop(server);

        handle.begin_shutdown();
        within_deadline(handle.stopping()).await;
        within_deadline(handle.stopped()).await;
    }
}

// L-14
#[tokio::test(start_paused = true)]
async fn stopping_completes_when_the_end_begins_and_stopped_when_it_is_over() {
    let (server, serving, peer) = in_memory(Sleeps).await;
    peer.ask("hello").await;
    let begun = Instant::now();
    let heard = |waiting: BoxFuture<'static, ()>| async move {
        tokio::spawn(waiting).await.unwrap();
        begun.elapsed().as_millis()
    };
    let (handle, other) = (server.handle.clone(), server.handle.clone());

    let (stopping, stopped, ()) = tokio::join!(
        heard(async move { handle.stopping().await }.boxed()),
        heard(async move { other.stopped().await }.boxed()),
        async {
            sleep(Duration::from_millis(100)).await;
            server.handle.begin_shutdown();
        },
    );

    assert_eq!((stopping, stopped), (100, 850));
    ended(serving).await.unwrap();
}

// L-14, L-19
#[tokio::test(start_paused = true)]
async fn stopping_and_stopped_complete_when_the_serve_future_is_dropped() {
    let (server, serving, _peer) = in_memory(echo).await;
    let (handle, other) = (server.handle.clone(), server.handle.clone());
    let stopping = tokio::spawn(async move { handle.stopping().await });
    let stopped = tokio::spawn(async move { other.stopped().await });
    settle().await;

    abort(serving).await;

    within_deadline(stopping).await.unwrap();
    within_deadline(stopped).await.unwrap();
}

// L-11, L-14
#[tokio::test(start_paused = true)]
async fn a_conversation_that_waits_until_its_server_has_ended_is_aborted() {
    let handle = Arc::new(Mutex::new(None::<ServerHandle>));
    let (server, serving, peer) = in_memory(conversing!(
        [handle] | peer | {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            let handle = handle.lock().unwrap().clone();
            handle.unwrap().stopped().await;
            unreachable!("it is dropped before");
        }
    ))
    .await;
    *handle.lock().unwrap() = Some(server.handle.clone());
    peer.ask("hello").await;

    server.stop(serving).await;

    assert_eq!((server.handle.stats().aborted, server.handle.stats().panicked), (1, 0));
}

/// Ends serving and waits for the end, in every way.
async fn wait_for_the_end(handle: &ServerHandle) {
    handle.shutdown().await;
    handle.stopped().await;
    assert_eq!(handle.drain(Duration::from_secs(1)).await, 0);
}

// L-14
#[tokio::test(start_paused = true)]
async fn a_clean_up_may_wait_for_the_end_together_with_other_futures() {
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let handle = context.handle().clone();
            context.on_shutdown(async move {
                tokio::join!(wait_for_the_end(&handle), sleep(Duration::from_millis(1)));
                let waiting: FuturesUnordered<_> =
                    (0..3).map(|_| wait_for_the_end(&handle)).collect();
                assert_eq!(waiting.count().await, 3);
                steps.note("cleans up");
            });
            Ok(())
        },
        echo
    );
    let (server, serving, _peer) = in_memory(handler).await;

    server.stop(serving).await;

    assert_eq!(steps.all(), ["cleans up"]);
}

// L-14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_up_may_block_its_thread_until_the_end() {
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let handle = context.handle().clone();
            context.on_shutdown(async move {
                let runtime = tokio::runtime::Handle::current();
                tokio::task::block_in_place(|| runtime.block_on(wait_for_the_end(&handle)));
                steps.note("cleans up");
            });
            Ok(())
        },
        echo
    );
    let server = TestServer::bind(&Net::Loopback("127.0.0.1"), handler);
    let serving = server.serve().await;

    server.stop(serving).await;

    assert_eq!(steps.all(), ["cleans up"]);
}

// L-13, L-14
#[tokio::test(start_paused = true)]
async fn another_task_that_awaits_a_shutdown_waits_for_the_clean_ups_and_begin_shutdown_does_not() {
    let steps = Steps::default();
    let handler = starting!(
        [steps] | context | {
            let handle = context.handle().clone();
            context.on_shutdown(async move {
                let other = handle.clone();
                tokio::spawn(async move { other.begin_shutdown() }).await.unwrap();
                let mut waits = tokio::spawn(async move { handle.shutdown().await });
                let waited = timeout(Duration::from_secs(3_600), &mut waits).await;
                steps.note(format!("waited: {}", waited.is_ok()));
                tokio::spawn(async move {
                    waits.await.unwrap();
                    steps.note("the other task has waited");
                });
            });
            Ok(())
        },
        echo
    );
    let (server, serving, _peer) = in_memory(handler).await;

    server.handle.begin_shutdown();
    serving.await.unwrap().unwrap();
    until(|| steps.all().len() == 2).await;

    assert_eq!(steps.all(), ["waited: false", "the other task has waited"]);
}

/// Serves with a conversation and a background task that wait.
async fn busy() -> (Server, ServerHandle, UdpSocket) {
    let handler = starting!(
        |context| {
            context.spawn(pending());
            Ok(())
        },
        conversing!(|peer| {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            match peer.recv().await {
                Err(RecvError::Closed) => Ok(()),
                other => unreachable!("{other:?}"),
            }
        })
    );
    let server = Server::builder(Text, handler).bind("127.0.0.1:0").await.unwrap();
    let handle = server.handle();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(server.local_addr()).unwrap();
    (server, handle, peer)
}

const TRIES: usize = 100;

// L-20
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_port_is_free_when_serve_has_returned_and_the_server_is_dropped() {
    for _ in 0..TRIES {
        let (server, handle, peer) = busy().await;
        let serving = tokio::spawn(async move { server.serve().await });
        peer.send(b"hello").unwrap();
        until(|| handle.stats().sent == 1).await;

        handle.begin_shutdown();
        ended(serving).await.unwrap();

        UdpSocket::bind(peer.peer_addr().unwrap()).unwrap();
    }
}

// L-19, L-20
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_port_is_free_when_an_aborted_server_has_stopped_completely() {
    for _ in 0..TRIES {
        let (server, handle, peer) = busy().await;
        let serving = tokio::spawn(async move { server.serve().await });
        peer.send(b"hello").unwrap();
        until(|| handle.stats().sent == 1).await;

        abort(serving).await;
        within_deadline(handle.stopped()).await;

        UdpSocket::bind(peer.peer_addr().unwrap()).unwrap();
    }
}
