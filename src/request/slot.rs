//! Where the response to one request arrives.

use std::{
    io::ErrorKind,
    mem,
    sync::{Arc, Mutex},
};

use tokio::{sync::Notify, time::Instant};

use crate::lock::locked;

/// The place to which the drivers of all sockets bring what happens to one request.
#[derive(Debug, Default)]
pub(super) struct Slot {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    response: Option<Response>,
    answered: bool,
    /// The servers that could not be reached, and why.
    unreachable: Vec<(usize, ErrorKind)>,
}

/// A response that has not been decoded.
#[derive(Debug)]
pub(super) struct Response {
    /// Which server it came from.
    pub(super) server: usize,
    pub(super) datagram: Vec<u8>,
    pub(super) at: Instant,
}

/// What has happened to a request.
#[derive(Debug)]
pub(super) enum News {
    Response(Response),
    /// These servers could not be reached.
    Unreachable(Vec<(usize, ErrorKind)>),
}

impl Slot {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Brings a response, which arrived at `at`. Returns false if there was one already.
    pub(super) fn respond(&self, server: usize, datagram: &[u8], at: Instant) -> bool {
        let mut state = locked(&self.state);
        if mem::replace(&mut state.answered, true) {
            return false;
        }
        state.response = Some(Response { server, datagram: datagram.to_vec(), at });
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Says that a server could not be reached.
    pub(super) fn unreachable(&self, server: usize, kind: ErrorKind) {
        let unreachable = &mut locked(&self.state).unreachable;
        if unreachable.iter().all(|(known, _)| *known != server) {
            unreachable.push((server, kind));
            self.changed.notify_one();
        }
    }

    /// Waits for news.
    pub(super) async fn news(&self) -> News {
        loop {
            {
                let mut state = locked(&self.state);
                if let Some(response) = state.response.take() {
                    return News::Response(response);
                }
                if !state.unreachable.is_empty() {
                    return News::Unreachable(mem::take(&mut state.unreachable));
                }
            }
            self.changed.notified().await;
        }
    }
}
