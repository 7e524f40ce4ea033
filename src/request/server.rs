//! One of the servers of a request client.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::socket::{Socket, SocketOptions};
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
    socket: Mutex<Option<Arc<Socket>>>,
    round_trip: Mutex<RoundTrip>,
    protocol: Arc<P>,
    options: SocketOptions,
    counters: Arc<RequestCounters>,
}

impl<P: Correlated + Send + Sync + 'static> Server<P> {
    pub(super) fn new(
        link: Link,
        index: usize,
        options: SocketOptions,
        protocol: Arc<P>,
        counters: Arc<RequestCounters>,
    ) -> Self {
        let socket = Socket::new(link, index, &options, &protocol, &counters);
        let round_trip = Mutex::default();
        Self { index, socket: Mutex::new(Some(socket)), round_trip, protocol, options, counters }
    }

    /// The socket for new requests; `None` after the client was closed.
    pub(super) fn socket(&self) -> Option<Arc<Socket>> {
        locked(&self.socket).clone()
    }

    pub(super) fn close(&self) {
        let socket = locked(&self.socket).take();
        #[cfg(unix)]
        if let Some(socket) = &socket {
            socket.link().remove_path();
        }
        drop(socket);
    }

    /// Lets new requests use another port, since `socket` is refused. A firewall or a NAT on the path may have
    /// forgotten the old one. Requests that use `socket` keep it: with another port they would be new ones for the
    /// server.
    pub(super) fn replace(&self, socket: &Arc<Socket>) {
        let mut current = locked(&self.socket);
        if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, socket)) {
            return;
        }
        // Without another socket, this one serves on.
        if let Some(link) = socket.link().reopen() {
            let Self { index, options, protocol, counters, .. } = self;
            *current = Some(Socket::new(link, *index, options, protocol, counters));
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
