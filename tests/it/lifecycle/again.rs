//! D-8 and L-19 with two servings: the second begins when nothing is left of the first.

use std::{
    collections::HashSet,
    net::UdpSocket,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
};

use datagrammar::{Addr, BoxError, Handler, Peer, Server, ServerContext, Text, Udp};
use tokio::runtime::{Builder, Runtime};

use super::{Steps, TestServer, abort, ended, settle, starting};
use crate::support::{Bytes, Net, conversing, until, within_deadline};

// D-8, L-2, L-19
#[tokio::test(start_paused = true)]
async fn serving_begins_when_nothing_is_left_of_the_dropped_serving() {
    let net = Net::memory();
    let (steps, peer) = (Steps::default(), Arc::new(Mutex::new(None::<Bytes>)));
    let handler = starting!(
        [steps, peer] | context | {
            steps.note("start");
            let task = steps.on_drop("background task is gone");
            context.spawn(async move {
                let _task = task;
                std::future::pending().await
            });
            let peer = peer.lock().unwrap().clone();
            if let Some(peer) = peer {
                peer.send("early").await;
            }
            Ok(())
        },
        conversing!(
            [steps] | peer | {
                steps.note("conversation");
                let _conversation = steps.on_drop("conversation is gone");
                let request = peer.recv().await?;
                peer.send(&request).await?;
                std::future::pending().await
            }
        )
    );
    let server = TestServer::bind(&net, handler);
    let asks = net.peer_of(&server.handle).await;
    let mut serving = Box::pin(server.server.serve());
    tokio::select! {
        _ = &mut serving => unreachable!("it serves"),
        answer = asks.ask("hello") => assert_eq!(answer, "hello"),
    }
    *peer.lock().unwrap() = Some(asks.clone());

    drop(serving);
    let mut serving = Box::pin(server.server.serve());
    tokio::select! {
        _ = &mut serving => unreachable!("it serves"),
        answer = asks.recv_text() => assert_eq!(answer, "early"),
    }

    let mut steps = steps.all();
    steps[2..4].sort();
    let gone = ["background task is gone", "conversation is gone"];
    assert_eq!(steps[..2], ["start", "conversation"]);
    assert_eq!(steps[2..4], gone);
    assert_eq!(steps[4..], ["start", "conversation"]);
}

/// The peers in conversation, as a handler of the user's would track them.
#[derive(Clone, Default)]
struct Registry {
    present: Arc<Mutex<HashSet<Addr>>>,
    entered: Arc<AtomicUsize>,
    overlaps: Arc<AtomicUsize>,
    /// Each of them sends one datagram, before the first conversation.
    peers: Arc<Mutex<Vec<UdpSocket>>>,
}

struct Entry(Registry, Addr);

impl Registry {
    fn enter(&self, peer: &Addr) -> Entry {
        let new = self.present.lock().unwrap().insert(peer.clone());
        self.overlaps.fetch_add(usize::from(!new), Relaxed);
        self.entered.fetch_add(1, Relaxed);
        Entry(self.clone(), peer.clone())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.present.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl Handler<String, String> for Registry {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        for peer in &*self.peers.lock().unwrap() {
            peer.send(b"hello")?;
        }
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let _entry = self.enter(peer.addr());
        peer.recv().await?;
        peer.recv().await?;
        Ok(())
    }
}

fn runtime(threads: usize) -> Runtime {
    if threads == 1 {
        return Builder::new_current_thread().enable_all().build().unwrap();
    }
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

const PEERS: usize = 50;
const SERVINGS: usize = 30;

// D-8, L-19
#[test]
fn no_conversation_begins_while_the_peer_still_has_one_of_a_dropped_serving() {
    let several = if cfg!(all(target_os = "linux", not(datagrammar_portable))) { 2 } else { 1 };
    for (threads, workers, dedicated_threads) in
        [(1, 1, false), (2, 1, false), (4, several, false), (1, 1, true), (2, several, true)]
    {
        runtime(threads).block_on(async {
            let registry = Registry::default();
            let builder = Server::builder(Text, registry.clone());
            let builder = builder.dedicated_threads(dedicated_threads);
            let server =
                Arc::new(builder.bind(Udp::new("127.0.0.1:0").workers(workers)).await.unwrap());
            for _ in 0..PEERS {
                let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
                peer.connect(server.local_addr()).unwrap();
                registry.peers.lock().unwrap().push(peer);
            }

            for served in 1..=SERVINGS {
                let server = Arc::clone(&server);
                let serving = tokio::spawn(async move { server.serve().await });
                until(|| registry.entered.load(Relaxed) >= served * PEERS).await;
                abort(serving).await;
            }

            assert_eq!(
                registry.overlaps.load(Relaxed),
                0,
                "{threads}, {workers}, {dedicated_threads}"
            );
        });
    }
}

// L-9, L-14, L-19
#[test]
fn serving_that_waits_for_a_blocked_conversation_can_be_shut_down() {
    for dedicated_threads in [false, true] {
        runtime(3).block_on(async {
            let (blocked, is_blocked) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let (blocked, released) =
                (Arc::new(Mutex::new(blocked)), Arc::new(Mutex::new(released)));
            let steps = Steps::default();
            let handler = starting!(
                [steps] | _service | {
                    steps.note("start");
                    Ok(())
                },
                conversing!(
                    [blocked, released] | peer | {
                        let request = peer.recv().await?;
                        if request == "block" {
                            blocked.lock().unwrap().send(())?;
                            released.lock().unwrap().recv()?;
                        }
                        Ok(peer.send(&request).await?)
                    }
                )
            );
            let builder = Server::builder(Text, handler).dedicated_threads(dedicated_threads);
            let server = builder.bind("127.0.0.1:0").await.unwrap();
            let server = TestServer { handle: server.handle(), server: Arc::new(server) };
            let peer = Net::Loopback("127.0.0.1").peer_of(&server.handle).await;
            let serving = server.serve().await;
            peer.send("block").await;
            tokio::task::spawn_blocking(move || is_blocked.recv().unwrap()).await.unwrap();

            abort(serving).await;
            let serving = server.begin();
            settle().await;
            assert!(!server.handle.is_serving());
            // Before serving has begun, a shutdown has no effect, so this repeats it.
            within_deadline(async {
                while !serving.is_finished() {
                    server.handle.shutdown().await;
                    tokio::task::yield_now().await;
                }
            })
            .await;
            ended(serving).await.unwrap();
            assert_eq!(steps.all(), ["start"]);

            release.send(()).unwrap();
            let serving = server.serve().await;
            peer.send("hello").await;
            // The request that was blocked may be answered first.
            while peer.recv_text().await != "hello" {}
            assert_eq!(steps.all(), ["start", "start"]);
            server.stop(serving).await;
        });
    }
}
