//! The state of a server, from its binding to its end.

#[cfg(unix)]
use std::sync::Arc;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::{sync::watch, time::Instant};

#[cfg(unix)]
use crate::handover::succession::Succession;
use crate::{Addr, serve_guard::ServeGuards};

/// The state of a server, from its binding to its end. All handles share it.
#[derive(Debug)]
pub(crate) struct Status {
    /// The number of the server, from 1. No two servers have the same number.
    pub(crate) server: u64,
    /// The parts of earlier runs that still exist.
    pub(crate) guards: ServeGuards,
    state: watch::Sender<State>,
    addresses: Mutex<Vec<Addr>>,
    /// The processes before and after this one.
    #[cfg(unix)]
    pub(crate) succession: Arc<Succession>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// The number of the run. Each call of `serve` that begins one gets a new number.
    pub(crate) generation: u64,
    pub(crate) phase: Phase,
    /// Whether the server serves, but is not to get new peers.
    pub(crate) lame_duck: bool,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Starting,
    Serving,
    Stopping,
    /// The server was dropped.
    Gone,
}

/// How and when the run must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    None,
    /// Let conversations go on until this time.
    Drain(Instant),
    /// Let conversations go on until this time, with what another process reads.
    HandOver(Instant),
    /// Read nothing more, and serve until this time what was read.
    Finish(Instant),
    Now,
}

impl End {
    /// The end if `self` was requested first and `other` afterwards.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (end, Self::None) | (Self::None, end) => end,
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::Drain(old), Self::Drain(new)) => Self::Drain(old.min(new)),
            (Self::Finish(old), Self::Drain(new) | Self::HandOver(new) | Self::Finish(new))
            | (Self::Drain(old) | Self::HandOver(old), Self::Finish(new)) => {
                Self::Finish(old.min(new))
            }
            (Self::HandOver(old), Self::Drain(new) | Self::HandOver(new))
            | (Self::Drain(old), Self::HandOver(new)) => Self::HandOver(old.min(new)),
        }
    }
}

impl Status {
    pub(crate) fn new(
        addresses: Vec<Addr>,
        #[cfg(unix)] own_paths: Vec<Option<std::path::PathBuf>>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);

        let state = State { generation: 0, phase: Phase::Idle, lame_duck: false, end: End::None };
        Self {
            server: NEXT.fetch_add(1, Relaxed),
            guards: ServeGuards::default(),
            state: watch::Sender::new(state),
            addresses: Mutex::new(addresses),
            #[cfg(unix)]
            succession: Arc::new(Succession::new(own_paths)),
        }
    }

    /// Begins a run, unless one is in progress. Returns its number; the first is 1.
    pub(crate) fn begin(&self) -> Option<u64> {
        let begun = self.state.send_if_modified(|state| {
            let idle = state.phase == Phase::Idle;
            if idle {
                *state = State {
                    generation: state.generation + 1,
                    phase: Phase::Starting,
                    lame_duck: false,
                    end: End::None,
                };
            }
            idle
        });
        begun.then(|| self.state.borrow().generation)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.state.send_modify(|state| state.phase = phase);
    }

    /// Requests the end of the run `generation`, if that is in progress. A request can make the end earlier
    /// than the requests before it, but not later.
    pub(crate) fn ask(&self, generation: u64, end: End) {
        self.state.send_if_modified(|state| {
            let end = state.end.and(end);
            let asked = end != state.end && state.generation == generation && state.in_progress();
            if asked {
                state.end = end;
            }
            asked
        });
    }

    /// Begins the lame duck of the run `generation`, if that is in progress.
    pub(crate) fn begin_lame_duck(&self, generation: u64) {
        self.state.send_if_modified(|state| {
            let begins = !state.lame_duck && state.generation == generation && state.goes_on();
            state.lame_duck |= begins;
            begins
        });
    }

    pub(crate) fn now(&self) -> State {
        *self.state.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(crate) fn local_addrs(&self) -> Vec<Addr> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Marks the server as dropped: nothing is bound any more.
    pub(crate) fn gone(&self) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.enter(Phase::Gone);
    }
}

impl State {
    pub(crate) fn is_serving(&self) -> bool {
        self.phase == Phase::Serving && self.end == End::None
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_serving() && !self.lame_duck
    }

    /// Why the server is not ready, in words.
    #[cfg(feature = "admin")]
    pub(crate) fn readiness(&self) -> Result<(), &'static str> {
        Err(match (self.phase, self.end) {
            (Phase::Gone, _) => "dropped",
            (Phase::Idle, _) => "not serving",
            (Phase::Stopping, _) | (_, End::Now) => "shutting down",
            (_, End::Finish(_)) => "serves what it has received",
            (_, End::Drain(_)) => "draining",
            (_, End::HandOver(_)) => "another process takes over",
            (Phase::Starting, End::None) => "starting",
            (Phase::Serving, End::None) if self.lame_duck => "lame duck",
            (Phase::Serving, End::None) => return Ok(()),
        })
    }

    /// Whether a run is in progress whose end was not requested.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Serving) && self.end == End::None
    }

    pub(crate) fn in_progress(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Gone)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status() -> Status {
        Status::new(
            Vec::new(),
            #[cfg(unix)]
            Vec::new(),
        )
    }

    // L-6
    #[test]
    fn a_run_begins_only_if_none_is_in_progress() {
        let status = status();

        assert_eq!(status.begin(), Some(1));
        assert_eq!(status.begin(), None);
        status.enter(Phase::Idle);
        assert_eq!(status.begin(), Some(2));
        status.gone();
        assert_eq!(status.begin(), None);
    }

    // L-18
    #[test]
    fn a_later_end_does_not_replace_an_earlier_one() {
        let status = status();
        let generation = status.begin().unwrap();
        let soon = Instant::now();
        let later = soon + Duration::from_secs(1);

        status.ask(generation, End::Drain(later));
        status.ask(generation, End::Drain(soon));
        status.ask(generation, End::Drain(later));
        assert_eq!(status.now().end, End::Drain(soon));
        status.ask(generation, End::Now);
        status.ask(generation, End::Drain(soon));
        status.ask(generation, End::Finish(soon));
        assert_eq!(status.now().end, End::Now);
    }

    // L-28
    #[test]
    fn a_graceful_end_replaces_a_drain_and_the_earlier_time_holds() {
        let soon = Instant::now();
        let later = soon + Duration::from_secs(1);

        for (first, second, both) in [
            (End::Drain(later), End::Finish(soon), End::Finish(soon)),
            (End::Drain(soon), End::Finish(later), End::Finish(soon)),
            (End::Finish(later), End::Drain(soon), End::Finish(soon)),
            (End::Finish(soon), End::Finish(later), End::Finish(soon)),
        ] {
            let status = status();
            let generation = status.begin().unwrap();
            status.ask(generation, first);
            status.ask(generation, second);
            assert_eq!(status.now().end, both, "{first:?}, {second:?}");
        }
    }

    // O-10
    #[test]
    fn a_lame_duck_lasts_as_long_as_its_run() {
        let status = status();
        status.begin_lame_duck(0);
        assert!(!status.now().lame_duck, "nothing is served");
        let first = status.begin().unwrap();
        status.enter(Phase::Serving);
        assert!(status.now().is_ready());

        status.begin_lame_duck(first);

        assert!(status.now().is_serving() && !status.now().is_ready());
        status.enter(Phase::Idle);
        status.begin().unwrap();
        status.enter(Phase::Serving);
        status.begin_lame_duck(first);
        assert!(status.now().is_ready(), "another run");
    }

    // L-14
    #[test]
    fn a_request_to_end_one_run_does_not_end_another() {
        let status = status();
        let first = status.begin().unwrap();
        status.enter(Phase::Idle);
        status.ask(first, End::Now);
        status.begin();

        status.ask(first, End::Now);

        assert_eq!(status.now().end, End::None);
    }
}
