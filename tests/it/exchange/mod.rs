//! Packets that are repeated until the next packet arrives, by a handler and by a client.

mod client;
mod duplicates;
mod ends;
mod timers;

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Bytes, Net, Running, until};

const SECOND: Duration = Duration::from_secs(1);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Receives `count` datagrams, which must be `expected`; returns when they came, in seconds since `began`.
async fn times(peer: &Bytes, began: Instant, expected: &str, count: usize) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..count {
        let datagram = tokio::time::timeout(60 * SECOND, peer.0.recv()).await.unwrap().unwrap();
        assert_eq!(datagram, expected);
        times.push(began.elapsed().as_secs_f64());
    }
    times
}

/// Asserts that the time from each number to the next is what is expected, within a tenth.
fn assert_near(times: &[f64], expected: &[f64]) {
    assert_eq!(times.len(), expected.len(), "{times:?}");
    let (mut time, mut due) = (0.0, 0.0);
    for (next, next_due) in times.iter().zip(expected) {
        let (passed, wanted) = (next - time, next_due - due);
        assert!((passed - wanted).abs() <= 0.1 * wanted + 0.01, "{times:?}");
        (time, due) = (*next, *next_due);
    }
}

/// Waits until all handlers have returned, without an error or a panic.
async fn finished(server: Running) {
    until(|| server.handle.stats().active_conversations == 0).await;
    let stats = server.handle.stats();
    assert_eq!((stats.failed, stats.panicked, stats.aborted), (0, 0, 0));
    server.stop().await;
}
