//! H-18: a subscriber that panics. `alone/broken_log.rs` tests this for a whole process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::task::yield_now;
use tracing::{Event, Level, Subscriber, span::Id};
use tracing_subscriber::{Layer, layer::Context};

use super::{serve, settle};
use crate::{log::Log, support::conversing};

/// A layer that panics at each event or span of its kind, as long as it is broken.
#[derive(Clone)]
struct Fuse {
    point: &'static str,
    broken: Arc<AtomicBool>,
}

impl Fuse {
    fn broken_at(point: &'static str) -> Self {
        Self { point, broken: Arc::new(AtomicBool::new(true)) }
    }

    fn mend(&self) {
        self.broken.store(false, Relaxed);
    }

    fn meet(&self, point: &str) {
        assert!(point != self.point || !self.broken.load(Relaxed), "the log cannot be written");
    }
}

impl<S: Subscriber> Layer<S> for Fuse {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.meet(event.metadata().level().as_str());
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        self.meet("enter");
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        self.meet("exit");
    }
}

// H-12, H-18
#[tokio::test(start_paused = true)]
async fn events_that_could_not_be_logged_count_as_suppressed_and_the_next_event_reports_them() {
    let fuse = Fuse::broken_at("ERROR");
    let log = Log::capture_behind(fuse.clone());
    let (server, peer) = serve(conversing!(|peer| {
        peer.recv().await?;
        Err("no such thing".into())
    }))
    .await;

    peer.send("one").await;
    peer.send("two").await;
    settle().await;
    fuse.mend();
    peer.send("three").await;
    settle().await;

    let (told, stats) = (log.alarm(), server.handle.stats());
    assert_eq!((told.field("error"), told.field("suppressed")), ("no such thing", "2"));
    assert_eq!((stats.failed, stats.suppressed_events), (3, 2));
    server.stop().await;
}

// H-12, H-18
#[tokio::test(start_paused = true)]
async fn events_that_could_not_be_logged_are_reported_when_serving_ends() {
    let fuse = Fuse::broken_at("ERROR");
    let log = Log::capture_behind(fuse.clone());
    let (server, peer) = serve(conversing!(|peer| {
        peer.recv().await?;
        Err("no such thing".into())
    }))
    .await;

    peer.send("one").await;
    settle().await;
    fuse.mend();
    server.stop().await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("suppressed")), (Level::ERROR, "1"));
}

// H-15, H-18
#[tokio::test(start_paused = true)]
async fn a_span_is_exited_even_if_the_subscriber_panics_on_enter_or_exit() {
    for point in ["enter", "exit"] {
        let log = Log::capture_behind(Fuse::broken_at(point));
        let (server, peer) = serve(conversing!(|peer| {
            let request = peer.recv().await?;
            if request == "later" {
                yield_now().await;
            }
            Ok(peer.send(&request).await?)
        }))
        .await;

        for request in ["now", "later"] {
            assert_eq!(peer.ask(request).await, request);
            tracing::info!("outside");
        }

        let outside = log.at(Level::INFO).into_iter().filter(|told| told.message == "outside");
        let spans: Vec<_> = outside.map(|told| told.spans).collect();
        assert_eq!(spans, [[], []], "{point}");
        server.stop().await;
    }
}
