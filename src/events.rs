//! What is told through `tracing`, bounded so that no peer can flood the log.

use std::{
    collections::VecDeque,
    error::Error,
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    DecodeError, PeerAddr,
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

/// Lets `per_second` events pass in any second: each waits for the one so many before it to be a
/// second old.
#[derive(Debug)]
struct Limiter {
    per_second: usize,
    passed: VecDeque<Instant>,
    withheld: u64,
}

impl Limiter {
    fn new(per_second: usize) -> Self {
        Self { per_second, passed: VecDeque::new(), withheld: 0 }
    }

    fn admit(&mut self, now: Instant) -> Option<Option<u64>> {
        while self.passed.front().is_some_and(|at| now - *at >= Duration::from_secs(1)) {
            self.passed.pop_front();
        }
        if self.passed.len() >= self.per_second {
            self.withheld += 1;
            return None;
        }
        self.passed.push_back(now);
        Some(self.settle())
    }

    fn settle(&mut self) -> Option<u64> {
        let withheld = std::mem::take(&mut self.withheld);
        (withheld > 0).then_some(withheld)
    }
}

/// An error and its sources in one line, without what a datagram may have put into them: the sources
/// of a [`DecodeError`] may quote it, so they are left out.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = unwrapped(self.0);
        write!(f, "{error}")?;
        while let Some(source) = error.source().filter(|_| !error.is::<DecodeError>()) {
            write!(f, ": {source}")?;
            error = unwrapped(source);
        }
        Ok(())
    }
}

/// Whether `error`, or one of its sources, is a `T` that meets `wanted`.
pub(crate) fn caused_by<T: Error + 'static>(
    error: &(dyn Error + 'static),
    wanted: impl Fn(&T) -> bool,
) -> bool {
    let mut next = Some(error);
    while let Some(error) = next.map(unwrapped) {
        if error.downcast_ref().is_some_and(&wanted) {
            return true;
        }
        next = error.source();
    }
    false
}

/// What is in an [`io::Error`] that was made of another error: it shows that one's text and source as
/// its own, but never the error itself.
fn unwrapped<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.map_or(error, |inner| unwrapped(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecvError;

    // H-11, H-12
    #[test]
    fn ten_events_pass_in_a_second_and_the_next_one_tells_how_many_did_not() {
        let mut limiter = Limiter::new(10);
        let start = Instant::now();

        let told = (0..10_000).filter(|_| limiter.admit(start).is_some()).count();

        assert_eq!(told, 10);
        assert_eq!(limiter.admit(start + Duration::from_millis(999)), None);
        assert_eq!(limiter.admit(start + Duration::from_secs(1)), Some(Some(9_991)));
        assert_eq!(limiter.admit(start + Duration::from_secs(1)), Some(None));
    }

    // H-11
    #[test]
    fn no_second_sees_more_events_than_allowed_wherever_it_begins() {
        let mut limiter = Limiter::new(2);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);

        assert!(limiter.admit(at(0)).is_some());
        assert!(limiter.admit(at(900)).is_some());
        assert!(limiter.admit(at(1_000)).is_some());
        assert!(limiter.admit(at(1_100)).is_none());
        assert!(limiter.admit(at(1_900)).is_some());
    }

    // H-13
    #[test]
    fn the_sources_of_a_decode_error_are_not_printed() {
        let cause: crate::BoxError = "octets of the peer".into();
        let error =
            RecvError::Decode(DecodeError::codec("a number was expected").with_source(cause));

        let text = Chain(&error).to_string();

        assert_eq!(text, "the datagram is not a packet of the protocol: a number was expected");
    }

    // H-8
    #[test]
    fn a_cause_is_found_at_any_depth() {
        let error = io::Error::other(io::Error::other(RecvError::Closed));

        assert!(caused_by(&error, |error| matches!(error, RecvError::Closed)));
        assert!(!caused_by(&error, |error| matches!(error, RecvError::Idle)));
    }
}
