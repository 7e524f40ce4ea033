//! L-19, L-27, G-9: serving ends while datagrams wait.

use datagrammar::{RecvError, ServerHandle, ServerStats};

use super::*;

/// Waits for serving to end after "talk". Another request blocks the worker.
fn talks(
    slow: &Slow,
    handle: &Arc<OnceLock<ServerHandle>>,
    peers: usize,
) -> impl datagrammar::Handler<String, String> {
    conversing!(
        [slow, handle] | peer | {
            let text = peer.recv().await?;
            let note = |text: &str| {
                let mut received = slow.received.lock().unwrap();
                received.push(text.to_owned());
                received.len()
            };
            match text.as_str() {
                "talk" => {
                    note("talk");
                    assert!(matches!(peer.recv().await, Err(RecvError::Closed)));
                    note("closed");
                    return Ok(());
                }
                "begin" => slow.send(peers),
                _ => thread::sleep(LONG),
            }
            // At that time the others wait.
            if note(&text) == 12 {
                assert_eq!(handle.get().unwrap().graceful_shutdown(Duration::MAX).await, 0);
            }
            Ok(())
        }
    )
}

// L-27, A-12
#[tokio::test]
async fn a_graceful_end_serves_new_peers_that_wait_and_tells_the_others_at_once() {
    let (slow, handle, net) =
        (Slow::default(), Arc::new(OnceLock::new()), Net::Loopback("127.0.0.1"));
    let limits = Limits::default().max_queue_time(LIMIT * 100);
    let handler = talks(&slow, &handle, 30);
    let server = net.serve(Server::builder(Text, handler).limits(limits)).await;
    handle.set(server.handle.clone()).unwrap();
    slow.addr.set(server.handle.local_addrs().swap_remove(0).socket_addr().unwrap()).unwrap();
    let talker = net.peer_of(&server.handle).await;
    talker.send("talk").await;
    until(|| slow.received.lock().unwrap().len() == 1).await;
    net.peer_of(&server.handle).await.send("begin").await;

    within_deadline(server.serving).await.unwrap().unwrap();

    let stats = server.handle.stats();
    assert_eq!((stats.total_dropped(), stats.aborted, stats.queued_bytes), (0, 0, 0));
    assert_eq!(stats.received, stats.delivered);
    let received = slow.received.lock().unwrap();
    let closed = received.iter().position(|text| text == "closed").unwrap();
    assert!(closed + 5 < received.len(), "{received:?}");
}

// L-19, G-9
#[tokio::test]
async fn when_serving_is_dropped_what_waits_is_counted_and_the_next_serving_is_not_overloaded() {
    let (slow, handle, net) =
        (Slow::default(), Arc::new(OnceLock::new()), Net::Loopback("127.0.0.1"));
    let limits = Limits::default().max_queue_time(LIMIT * 100);
    let server = net.bind(Server::builder(Text, talks(&slow, &handle, 30)).limits(limits));
    let stats = server.handle();
    slow.addr.set(server.local_addr().socket_addr().unwrap()).unwrap();
    let peer = net.peer_of(&stats).await;

    tokio::select! {
        _ = server.serve() => unreachable!(),
        () = async {
            until(|| stats.is_serving()).await;
            peer.send("begin").await;
            until(|| slow.numbers().len() >= 9).await;
        } => {}
    }
    within_deadline(stats.stopped()).await;

    let ended = stats.stats();
    assert_eq!(ended.received, ended.delivered + ended.total_dropped(), "{ended:?}");
    assert!(ended.dropped(DropReason::ShuttingDown) > 0 && ended.queued_bytes == 0);
    let before = slow.numbers().len();
    let server = Running::start(server).await;
    peer.send("77").await;
    until(|| slow.numbers().len() == before + 1).await;
    server.stop().await;
}

/// Ends a server at its 20th request, gracefully or not, while others wait in the worker.
async fn end_in_overload(is_graceful: bool) -> ServerStats {
    let (slow, handle) = (Slow::default(), Arc::new(OnceLock::<ServerHandle>::new()));
    let handler = {
        let (slow, handle) = (slow.clone(), Arc::clone(&handle));
        move |text: String| {
            let (slow, handle) = (slow.clone(), handle.get().cloned());
            async move {
                match text.as_str() {
                    "begin" => slow.send(40),
                    "20" => {
                        tokio::spawn(async move {
                            let handle = handle.unwrap();
                            if is_graceful {
                                handle.graceful_shutdown(LIMIT * 600).await;
                            } else {
                                handle.shutdown().await;
                            }
                        });
                    }
                    _ => thread::sleep(LONG),
                }
                text
            }
        }
    };
    let net = Net::Loopback("127.0.0.1");
    let limits = Limits::default().max_queue_time(LIMIT * 100);
    let server = net.serve(Server::builder(Text, handler).limits(limits)).await;
    handle.set(server.handle.clone()).unwrap();
    slow.addr.set(server.handle.local_addrs().swap_remove(0).socket_addr().unwrap()).unwrap();
    net.peer_of(&server.handle).await.send("begin").await;

    within_deadline(server.serving).await.unwrap().unwrap();

    let stats = server.handle.stats();
    assert_eq!((stats.received, stats.queued_bytes, stats.active_conversations), (41, 0, 0));
    assert_eq!(stats.received, stats.delivered + stats.total_dropped());
    stats
}

// L-27
#[tokio::test]
async fn a_graceful_end_serves_those_that_wait_in_the_worker() {
    assert_eq!(end_in_overload(true).await.delivered, 41);
}

// L-12
#[tokio::test]
async fn a_shutdown_drops_those_that_wait_in_the_worker() {
    let stats = end_in_overload(false).await;

    assert!(stats.dropped(DropReason::ShuttingDown) > 0);
    assert_eq!(stats.dropped(DropReason::ShuttingDown), stats.total_dropped());
}
