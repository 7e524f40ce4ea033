//! A termination, and other calls that end the same server.

use std::sync::{Arc, Mutex};

use datagrammar::{
    BoxError, Handler, Peer, Server, ServerHandle, Termination, Text,
    testing::{Conditions, Network},
};
use tokio::time::{Instant, sleep};

use super::{Scene, ask, hear, secs};

fn lame_duck(seconds: u64) -> Termination {
    Termination::default().lame_duck(secs(seconds))
}

// O-11
#[tokio::test(start_paused = true)]
async fn of_several_terminations_the_one_whose_end_comes_first_decides() {
    for (first, second, end) in [
        (lame_duck(10), lame_duck(5), 5_000),
        (lame_duck(5), lame_duck(10), 5_000),
        // A drain until 25 s. The other one ends what waits at 10 s.
        (lame_duck(5).drain(true), lame_duck(10), 10_000),
        (lame_duck(10), lame_duck(5).grace(secs(2)).drain(true), 7_000),
    ] {
        let mut scene = Scene::new().await;
        let peer = scene.peer().await;
        ask(&peer, "hello").await;

        let terminating = [scene.terminate(first).await, scene.terminate(second).await];

        assert_eq!(hear(&peer).await, "goodbye");
        assert_eq!(scene.ended().await, end, "{first:?}, {second:?}");
        for ended in terminating {
            assert_eq!(ended.await.unwrap(), 0);
        }
    }
}

// O-11
#[tokio::test(start_paused = true)]
async fn another_end_during_the_lame_duck_does_not_wait_for_it() {
    for way in ["shutdown", "graceful", "drain"] {
        let mut scene = Scene::new().await;
        let peer = scene.peer().await;
        ask(&peer, "hello").await;
        let terminating = scene.terminate(lame_duck(3_600)).await;
        sleep(secs(1)).await;

        match way {
            "shutdown" => scene.handle.shutdown().await,
            "graceful" => drop(scene.handle.graceful_shutdown(secs(60)).await),
            _ => drop(scene.handle.drain(secs(10)).await),
        }

        assert_eq!(hear(&peer).await, "goodbye");
        let end = if way == "drain" { 11_000 } else { 1_000 };
        assert_eq!(scene.ended().await, end, "{way}");
        assert_eq!(terminating.await.unwrap(), 0);
    }
}

// O-11
#[tokio::test(start_paused = true)]
async fn a_shutdown_during_the_grace_ends_it() {
    let mut scene = Scene::new().await;
    let peer = scene.peer().await;
    ask(&peer, "hello").await;
    let terminating = scene.terminate(lame_duck(5).grace(secs(3_600)).drain(true)).await;
    sleep(secs(6)).await;
    assert_eq!(ask(&peer, "still here").await, "still here");

    scene.handle.begin_shutdown();

    assert_eq!(hear(&peer).await, "goodbye");
    assert_eq!(scene.ended().await, 6_000);
    assert_eq!(terminating.await.unwrap(), 0);
}

// O-11
#[tokio::test(start_paused = true)]
async fn a_termination_that_is_dropped_in_its_first_step_leaves_a_lame_duck() {
    let mut scene = Scene::new().await;
    let terminating = scene.terminate(lame_duck(5)).await;

    terminating.abort();
    sleep(secs(60)).await;

    assert!(scene.handle.is_serving() && !scene.handle.is_ready());
    assert_eq!(ask(&scene.peer().await, "end").await, "end");
    assert_eq!(scene.handle.terminate(lame_duck(1)).await, 0);
    assert_eq!(scene.ended().await, 61_000);
}

// O-11
#[tokio::test(start_paused = true)]
async fn a_termination_that_is_dropped_in_its_second_step_goes_on() {
    let mut scene = Scene::new().await;
    let peer = scene.peer().await;
    ask(&peer, "hello").await;
    let terminating = scene.terminate(lame_duck(5).grace(secs(10)).drain(true)).await;
    sleep(secs(6)).await;

    terminating.abort();

    assert_eq!(hear(&peer).await, "goodbye");
    assert_eq!(scene.ended().await, 15_000);
}

// O-11
#[tokio::test(start_paused = true)]
async fn a_termination_of_one_serving_does_not_end_the_next_one() {
    let network = Network::new(1, Conditions::default());
    let transport = network.bind("10.0.0.1:9000").unwrap();
    let server = Server::bind(transport, Text, async |text: String| text).await.unwrap();
    let handle = server.handle();
    let terminating = tokio::spawn(async move {
        assert!(handle.ready().await);
        handle.terminate(lame_duck(5)).await
    });

    server.serve_until(sleep(secs(1))).await.unwrap();
    let begun = Instant::now();
    server.serve_until(sleep(secs(60))).await.unwrap();

    assert_eq!(begun.elapsed(), secs(60));
    assert_eq!(terminating.await.unwrap(), 0);
}

/// Terminates its own server, and then says so.
#[derive(Clone, Default)]
struct Quits(Arc<Mutex<Option<ServerHandle>>>);

impl Handler<String, String> for Quits {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        peer.recv().await?;
        let handle = self.0.lock().unwrap().clone().unwrap();
        assert_eq!(handle.terminate(lame_duck(5)).await, 0);
        Ok(peer.send(&"terminated".to_owned()).await?)
    }
}

// O-11
#[tokio::test(start_paused = true)]
async fn a_conversation_can_terminate_its_own_server() {
    let scene = Scene::new().await;
    let quits = Quits::default();
    let transport = scene.network.bind("10.0.0.1:9001").unwrap();
    let server = Server::bind(transport, Text, quits.clone()).await.unwrap();
    let handle = server.handle();
    *quits.0.lock().unwrap() = Some(handle.clone());
    let serving = server.spawn();
    let socket = scene.network.connect("10.0.0.2:0", "10.0.0.1:9001").unwrap();
    let peer = datagrammar::Client::connect(socket, Text).await.unwrap();

    assert_eq!(ask(&peer, "quit").await, "terminated");

    serving.await.unwrap().unwrap();
    assert_eq!(scene.begun.elapsed(), secs(5));
    assert_eq!(handle.stats().aborted, 0);
}
