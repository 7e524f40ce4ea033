//! What is told through `tracing`, bounded so that no peer can flood the log.
//!
//! All of it goes through [`told`] and [`Scope`], which no panic of a subscriber leaves: one that falls
//! back to a standard error that is closed panics at whatever it is told, and must not end serving.

mod chain;
mod limiter;
mod losses;
mod scope;

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use chain::in_words;
pub(crate) use chain::{caused_by, reads_like};
use limiter::Limiter;
use losses::{Untold, bound};
pub(crate) use scope::Scope;
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

use crate::{
    Addr, BoxError,
    limits::Limits,
    lock::locked,
    panic::{self, Panicked},
    stats::{Counters, DropReason, add},
};

/// Tells of peers, at most so many times per second and level.
#[derive(Debug)]
pub(crate) struct Events {
    counters: Arc<Counters>,
    errors: Mutex<Limiter>,
    warnings: Mutex<Limiter>,
    details: Mutex<Limiter>,
    losses: Untold,
}

impl Events {
    pub(crate) fn new(per_second: usize, counters: Arc<Counters>) -> Self {
        let limiter = || Mutex::new(Limiter::new(per_second));
        Self {
            counters,
            errors: limiter(),
            warnings: limiter(),
            details: limiter(),
            losses: Untold::default(),
        }
    }

    /// Tells at ERROR that something of the user's failed in the face of `peer`. Returns whether `error`
    /// could be put into words: if it panicked instead, that was told.
    pub(crate) fn error(&self, peer: &Addr, error: &(dyn Error + 'static), what: &str) -> bool {
        self.tell(&self.errors, error, |error, suppressed| {
            tracing::error!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Tells at WARN of a failure that is the peer's own.
    pub(crate) fn warn(&self, peer: &Addr, error: &(dyn Error + 'static), what: &str) -> bool {
        self.tell(&self.warnings, error, |error, suppressed| {
            tracing::warn!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Tells at DEBUG of something that anybody on the network can bring about. It costs next to nothing,
    /// and does not count as suppressed, where nobody listens at that level.
    pub(crate) fn debug(&self, peer: &Addr, error: &(dyn Error + 'static), what: &str) -> bool {
        if LevelFilter::current() < LevelFilter::DEBUG || !listens_at_debug() {
            return true;
        }
        self.tell(&self.details, error, |error, suppressed| {
            tracing::debug!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Tells at WARN of a socket that could not receive.
    pub(crate) fn receive_failed(&self, local: &Addr, error: &(dyn Error + 'static)) {
        self.tell(&self.warnings, error, |error, suppressed| {
            tracing::warn!(%local, %error, suppressed, "a socket could not receive");
        });
    }

    /// Tells at WARN of datagrams that the kernel had no room for within `limit`.
    pub(crate) fn no_room(&self, local: &Addr, datagrams: usize, limit: Duration) {
        let error: BoxError = format!("no room for {datagrams} within {limit:?}").into();
        self.tell(&self.warnings, &*error, |error, suppressed| {
            tracing::warn!(%local, %error, suppressed, "datagrams were dropped");
        });
    }

    /// Serving begins at `addresses`.
    pub(crate) fn serving(&self, addresses: &[Addr]) {
        self.losses.begin();
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        told(|| tracing::info!(addresses = addresses.join(", "), "serving"));
    }

    /// Serving has ended, of which it was told that it has begun.
    pub(crate) fn stopped(&self) {
        self.losses.end();
        told(|| tracing::info!("stopped"));
    }

    /// Tells at WARN that a datagram was dropped at `local`, once for each reason that costs peers what
    /// they have every right to send, as long as serving lasts. All are counted, so that is enough.
    #[inline]
    pub(crate) fn dropped(&self, reason: DropReason, local: &Addr, limits: &Limits) {
        if self.losses.is_first(reason)
            && let Some(bound) = bound(reason, limits)
        {
            lost(reason, local, &bound);
        }
    }

    /// The same of datagrams that the kernel has dropped.
    pub(crate) fn kernel_dropped(&self, local: &Addr) {
        const BOUND: &str = "Udp::recv_buffer_size, see ServerHandle::diagnostics";

        if self.losses.is_first(DropReason::Kernel) {
            lost(DropReason::Kernel, local, BOUND);
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
        settle(&self.details, |suppressed| {
            tracing::debug!(suppressed, "events about peers were suppressed");
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
            add(&self.counters.suppressed_events, 1);
            return true;
        };
        let (text, spoken) = match in_words(error) {
            Ok(text) => (text, true),
            Err(panicked) => (panicked.to_string(), false),
        };
        if !told(|| tell(&text, suppressed)) {
            add(&self.counters.suppressed_events, 1);
            locked(limiter).withhold(suppressed.unwrap_or(0) + 1);
        }
        spoken
    }
}

/// Whether the subscriber, which may panic as it is asked, wants events at DEBUG.
fn listens_at_debug() -> bool {
    panic::catch(|| tracing::enabled!(tracing::Level::DEBUG)).unwrap_or(false)
}

#[cold]
fn lost(reason: DropReason, local: &Addr, bound: &str) {
    const WHAT: &str =
        "a datagram was dropped; the next ones are only counted, see ServerHandle::stats";

    told(|| tracing::warn!(%local, reason = reason.as_str(), bound, "{WHAT}"));
}

/// Tells that serving is about to end.
pub(crate) fn stopping() {
    told(|| tracing::info!("stopping"));
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
