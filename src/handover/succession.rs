//! What a server knows of the processes before and after it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Acquire, Release},
        },
    },
};

use tokio::sync::watch;

use super::{intake::Intake, leaving::WorkerEnd};
use crate::lock::locked;

/// What a server knows of the processes before and after it.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    /// The path at which it has taken over its sockets.
    took_over: OnceLock<PathBuf>,
    /// Whether it waits for a process that takes over, or hands over.
    hands_over: AtomicBool,
    /// Whether the process before it still has conversations.
    is_taking_over: AtomicBool,
    /// Whether a process after it has its sockets.
    handed_over: AtomicBool,
    /// Whether a hand-over still sends messages to the next process. `serve` does not return before it is done.
    tells: watch::Sender<bool>,
    /// The paths that the server has bound, by sockets.
    pub(crate) own_paths: Vec<Option<PathBuf>>,
}

impl Succession {
    pub(crate) fn new(own_paths: Vec<Option<PathBuf>>) -> Self {
        Self { own_paths, ..Self::default() }
    }

    pub(crate) fn set_took_over(&self, path: PathBuf) {
        // A server takes over once.
        let _ = self.took_over.set(path);
        self.is_taking_over.store(true, Release);
    }

    /// Whether it has taken over at this path. Then the socket there is that of the process before it.
    pub(crate) fn took_over_at(&self, path: &Path) -> bool {
        self.took_over.get().is_some_and(|at| at == path)
    }

    /// Begins to wait for a process that takes over, until the value is dropped. `None` if it does so already.
    pub(crate) fn hand_over(&self) -> Option<HandsOver<'_>> {
        let begins = !self.hands_over.swap(true, AcqRel);
        begins.then_some(HandsOver(self))
    }

    pub(crate) fn set_alone(&self) {
        self.is_taking_over.store(false, Release);
    }

    pub(crate) fn is_taking_over(&self) -> bool {
        self.is_taking_over.load(Acquire)
    }

    pub(crate) fn set_handed_over(&self, handed_over: bool) {
        self.handed_over.store(handed_over, Release);
    }

    pub(crate) fn set_tells(&self, tells: bool) {
        self.tells.send_replace(tells);
    }

    /// Waits until a process after this one knows everything.
    pub(crate) async fn told(&self) {
        // The sender is in `self`.
        let _ = self.tells.subscribe().wait_for(|tells| !tells).await;
    }

    pub(crate) fn has_handed_over(&self) -> bool {
        self.handed_over.load(Acquire)
    }
}

/// Resets [`Succession::hand_over`].
#[derive(Debug)]
pub(crate) struct HandsOver<'a>(&'a Succession);

impl Drop for HandsOver<'_> {
    fn drop(&mut self) {
        self.0.hands_over.store(false, Release);
    }
}

/// The part of a socket that hand-overs need.
#[derive(Debug, Default)]
pub(crate) struct SocketPart {
    /// What comes from the process before this one.
    intake: OnceLock<Arc<Intake>>,
    /// How the worker is connected with the process after this one.
    link: Mutex<Option<WorkerEnd>>,
}

impl SocketPart {
    pub(crate) fn set_intake(&self, intake: Arc<Intake>) {
        // A socket is taken over once.
        let _ = self.intake.set(intake);
    }

    pub(crate) fn intake(&self) -> Option<&Arc<Intake>> {
        self.intake.get()
    }

    pub(crate) fn set_link(&self, link: WorkerEnd) {
        *locked(&self.link) = Some(link);
    }

    pub(crate) fn take_link(&self) -> Option<WorkerEnd> {
        locked(&self.link).take()
    }
}
