//! What is told through `tracing`, bounded so that no peer can flood the log.

mod chain;
mod limiter;

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

pub(crate) use chain::{Chain, caused_by};
use limiter::Limiter;
use tokio::time::Instant;

use crate::{
    PeerAddr,
    figures::{Counters, add},
};

/// Tells of peers, at most so many times per second and level.
#[derive(Debug)]
pub(crate) struct Events {
    counters: Arc<Counters>,
    errors: Mutex<Limiter>,
    warnings: Mutex<Limiter>,
}

impl Events {
    pub(crate) fn new(per_second: usize, counters: Arc<Counters>) -> Self {
        let limiter = || Mutex::new(Limiter::new(per_second));
        Self { counters, errors: limiter(), warnings: limiter() }
    }

    /// Tells at ERROR that something of the user's failed in the face of `peer`.
    pub(crate) fn error(&self, peer: &PeerAddr, error: &(dyn Error + 'static), what: &str) {
        if let Some(suppressed) = self.admit(&self.errors) {
            tracing::error!(%peer, error = %Chain(error), suppressed, "{what}");
        }
    }

    /// Tells at WARN of a failure that is the peer's own.
    pub(crate) fn warn(&self, peer: &PeerAddr, error: &(dyn Error + 'static), what: &str) {
        if let Some(suppressed) = self.admit(&self.warnings) {
            tracing::warn!(%peer, error = %Chain(error), suppressed, "{what}");
        }
    }

    /// Tells at WARN of a socket that could not receive.
    pub(crate) fn receive_failed(&self, local: &PeerAddr, error: &(dyn Error + 'static)) {
        if let Some(suppressed) = self.admit(&self.warnings) {
            tracing::warn!(%local, error = %Chain(error), suppressed, "a socket could not receive");
        }
    }

    /// Tells at WARN of datagrams that the kernel had no room for within `limit`.
    pub(crate) fn no_room(&self, local: &PeerAddr, datagrams: usize, limit: Duration) {
        if let Some(suppressed) = self.admit(&self.warnings) {
            tracing::warn!(
                %local,
                datagrams,
                ?limit,
                suppressed,
                "the send buffer of a socket was full: datagrams were dropped"
            );
        }
    }

    /// Tells what was withheld and not told since.
    pub(crate) fn tell_suppressed(&self) {
        if let Some(suppressed) = locked(&self.errors).settle() {
            tracing::error!(suppressed, "events about peers were suppressed");
        }
        if let Some(suppressed) = locked(&self.warnings).settle() {
            tracing::warn!(suppressed, "events about peers were suppressed");
        }
    }

    /// Whether an event may be told now, and how many were withheld since the last one.
    fn admit(&self, limiter: &Mutex<Limiter>) -> Option<Option<u64>> {
        let admitted = locked(limiter).admit(Instant::now());
        if admitted.is_none() {
            add(&self.counters.suppressed, 1);
        }
        admitted
    }
}

fn locked(limiter: &Mutex<Limiter>) -> std::sync::MutexGuard<'_, Limiter> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}
