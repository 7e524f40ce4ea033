//! One of the servers of a request client.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::line::{Line, LineOptions};
use crate::{
    Correlated,
    client::link::Link,
    lock::locked,
    stats::RequestCounters,
    timing::{RoundTrip, Timing},
};

/// A server: the socket to it, and its round-trip time.
#[derive(Debug)]
pub(super) struct Server<P> {
    index: usize,
    /// `None` after the client was closed.
    line: Mutex<Option<Arc<Line>>>,
    round_trip: Mutex<RoundTrip>,
    protocol: Arc<P>,
    options: LineOptions,
    counters: Arc<RequestCounters>,
}

impl<P: Correlated + Send + Sync + 'static> Server<P> {
    pub(super) fn new(
        link: Link,
        index: usize,
        options: LineOptions,
        protocol: Arc<P>,
        counters: Arc<RequestCounters>,
    ) -> Self {
        let line = Line::new(link, index, &options, &protocol, &counters);
        let round_trip = Mutex::default();
        Self { index, line: Mutex::new(Some(line)), round_trip, protocol, options, counters }
    }

    /// The socket for new requests; `None` after the client was closed.
    pub(super) fn line(&self) -> Option<Arc<Line>> {
        locked(&self.line).clone()
    }

    pub(super) fn close(&self) {
        let line = locked(&self.line).take();
        #[cfg(unix)]
        if let Some(line) = &line {
            line.link().remove_path();
        }
        drop(line);
    }

    /// Lets new requests use another port, since `line` is refused. A firewall or a NAT on the path may have
    /// forgotten the old one. Requests that use `line` keep it: with another port they would be new ones for the
    /// server.
    pub(super) fn replace(&self, line: &Arc<Line>) {
        let mut current = locked(&self.line);
        if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
            return;
        }
        // Without another socket, this one serves on.
        if let Some(link) = line.link().reopen() {
            let Self { index, options, protocol, counters, .. } = self;
            *current = Some(Line::new(link, *index, options, protocol, counters));
        }
    }

    pub(super) fn timer(&self, timing: &Timing, attempt: u32, jitter: f64) -> Duration {
        locked(&self.round_trip).timer(timing, attempt, jitter)
    }

    /// A request that was sent once was answered after this time.
    pub(super) fn sample(&self, time: Duration) {
        locked(&self.round_trip).sample(time);
    }

    /// A request that was sent several times was answered. Its last timer was `timer`.
    pub(super) fn answered_after(&self, timer: Duration) {
        locked(&self.round_trip).answered_after(timer);
    }

    pub(super) fn smoothed(&self) -> Option<Duration> {
        locked(&self.round_trip).smoothed()
    }
}
