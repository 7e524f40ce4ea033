//! Guards of the parts of a run. A server waits for them before it serves again.

use std::sync::Arc;

use tokio::sync::watch;

/// Records whether parts of a run still exist. If the future of `serve` was dropped, the runtime drops the
/// tasks later.
#[derive(Debug, Default)]
pub(crate) struct ServeGuards(Arc<watch::Sender<Last>>);

/// The number of the last run, and whether parts of it still exist.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    serving: u64,
    held: bool,
}

/// A guard that each part of a run holds. It must be dropped after everything else of that part.
#[derive(Clone, Debug)]
pub(crate) struct ServeGuard {
    _shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared(Arc<watch::Sender<Last>>);

impl ServeGuards {
    /// Begins the run with this number. No parts of earlier runs may exist.
    pub(crate) fn hold(&self, serving: u64) -> ServeGuard {
        self.0.send_replace(Last { serving, held: true });
        ServeGuard { _shared: Arc::new(Shared(Arc::clone(&self.0))) }
    }

    /// Waits until no parts exist of the run with this number and of earlier runs.
    pub(crate) async fn gone(&self, serving: u64) {
        let gone = |last: &Last| !last.held || last.serving > serving;
        let mut last = self.0.subscribe();
        last.wait_for(gone).await.expect("the sender is in `self`");
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.send_modify(|last| last.held = false);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn are_gone(guards: &ServeGuards, serving: u64) -> bool {
        pin!(guards.gone(serving)).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    // L-19
    #[test]
    fn a_run_is_gone_with_the_last_of_its_parts() {
        let guards = ServeGuards::default();
        assert!(are_gone(&guards, 0));
        let part = guards.hold(1);
        let other = part.clone();

        drop(part);
        assert!(!are_gone(&guards, 1));
        drop(other);

        assert!(are_gone(&guards, 1));
    }

    // L-19
    #[test]
    fn a_run_is_gone_when_a_later_one_has_begun() {
        let guards = ServeGuards::default();
        drop(guards.hold(1));
        let _later = guards.hold(3);

        assert!(are_gone(&guards, 1));
        assert!(are_gone(&guards, 2));
        assert!(!are_gone(&guards, 3));
    }
}
