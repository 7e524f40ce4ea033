//! What a server knows of the processes before and after it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
};

use tokio::sync::watch;

use super::{intake::Intake, leaving::WorkerEnd};
use crate::lock::locked;

/// What a server knows of the processes before and after it.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    /// Whether it has taken over its sockets.
    took_over: AtomicBool,
    /// Whether the process before it still has conversations.
    is_taking_over: AtomicBool,
    /// Whether a process after it has its sockets.
    handed_over: AtomicBool,
    /// Whether a task tells a process after it about conversations. Serving does not end before.
    tells: watch::Sender<bool>,
    /// The paths that the server has bound, by sockets.
    pub(crate) own_paths: Vec<Option<PathBuf>>,
}

impl Succession {
    pub(crate) fn new(own_paths: Vec<Option<PathBuf>>) -> Self {
        Self { own_paths, ..Self::default() }
    }

    pub(crate) fn set_took_over(&self) {
        self.took_over.store(true, Release);
        self.is_taking_over.store(true, Release);
    }

    pub(crate) fn has_taken_over(&self) -> bool {
        self.took_over.load(Acquire)
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
