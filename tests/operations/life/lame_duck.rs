//! When a server is ready, and what a lame duck does.

use std::future::pending;

use datagrammar::{Server, Text};
use futures_util::FutureExt;
use tokio::{task::yield_now, time::sleep};

use super::{Scene, Talks, ask, secs};

// O-10
#[tokio::test(start_paused = true)]
async fn a_lame_duck_serves_everybody_and_is_not_ready() {
    let mut scene = Scene::new().await;
    let known = scene.peer().await;
    assert_eq!(ask(&known, "hello").await, "hello");

    scene.handle.begin_lame_duck();

    assert!(!scene.handle.is_ready() && scene.handle.is_serving());
    assert!(scene.handle.ready().now_or_never().is_none());
    assert!(scene.handle.stopping().now_or_never().is_none(), "its end has not begun");
    sleep(secs(3_600)).await;
    assert_eq!(ask(&known, "still here").await, "still here");
    assert_eq!(ask(&scene.peer().await, "I am new").await, "I am new");
    scene.handle.shutdown().await;
    scene.ended().await;
    assert_eq!(scene.handle.stats().total_dropped(), 0);
}

// O-10
#[tokio::test(start_paused = true)]
async fn a_server_is_ready_again_when_it_serves_again() {
    let network = Scene::new().await.network;
    let transport = network.bind("10.0.0.1:9001").unwrap();
    let server = Server::bind(transport, Text, Talks::default()).await.unwrap();
    let handle = server.handle();
    handle.begin_lame_duck(); // nothing is served yet, so it does nothing
    for _ in 0..3 {
        assert!(!handle.is_ready());
        let until = async {
            assert!(handle.ready().await);
            handle.begin_lame_duck();
            assert!(!handle.is_ready());
        };

        server.serve_until(until).await.unwrap();
    }
}

// O-10
#[tokio::test(start_paused = true)]
async fn a_server_is_not_ready_from_the_first_step_of_any_end_on() {
    for way in ["shutdown", "begin", "drain", "graceful", "terminate"] {
        let mut scene = Scene::new().await;
        let peer = scene.peer().await;
        ask(&peer, "hello").await;
        peer.send("work".to_owned()).await.unwrap();
        sleep(secs(1)).await;
        let handle = scene.handle.clone();
        assert!(handle.is_ready());

        let ending = tokio::spawn(async move {
            match way {
                "shutdown" => handle.shutdown().await,
                "begin" => handle.begin_shutdown(),
                "drain" => drop(handle.drain(secs(60)).await),
                "graceful" => drop(handle.graceful_shutdown(secs(60)).await),
                _ => drop(handle.terminate(Default::default()).await),
            }
        });
        yield_now().await;

        assert!(!scene.handle.is_ready(), "{way}");
        if way == "drain" {
            assert_eq!(super::hear(&peer).await, "work");
            ask(&peer, "end").await;
        }
        scene.ended().await;
        ending.await.unwrap();
    }
}

// O-10
#[tokio::test(start_paused = true)]
async fn a_server_is_not_ready_when_its_future_has_ended_in_another_way() {
    let network = Scene::new().await.network;
    let transport = network.bind("10.0.0.1:9001").unwrap();
    let server = Server::bind(transport, Text, Talks::default()).await.unwrap();
    let handle = server.handle();

    server.serve_until(async { assert!(handle.ready().await) }).await.unwrap();
    assert!(!handle.is_ready());
    tokio::select! {
        biased;
        served = server.serve_until(pending::<()>()) => unreachable!("{served:?}"),
        () = async { assert!(handle.ready().await && handle.is_ready()) } => {}
    }
    assert!(!handle.is_ready(), "its future was dropped");
    drop(server);
    handle.begin_lame_duck();
    assert!(!handle.is_ready() && !handle.ready().await);
}
