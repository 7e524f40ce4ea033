//! Logs events through `tracing`, with a limit so that no peer can flood the log.
//!
//! All events go through [`told`] and [`Scope`], which catch panics of the subscriber. For example, a
//! subscriber that writes to a closed standard error panics at each event. That must not end serving.

mod chain;
mod limiter;
mod losses;
mod scope;

#[cfg(any(feature = "admin", unix))]
use std::io;
#[cfg(unix)]
use std::path::Path;
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
    limits::LiveLimits,
    lock::locked,
    panic::{self, Panicked},
    proxy,
    stats::{Counters, DropReason, add},
};

/// Logs events about peers, up to a limit per second and level.
#[derive(Debug)]
pub(crate) struct Events {
    limits: Arc<LiveLimits>,
    counters: Arc<Counters>,
    errors: Mutex<Limiter>,
    warnings: Mutex<Limiter>,
    details: Mutex<Limiter>,
    losses: Untold,
}

impl Events {
    pub(crate) fn new(limits: Arc<LiveLimits>, counters: Arc<Counters>) -> Self {
        let limiter = Mutex::<Limiter>::default;
        Self {
            limits,
            counters,
            errors: limiter(),
            warnings: limiter(),
            details: limiter(),
            losses: Untold::default(),
        }
    }

    /// Logs at ERROR that the user's code failed in a conversation with `peer`. Returns whether `error`
    /// could be formatted: if it panicked instead, the panic was logged.
    pub(crate) fn error(&self, peer: &Addr, error: &(dyn Error + 'static), what: &str) -> bool {
        self.tell(&self.errors, error, |error, suppressed| {
            tracing::error!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Logs at WARN a failure that the peer caused.
    pub(crate) fn warn(&self, peer: &Addr, error: &(dyn Error + 'static), what: &str) -> bool {
        self.tell(&self.warnings, error, |error, suppressed| {
            tracing::warn!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Logs at DEBUG a failure that any host on the network can cause. If no subscriber wants that level, this
    /// costs almost nothing, and the event does not count as suppressed.
    pub(crate) fn debug(&self, peer: &Addr, error: &(dyn Error + 'static), what: &str) -> bool {
        if LevelFilter::current() < LevelFilter::DEBUG || !listens_at_debug() {
            return true;
        }
        self.tell(&self.details, error, |error, suppressed| {
            tracing::debug!(%peer, %error, suppressed, "{what}");
        })
    }

    /// Logs at WARN that a socket could not receive.
    pub(crate) fn receive_failed(&self, local: &Addr, error: &(dyn Error + 'static)) {
        self.tell(&self.warnings, error, |error, suppressed| {
            tracing::warn!(%local, %error, suppressed, "a socket could not receive");
        });
    }

    /// Logs at WARN that the kernel had no room for datagrams within `limit`.
    pub(crate) fn no_room(&self, local: &Addr, datagrams: usize, limit: Duration) {
        let error: BoxError = format!("no room for {datagrams} within {limit:?}").into();
        self.tell(&self.warnings, &*error, |error, suppressed| {
            tracing::warn!(%local, %error, suppressed, "datagrams were dropped");
        });
    }

    /// Logs at WARN that a call of the reply store failed, and how many failures were not logged before.
    pub(crate) fn store_failed(&self, error: &(dyn Error + 'static), more: u64) {
        let more = (more > 0).then_some(more);
        self.tell(&self.warnings, error, |error, suppressed| {
            tracing::warn!(%error, more, suppressed, "the reply store failed");
        });
    }

    /// Serving begins at `addresses`.
    pub(crate) fn serving(&self, addresses: &[Addr]) {
        self.losses.begin();
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        told(|| tracing::info!(addresses = addresses.join(", "), "serving"));
    }

    /// Serving has ended, after [`serving`](Self::serving) was logged.
    pub(crate) fn stopped(&self) {
        self.losses.end();
        told(|| tracing::info!("stopped"));
    }

    /// Logs at WARN that a datagram was dropped at `local`: once per serving for each reason, and only for
    /// reasons that are not the fault of the peer. All drops are counted, so one event is enough.
    #[inline]
    pub(crate) fn dropped(&self, reason: DropReason, local: &Addr) {
        if self.losses.is_first(reason)
            && let Some(bound) = bound(reason, &self.limits.read())
        {
            lost(reason, local, &bound);
        }
    }

    /// Logs at WARN that a datagram of `source` was dropped because of the header of a proxy: once per serving.
    pub(crate) fn proxy_refused(&self, local: &Addr, source: &Addr, error: &proxy::Refusal) {
        const WHAT: &str = "a datagram was dropped because of ServerBuilder::trust_proxy; the next ones are only counted, \
                            see ServerHandle::stats";

        if self.losses.is_first(DropReason::ProxyHeader) {
            told(|| tracing::warn!(%local, %source, %error, "{WHAT}"));
        }
    }

    /// Does the same as [`dropped`](Self::dropped), for datagrams that the kernel has dropped.
    /// If the socket has a filter, nobody knows whether the filter dropped them or the buffer was full.
    pub(crate) fn kernel_dropped(&self, local: &Addr, is_filtered: bool) {
        const BOUND: &str = "Udp::recv_buffer_size, see ServerHandle::diagnostics";
        const FILTERED: &str =
            "the kernel filter or Udp::recv_buffer_size, see ServerHandle::diagnostics";

        if self.losses.is_first(DropReason::Kernel) {
            lost(DropReason::Kernel, local, if is_filtered { FILTERED } else { BOUND });
        }
    }

    /// Logs at WARN that the guard has refused to send a datagram to `peer`: once per serving.
    pub(crate) fn guarded(&self, peer: &Addr, error: &(dyn Error + 'static)) {
        if self.losses.is_first_refusal() {
            self.warn(peer, error, "the guard has refused a reply; the next ones are only counted");
        }
    }

    /// Logs at WARN that handlers have blocked a worker.
    pub(crate) fn stalled(&self, local: &Addr, took: Duration) {
        let error: BoxError = format!("handlers blocked the thread for {took:.1?}").into();
        self.tell(&self.warnings, &*error, |error, suppressed| {
            tracing::warn!(%local, %error, suppressed, "nothing was received; see ServerBuilder::dedicated_threads");
        });
    }

    /// Logs at WARN that replies have `ratio` tenths as many bytes as requests: once per serving.
    pub(crate) fn amplifies(&self, local: &Addr, ratio: u64) {
        const WHAT: &str = "replies are much longer than requests: an attacker who forges addresses could use this \
                            server to flood others; `.guard(Guard::internet())` prevents that";

        if self.losses.is_first_amplification() {
            let ratio = format_args!("{}.{}", ratio / 10, ratio % 10).to_string();
            told(|| tracing::warn!(%local, ratio, "{WHAT}"));
        }
    }

    /// Logs how many events were suppressed since the last event of each level.
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

    /// Logs `error`, if one more event may be logged now.
    fn tell(
        &self,
        limiter: &Mutex<Limiter>,
        error: &(dyn Error + 'static),
        tell: impl FnOnce(&str, Option<u64>),
    ) -> bool {
        let per_second = self.limits.max_events_per_second();
        let Some(suppressed) = locked(limiter).admit(Instant::now(), per_second) else {
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

/// Whether the subscriber wants events at DEBUG. The subscriber may panic when it is asked.
fn listens_at_debug() -> bool {
    panic::catch(|| tracing::enabled!(tracing::Level::DEBUG)).unwrap_or(false)
}

#[cold]
fn lost(reason: DropReason, local: &Addr, bound: &str) {
    const WHAT: &str =
        "a datagram was dropped; the next ones are only counted, see ServerHandle::stats";

    told(|| tracing::warn!(%local, reason = reason.as_str(), bound, "{WHAT}"));
}

/// Logs that serving is about to end.
pub(crate) fn stopping() {
    told(|| tracing::info!("stopping"));
}

/// Logs that a background task has failed.
pub(crate) fn task_failed(error: BoxError) {
    // The error has a type of the user's, so it may panic when it is formatted or dropped.
    let text = in_words(&*error);
    let text = panic::catch(|| drop(error)).and(text);
    let text = text.unwrap_or_else(|panicked| panicked.to_string());
    told(|| tracing::error!(error = %text, "a background task failed"));
}

/// Logs that a [hook](crate::hook) of the user's has panicked.
pub(crate) fn hook_failed(what: &str, panicked: &Panicked) {
    told(|| tracing::error!(error = %panicked, "{what}"));
}

/// Logs that the path of a Unix socket could not be removed.
#[cfg(unix)]
pub(crate) fn path_is_left(path: &Path, error: &io::Error) {
    told(|| tracing::error!(path = ?path, %error, "the path of a socket could not be removed"));
}

/// Logs that systemd could not be told about a state of the server.
#[cfg(all(feature = "systemd", target_os = "linux"))]
pub(crate) fn systemd_not_told(state: &str, error: &io::Error) {
    told(|| tracing::warn!(state, %error, "systemd was not notified"));
}

/// Logs that the admin endpoint could not listen any more.
#[cfg(feature = "admin")]
pub(crate) fn admin_failed(error: &io::Error) {
    told(|| tracing::error!(%error, "the admin endpoint has ended"));
}

/// Logs buffers that are smaller than requested.
pub(crate) fn buffers_are_short(buffers: &[String]) {
    let buffers = buffers.join("; ");
    told(|| tracing::debug!(buffers, "the kernel granted less than was asked"));
}

/// Logs an event; returns false if the subscriber panicked. The panic is ignored, since it cannot be logged.
fn told(tell: impl FnOnce()) -> bool {
    panic::catch(tell).is_ok()
}
