//! What all clones of a request client share.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{budget::Balance, server::Server, window::Window};
use crate::{
    Correlated,
    chunk::Wire,
    stats::RequestCounters,
    timing::{Jitter, Timing},
};

pub(super) struct Shared<P> {
    pub(super) protocol: Arc<Wire<P>>,
    /// At least one.
    pub(super) servers: Vec<Server<Wire<P>>>,
    /// The server that answered last.
    preferred: AtomicUsize,
    pub(super) window: Arc<Window>,
    pub(super) timing: Timing,
    pub(super) max_attempts: u32,
    pub(super) hedge_after: Option<Duration>,
    budget: Option<Balance>,
    pub(super) jitter: Jitter,
    pub(super) counters: Arc<RequestCounters>,
    is_closed: AtomicBool,
    closing: Notify,
}

/// The options of a request client.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) timing: Timing,
    pub(super) max_attempts: u32,
    pub(super) max_in_flight: usize,
    pub(super) hedge_after: Option<Duration>,
    pub(super) budget: Option<super::budget::RetryBudget>,
    pub(super) seed: u64,
}

impl<P: Correlated + Send + Sync + 'static> Shared<P> {
    pub(super) fn new(
        protocol: Arc<Wire<P>>,
        servers: Vec<Server<Wire<P>>>,
        options: Options,
        counters: Arc<RequestCounters>,
    ) -> Self {
        let ids = usize::try_from(protocol.max_id()).unwrap_or(usize::MAX).saturating_add(1);
        Self {
            window: Window::new(options.max_in_flight.min(ids)),
            protocol,
            servers,
            preferred: AtomicUsize::new(0),
            timing: options.timing,
            max_attempts: options.max_attempts,
            hedge_after: options.hedge_after,
            budget: options.budget.map(Balance::new),
            jitter: Jitter::new(options.seed),
            counters,
            is_closed: AtomicBool::new(false),
            closing: Notify::new(),
        }
    }

    /// Each request may cause some repetitions, if there is a budget.
    pub(super) fn deposit(&self) {
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
    }

    /// Closes all sockets, and ends all requests.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.servers.iter().for_each(Server::close);
        self.closing.notify_waiters();
    }
}

impl<P> Shared<P> {
    /// Takes a repetition from the budget, if there is one.
    pub(super) fn may_repeat(&self) -> bool {
        self.budget.as_ref().is_none_or(Balance::withdraw)
    }

    /// The server to ask first.
    pub(super) fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    pub(super) fn prefer(&self, server: usize) {
        self.preferred.store(server, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Completes when the client is closed.
    pub(super) async fn closed(&self) {
        let mut closing = pin!(self.closing.notified());
        // Listen first: a notification between the two steps must not be missed.
        closing.as_mut().enable();
        if !self.is_closed() {
            closing.await;
        }
    }
}
