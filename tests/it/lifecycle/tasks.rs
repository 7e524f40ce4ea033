//! L-8, L-13 and H-16 for tasks that conversations start and that outlive them.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{
    BoxError, Handler, Limits, Peer, Server, ServerContext, SpawnError, Spawner, Text,
};
use socket2::SockRef;
use tokio::time::sleep;
use tracing::Level;

use super::{Steps, TestServer, abort, echo, in_memory, settle, starting};
use crate::{
    log::Log,
    support::{Gate, Net, conversing, everywhere, until, within_deadline},
};

everywhere! {
    // L-8, L-13
    async fn tasks_that_a_conversation_spawned_end_with_serving(net) {
        let steps = Steps::default();
        let handler = starting!(
            [steps] |context| {
                context.on_shutdown(async move { steps.note("clean-up") });
                Ok(())
            },
            conversing!([steps] |peer| {
                let request = peer.recv().await?;
                let task = steps.on_drop("task is dropped");
                peer.spawn(async move {
                    let _task = task;
                    pending().await
                })?;
                Ok(peer.send(&request).await?)
            })
        );
        let server = TestServer::bind(&net, handler);
        let peer = net.peer_of(&server.handle).await;
        for _ in 0..3 {
            let serving = server.serve().await;
            assert_eq!(peer.ask("hello").await, "hello");
            server.stop(serving).await;
        }

        assert_eq!(steps.all(), ["task is dropped", "clean-up"].repeat(3));
    }

    // L-13, L-19
    async fn tasks_that_a_conversation_spawned_are_dropped_with_the_serve_future(net) {
        let steps = Steps::default();
        let server = TestServer::bind(&net, conversing!([steps] |peer| {
            let request = peer.recv().await?;
            let task = steps.on_drop("task is dropped");
            peer.spawn(async move {
                let _task = task;
                pending().await
            })?;
            Ok(peer.send(&request).await?)
        }));
        let peer = net.peer_of(&server.handle).await;
        let serving = server.serve().await;
        peer.ask("hello").await;

        abort(serving).await;
        within_deadline(server.handle.stopped()).await;

        assert_eq!(steps.all(), ["task is dropped"]);
    }
}

/// Keeps the spawner that its start hook gets.
#[derive(Clone, Default)]
struct Keeps(Arc<Mutex<Option<Spawner>>>);

impl Keeps {
    fn spawner(&self) -> Spawner {
        self.0.lock().unwrap().clone().unwrap()
    }
}

impl Handler<String, String> for Keeps {
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        *self.0.lock().unwrap() = Some(context.spawner());
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        Ok(peer.send(&request).await?)
    }
}

// L-8, L-13
#[tokio::test(start_paused = true)]
async fn a_spawner_starts_tasks_while_its_server_serves() {
    let keeps = Keeps::default();
    let steps = Steps::default();
    let (server, serving, _peer) = in_memory(keeps.clone()).await;
    let spawner = keeps.spawner();
    let spawn = |step: &'static str| {
        let task = steps.on_drop(step);
        spawner.spawn(async move {
            let _task = task;
            pending().await
        })
    };

    spawn("first").unwrap();
    server.stop(serving).await;
    assert_eq!(steps.all(), ["first"]);
    assert!(matches!(spawn("between"), Err(SpawnError::Closed)));
    let serving = server.serve().await;
    spawn("second").unwrap();
    server.stop(serving).await;
    drop(server);

    assert!(matches!(spawn("after"), Err(SpawnError::Closed)));
    assert_eq!(steps.all(), ["first", "between", "second", "after"]);
}

// L-10, L-13
#[tokio::test(start_paused = true)]
async fn a_conversation_can_spawn_in_the_grace_and_its_task_ends_with_serving() {
    let steps = Steps::default();
    let (server, serving, peer) = in_memory(conversing!(
        [steps] | peer | {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            peer.recv().await.unwrap_err();
            let task = steps.on_drop("task is dropped");
            peer.spawn(async move {
                let _task = task;
                pending().await
            })?;
            steps.note("spawned");
            Ok(())
        }
    ))
    .await;
    peer.ask("hello").await;

    server.stop(serving).await;

    assert_eq!(steps.all(), ["spawned", "task is dropped"]);
}

// L-13
#[tokio::test(start_paused = true)]
async fn a_dropped_task_can_start_no_other_task() {
    struct Respawns(Spawner, Steps);

    impl Drop for Respawns {
        fn drop(&mut self) {
            let refused = matches!(self.0.spawn(pending()), Err(SpawnError::Closed));
            self.1.note(format!("refused: {refused}"));
        }
    }

    let (keeps, steps) = (Keeps::default(), Steps::default());
    let (server, serving, _peer) = in_memory(keeps.clone()).await;
    let respawns = Respawns(keeps.spawner(), steps.clone());
    keeps
        .spawner()
        .spawn(async move {
            let _respawns = respawns;
            pending().await
        })
        .unwrap();

    server.stop(serving).await;

    assert_eq!(steps.all(), ["refused: true"]);
}

// G-1
#[tokio::test(start_paused = true)]
async fn up_to_the_limit_tasks_run_and_an_ended_one_makes_room() {
    let (keeps, gate, steps) = (Keeps::default(), Gate::closed(), Steps::default());
    let limits = Limits::default().max_tasks(2);
    let server = TestServer::bind_within(limits, &Net::memory(), keeps.clone());
    let serving = server.serve().await;
    let spawner = keeps.spawner();
    let wait = || {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Ok(())
        }
    };

    for _ in 0..20 {
        spawner.spawn(wait()).unwrap();
        spawner.spawn(async { panic!("no place is lost") }).unwrap();
        let refused = steps.on_drop("refused");
        let error = spawner.spawn(async move {
            let _refused = refused;
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "2 background tasks run, the limit is 2");
        gate.open_once();
        settle().await;
    }

    assert_eq!(steps.all().len(), 20);
    server.stop(serving).await;
}

// G-1
#[tokio::test(start_paused = true)]
async fn the_tasks_of_the_start_hook_do_not_count() {
    let handler = starting!(
        |context| {
            context.spawn(pending());
            Ok(())
        },
        conversing!(|peer| {
            let request = peer.recv().await?;
            peer.spawn(async { Ok(()) })?;
            Ok(peer.send(&request).await?)
        })
    );
    let net = Net::memory();
    let server = TestServer::bind_within(Limits::default().max_tasks(1), &net, handler);
    let peer = net.peer_of(&server.handle).await;
    let serving = server.serve().await;

    assert_eq!(peer.ask("hello").await, "hello");
    server.stop(serving).await;
}

// H-16
#[tokio::test(start_paused = true)]
async fn each_failure_of_a_spawned_task_is_reported_once() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("not like this");
        }
    }

    let task = |expected: &str| -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> {
        match expected {
            "it failed" => Box::pin(async { Err("it failed".into()) }),
            "panicked: a mess" => Box::pin(async { panic!("a mess") }),
            _ => Box::pin(async {
                let _bomb = Bomb;
                pending().await
            }),
        }
    };
    for expected in ["it failed", "panicked: a mess", "panicked: not like this"] {
        let log = Log::capture();
        let keeps = Keeps::default();
        let (server, serving, peer) = in_memory(keeps.clone()).await;

        keeps.spawner().spawn(task(expected)).unwrap();
        settle().await;

        assert_eq!(peer.ask("goes on").await, "goes on");
        server.stop(serving).await;
        let told = log.alarm();
        assert_eq!((told.level, told.field("error")), (Level::ERROR, expected));
    }
}

// L-2
#[tokio::test]
async fn the_start_hook_can_access_the_sockets() {
    let net = Net::Loopback("127.0.0.1");
    let handler = starting!(
        |context| {
            let mut sockets = 0;
            for socket in context.sockets() {
                SockRef::from(&socket).set_ttl_v4(7)?;
                sockets += 1;
            }
            assert_eq!(sockets, context.local_addrs().len());
            Ok(())
        },
        echo
    );
    let server = Server::builder(Text, handler).bind(["127.0.0.1:0", "127.0.0.1:0"]).await;
    let server = server.unwrap();
    let server = TestServer { handle: server.handle(), server: Arc::new(server) };

    let serving = server.serve().await;

    for socket in server.server.sockets() {
        assert_eq!(SockRef::from(&socket).ttl_v4().unwrap(), 7);
    }
    let peer = net.peer_of(&server.handle).await;
    assert_eq!(peer.ask("hello").await, "hello");
    server.stop(serving).await;
}

// L-2
#[tokio::test(start_paused = true)]
async fn a_network_in_memory_lends_no_sockets() {
    let handler = starting!(
        |context| {
            assert_eq!(context.sockets().count(), 0);
            Ok(())
        },
        echo
    );
    let (server, serving, _peer) = in_memory(handler).await;

    server.stop(serving).await;
}

// L-13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_are_spawned_while_serving_ends_end_too() {
    for _ in 0..20 {
        let keeps = Keeps::default();
        let limits = Limits::default().max_tasks(100);
        let server = TestServer::bind_within(limits, &Net::Loopback("127.0.0.1"), keeps.clone());
        let serving = server.serve().await;
        let alive = Arc::new(());
        let spawning = std::thread::spawn({
            let (spawner, alive) = (keeps.spawner(), Arc::clone(&alive));
            move || {
                let begin = || {
                    let alive = Arc::clone(&alive);
                    spawner.spawn(async move {
                        let _alive = alive;
                        sleep(Duration::from_secs(3_600)).await;
                        Ok(())
                    })
                };
                while !matches!(begin(), Err(SpawnError::Closed)) {}
            }
        });
        until(|| Arc::strong_count(&alive) > 2).await;

        server.stop(serving).await;

        spawning.join().unwrap();
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
