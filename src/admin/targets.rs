//! A server that the endpoint is about.

use std::{
    io,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use crate::{ServerHandle, Termination, engine::dedicated_thread::Reactor, lock::locked};

/// A server and its name.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) handle: ServerHandle,
    /// The thread that terminates it.
    terminating: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Target {
    pub(super) fn new(name: String, handle: ServerHandle) -> Self {
        Self { name, handle, terminating: Arc::default() }
    }

    /// Terminates the server on a thread of its own, which may last longer than the endpoint. Does nothing while that
    /// goes on already.
    pub(super) fn terminate(&self, termination: Termination) -> io::Result<()> {
        let mut thread = locked(&self.terminating);
        if thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let reactor = Reactor::new()?;
        // Before the answer, so that the next question after it finds the server not ready.
        self.handle.begin_lame_duck();
        let handle = self.handle.clone();
        let terminate = move || {
            reactor.runtime().block_on(handle.terminate(termination));
        };
        let builder = thread::Builder::new().name("datagrammar-drain".to_owned());
        *thread = Some(builder.spawn(terminate)?);
        Ok(())
    }
}
