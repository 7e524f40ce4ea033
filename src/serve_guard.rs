//! What a server waits for before it serves again.

use std::sync::Arc;

use tokio::sync::watch;

/// Knows whether something is left of a serving. If its future was dropped, its tasks are dropped when
/// the runtime comes to them, which is later.
#[derive(Debug, Default)]
pub(crate) struct ServeGuards(Arc<watch::Sender<Last>>);

/// The last serving that has begun, by its number, and whether something is left of it.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    serving: u64,
    held: bool,
}

/// What each part of a serving has, to be dropped after all else of that part.
#[derive(Clone, Debug)]
pub(crate) struct ServeGuard {
    _shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared(Arc<watch::Sender<Last>>);

impl ServeGuards {
    /// Begins the serving of this number; nothing must be left of any before.
    pub(crate) fn hold(&self, serving: u64) -> ServeGuard {
        self.0.send_replace(Last { serving, held: true });
        ServeGuard { _shared: Arc::new(Shared(Arc::clone(&self.0))) }
    }

    /// Waits until nothing is left of the serving of this number, nor of any before.
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
    fn a_serving_is_gone_with_the_last_of_its_parts() {
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
    fn a_serving_is_gone_when_a_later_one_has_begun() {
        let guards = ServeGuards::default();
        drop(guards.hold(1));
        let _later = guards.hold(3);

        assert!(are_gone(&guards, 1));
        assert!(are_gone(&guards, 2));
        assert!(!are_gone(&guards, 3));
    }
}
