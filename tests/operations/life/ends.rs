//! What the two steps of a termination do.

use datagrammar::{DropReason, Termination};
use tokio::time::sleep;

use super::{Scene, Talks, ask, hear, secs};

fn lame_duck(seconds: u64) -> Termination {
    Termination::default().lame_duck(secs(seconds))
}

// O-11
#[tokio::test(start_paused = true)]
async fn what_was_read_until_the_second_step_is_served_and_conversations_that_wait_are_closed() {
    let mut scene = Scene::new().await;
    let (waits, works) = (scene.peer().await, scene.peer().await);
    ask(&waits, "hello").await;
    ask(&works, "hello").await;

    let terminating = scene.terminate(lame_duck(5)).await;
    sleep(secs(4)).await;
    assert_eq!(ask(&scene.peer().await, "end").await, "end");
    for request in ["work", "one more"] {
        works.send(request.to_owned()).await.unwrap();
    }
    sleep(secs(2)).await; // a second after the lame duck
    let late = scene.peer().await;
    late.send("too late".to_owned()).await.unwrap();

    assert_eq!(hear(&waits).await, "goodbye");
    assert_eq!(hear(&works).await, "work");
    assert_eq!(hear(&works).await, "one more");
    assert_eq!(hear(&works).await, "goodbye");
    assert_eq!(scene.ended().await, 7_000);
    assert_eq!(terminating.await.unwrap(), 0);
    let stats = scene.handle.stats();
    assert_eq!((stats.received, stats.delivered, stats.total_dropped()), (5, 5, 0));
}

// O-11
#[tokio::test(start_paused = true)]
async fn with_drain_conversations_go_on_in_the_second_step_and_new_peers_are_dropped() {
    let mut scene = Scene::new().await;
    let known = scene.peer().await;
    ask(&known, "hello").await;

    let terminating = scene.terminate(lame_duck(5).drain(true)).await;
    sleep(secs(4)).await;
    assert_eq!(ask(&scene.peer().await, "end").await, "end");
    sleep(secs(6)).await;
    assert_eq!(ask(&known, "still here").await, "still here");
    let late = scene.peer().await;
    late.send("too late".to_owned()).await.unwrap();
    assert_eq!(ask(&known, "end").await, "end");

    assert_eq!(scene.ended().await, 10_000);
    assert_eq!(terminating.await.unwrap(), 0);
    assert_eq!(scene.handle.stats().dropped(DropReason::ShuttingDown), 1);
}

// O-11
#[tokio::test(start_paused = true)]
async fn conversations_that_last_longer_than_the_grace_are_aborted_and_counted() {
    // One peer has work for 3 s, and the other one for 6 s.
    for (termination, end, aborted) in [
        (lame_duck(1).grace(secs(2)), 3_750, 1),
        (lame_duck(1).grace(secs(2)).drain(true), 3_750, 1),
        (lame_duck(1).grace(secs(0)), 1_750, 2),
        (Termination::default().grace(secs(0)), 750, 2),
    ] {
        let mut scene = Scene::new().await;
        let peers = [scene.peer().await, scene.peer().await];
        for peer in &peers {
            ask(peer, "hello").await;
        }
        for (peer, work) in [(0, 1), (0, 2), (0, 3), (1, 1)] {
            peers[peer].send(if work == 3 { "end" } else { "work" }.to_owned()).await.unwrap();
        }
        sleep(secs(0)).await;
        let terminating = scene.terminate(termination).await;

        assert_eq!(scene.ended().await, end, "{termination:?}");
        assert_eq!(terminating.await.unwrap(), aborted, "{termination:?}");
    }
}

// O-11
#[tokio::test(start_paused = true)]
async fn a_server_that_is_still_starting_ends_without_a_lame_duck() {
    let mut scene = Scene::starting(Talks { starts_for_ever: true }).await;
    sleep(secs(1)).await;

    let terminating = scene.terminate(lame_duck(3_600)).await;

    assert_eq!(scene.ended().await, 1_000);
    assert_eq!(terminating.await.unwrap(), 0);
}

// O-11
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_serve_is_terminated_at_once() {
    let mut scene = Scene::new().await;
    scene.handle.shutdown().await;
    scene.ended().await;

    assert_eq!(scene.handle.terminate(lame_duck(3_600)).await, 0);

    assert_eq!(scene.begun.elapsed(), secs(0));
}
