//! L-4, L-5, L-19: futures of the user's that panic when they are dropped, and hooks that panic before they
//! return a future.

use std::future::pending;

use datagrammar::{BoxError, Handler, Peer, ServeError, ServerContext};
use tracing::Level;

use super::{Steps, TestServer, echo, ended, settle, starting};
use crate::{
    log::Log,
    support::{Net, within_deadline},
};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

/// A handler that never finishes its start. The future of the start panics when it is dropped.
fn never_starts(steps: &Steps) -> impl Handler<String, String> {
    starting!(
        [steps] | context | {
            let cleans = steps.clone();
            context.on_shutdown(async move { cleans.note("cleans up") });
            let _bomb = Bomb;
            steps.note("starts");
            pending().await
        },
        echo
    )
}

// L-5
#[tokio::test(start_paused = true)]
async fn a_start_that_panics_when_shutdown_drops_it_is_logged_and_clean_ups_run() {
    let (log, steps) = (Log::capture(), Steps::default());
    let server = TestServer::bind(&Net::memory(), never_starts(&steps));
    let serving = server.begin();
    settle().await;

    within_deadline(server.handle.shutdown()).await;

    ended(serving).await.unwrap();
    assert_eq!(steps.all(), ["starts", "cleans up"]);
    let told = log.alarm();
    assert_eq!((told.level, told.field("error")), (Level::ERROR, "panicked: in a destructor"));
}

// L-5, L-19
#[tokio::test(start_paused = true)]
async fn a_start_that_panics_when_it_is_dropped_with_the_serve_future_leaves_nothing_behind() {
    let (log, steps) = (Log::capture(), Steps::default());
    let server = TestServer::bind(&Net::memory(), never_starts(&steps));

    for _ in 0..2 {
        let serving = server.begin();
        settle().await;
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
    }

    assert_eq!(steps.all(), ["starts", "starts"]);
    assert_eq!(log.alarms().len(), 2);
}

// L-19
#[tokio::test(start_paused = true)]
async fn clean_ups_that_panic_when_they_are_dropped_unpolled_do_no_harm() {
    let log = Log::capture();
    let handler = starting!(
        |context| {
            for _ in 0..2 {
                let bomb = Bomb;
                context.on_shutdown(async move { drop(bomb) });
            }
            Ok(())
        },
        echo
    );
    let server = TestServer::bind(&Net::memory(), handler);
    let serving = server.serve().await;

    serving.abort();

    assert!(serving.await.unwrap_err().is_cancelled());
    assert_eq!(log.alarms().len(), 2);
    let serving = server.serve().await;
    server.stop(serving).await;
}

// L-4
#[tokio::test(start_paused = true)]
async fn a_start_that_panics_before_it_returns_a_future_fails_like_any_other() {
    struct Hasty;

    impl Handler<String, String> for Hasty {
        fn start(
            &self,
            _: &mut ServerContext,
        ) -> impl Future<Output = Result<(), BoxError>> + Send {
            if true {
                panic!("too early");
            }
            async { Ok(()) }
        }

        async fn handle(&self, _: &mut Peer<String, String>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    let server = TestServer::bind(&Net::memory(), Hasty);

    let failed = ended(server.begin()).await.unwrap_err();

    let ServeError::Start(error) = failed else { panic!("{failed:?}") };
    assert_eq!(error.to_string(), "panicked: too early");
}
