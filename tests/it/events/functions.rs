//! D-23, D-27: what is logged about functions.

use datagrammar::{concurrent, try_reply};
use tokio::task::yield_now;
use tracing::Level;

use super::{Failure, report};

// D-23, D-27, H-1
#[tokio::test(start_paused = true)]
async fn an_error_that_a_function_returns_is_reported_with_its_sources() {
    async fn at_once(text: String) -> Result<String, Failure> {
        Err(Failure("the order", format!("{} bytes are unknown", text.len()).into()))
    }

    async fn later(text: String) -> Result<String, Failure> {
        yield_now().await;
        at_once(text).await
    }

    for told in [
        report(at_once, "request").await,
        report(later, "request").await,
        report(try_reply(at_once), "request").await,
        report(concurrent(8, at_once), "request").await,
        report(concurrent(8, later), "request").await,
    ] {
        assert_eq!(told.level, Level::ERROR);
        assert_eq!(told.field("error"), "the order: 7 bytes are unknown");
    }
}

// D-27, H-3, H-14
#[tokio::test(start_paused = true)]
async fn a_panic_of_one_call_among_several_is_reported_in_the_span_of_its_peer() {
    let panics = async |text: String| {
        yield_now().await;
        assert_eq!(text, "fine", "as asked");
        text
    };

    let told = report(concurrent(8, panics), "request").await;

    assert_eq!(told.level, Level::ERROR);
    assert!(told.field("error").starts_with("panicked: assertion"), "{told:?}");
    assert_eq!(told.spans[0].name, "conversation");
}
