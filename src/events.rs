//! What is told through `tracing`, bounded so that no peer can flood the log.
//!
//! All of it goes through [`told`] and [`Scope`], which no panic of a subscriber leaves: one that falls
//! back to a standard error that is closed panics at whatever it is told, and must not end serving.

mod chain;
mod limiter;
mod scope;

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use chain::in_words;
pub(crate) use chain::{caused_by, reads_like};
use limiter::Limiter;
pub(crate) use scope::Scope;
use tokio::time::Instant;

use crate::{
    BoxError, PeerAddr,
    figures::{Counters, add},
    panic::{self, Panicked},
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

    /// Tells at ERROR that something of the user's failed in the face of `peer`. Returns whether `error`
    /// could be put into words: if it panicked instead, that was told.
    pub(crate) fn error(&self, peer: &PeerAddr, error: &(dyn Error + 'static), what: &str) -> bool {
        self.tell(&self.errors, error, |error, suppressed| {
            tracing::error!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Tells at WARN of a failure that is the peer's own.
    pub(crate) fn warn(&self, peer: &PeerAddr, error: &(dyn Error + 'static), what: &str) -> bool {
        self.tell(&self.warnings, error, |error, suppressed| {
            tracing::warn!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Tells at WARN of a socket that could not receive.
    pub(crate) fn receive_failed(&self, local: &PeerAddr, error: &(dyn Error + 'static)) {
        self.tell(&self.warnings, error, |error, suppressed| {
            tracing::warn!(%local, %error, suppressed, "a socket could not receive");
        });
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
        let settle = |limiter: &Mutex<Limiter>, tell: fn(u64)| {
            let Some(suppressed) = locked(limiter).settle() else { return };
            if !told(|| tell(suppressed)) {
                locked(limiter).withhold(suppressed);
            }
        };
        settle(&self.errors, |suppressed| {
            tracing::error!(suppressed, "events about peers were suppressed");
        });
        settle(&self.warnings, |suppressed| {
            tracing::warn!(suppressed, "events about peers were suppressed");
        });
    }

    /// Tells of `error`, if one more event may be told now.
    fn tell(
        &self,
        limiter: &Mutex<Limiter>,
        error: &(dyn Error + 'static),
        tell: impl FnOnce(&str, Option<u64>),
    ) -> bool {
        let Some(suppressed) = locked(limiter).admit(Instant::now()) else {
            add(&self.counters.suppressed, 1);
            return true;
        };
        let (text, spoken) = match in_words(error) {
            Ok(text) => (text, true),
            Err(panicked) => (panicked.to_string(), false),
        };
        if !told(|| tell(&text, suppressed)) {
            add(&self.counters.suppressed, 1);
            locked(limiter).withhold(suppressed.unwrap_or(0) + 1);
        }
        spoken
    }
}

fn locked(limiter: &Mutex<Limiter>) -> std::sync::MutexGuard<'_, Limiter> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells that serving has begun at `addresses`.
pub(crate) fn serving(addresses: &[PeerAddr]) {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    told(|| tracing::info!(addresses = addresses.join(", "), "serving"));
}

/// Tells that serving is about to end.
pub(crate) fn stopping() {
    told(|| tracing::info!("stopping"));
}

/// Tells that serving has ended.
pub(crate) fn stopped() {
    told(|| tracing::info!("stopped"));
}

/// Tells that a background task has failed.
pub(crate) fn task_failed(error: BoxError) {
    // The error is the user's, and may panic as it is put into words or dropped.
    let text = in_words(&*error);
    let text = panic::catch(|| drop(error)).and(text);
    let text = text.unwrap_or_else(|panicked| panicked.to_string());
    told(|| tracing::error!(error = %text, "a background task failed"));
}

/// Tells that a future of the user's which belongs to the server has panicked.
pub(crate) fn hook_failed(what: &str, panicked: &Panicked) {
    told(|| tracing::error!(error = %panicked, "{what}"));
}

/// Tells of buffers that are smaller than was asked for.
pub(crate) fn buffers_are_short(buffers: &[String]) {
    let buffers = buffers.join("; ");
    told(|| tracing::debug!(buffers, "the kernel granted less than was asked"));
}

/// Tells something; false if the subscriber panicked. That goes no further, as nobody is left to tell.
fn told(tell: impl FnOnce()) -> bool {
    panic::catch(tell).is_ok()
}
