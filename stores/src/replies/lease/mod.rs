//! The lease of a request: how the replica that serves it keeps it.

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{Revision, Store, StoreError, clock::later};

/// A lease, and the task that renews it.
#[derive(Debug)]
pub(super) struct Lease {
    renewing: AbortHandle,
    until: Until,
}

impl Lease {
    /// Renews a lease in a task, from a third of its time after `since` on.
    pub(super) fn renewed<S: Store>(renewal: Renewal<S>, since: Instant) -> Self {
        let until = renewal.until.clone();
        Self { renewing: tokio::spawn(renewal.run(since)).abort_handle(), until }
    }

    pub(super) fn stop_renewing(&self) {
        self.renewing.abort();
    }

    /// Returns whether another replica may have the request.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_over()
    }
}

/// Until when the store has the claim in any case. It may have it for longer, if a call was executed without an answer.
#[derive(Clone, Debug)]
pub(super) struct Until(Arc<Mutex<Instant>>);

impl Until {
    pub(super) fn new(time: Instant) -> Self {
        Self(Arc::new(Mutex::new(time)))
    }

    fn set(&self, time: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    fn is_over(&self) -> bool {
        Instant::now() >= *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews a lease.
pub(super) struct Renewal<S> {
    pub(super) store: Arc<S>,
    /// The key of the entry.
    pub(super) name: String,
    /// Its value.
    pub(super) claim: Vec<u8>,
    pub(super) revision: Revision,
    pub(super) lease: Duration,
    pub(super) until: Until,
    /// When the request is forgotten.
    pub(super) end: Instant,
}

/// What an attempt to extend a lease has shown.
enum Shown {
    Extended,
    /// There is a reply, or the claim is gone.
    Lost,
    /// Another attempt is needed.
    Nothing,
}

impl<S: Store> Renewal<S> {
    /// An attempt begins a third of the lease after the last one that succeeded. If it has no answer within a sixth,
    /// the next one begins a twelfth later. So three begin before the lease is over.
    async fn run(mut self, since: Instant) {
        let mut next = later(since, self.lease / 3);
        let mut has_failed = false;
        loop {
            sleep_until(next).await;
            let now = Instant::now();
            let rest = self.end.saturating_duration_since(now);
            if rest.is_zero() {
                return;
            }
            let lease = self.lease.min(rest);
            match timeout(self.lease / 6, self.extend(lease, has_failed)).await {
                Ok(Ok(Shown::Extended)) => {
                    self.until.set(later(now, lease));
                    next = later(now, self.lease / 3);
                    has_failed = false;
                }
                Ok(Ok(Shown::Lost)) => {
                    self.until.set(now);
                    return;
                }
                Ok(Ok(Shown::Nothing) | Err(_)) | Err(_) => {
                    next = later(Instant::now(), self.lease / 12);
                    has_failed = true;
                }
            }
        }
    }

    async fn extend(&mut self, lease: Duration, has_failed: bool) -> Result<Shown, StoreError> {
        // A store may replace an entry whose time is over, and such a lease is not taken back.
        if !self.until.is_over() {
            if self.replace(lease).await? {
                return Ok(Shown::Extended);
            }
            if !has_failed {
                return Ok(Shown::Lost);
            }
        }
        // An attempt that failed may have been executed. Then the claim is there, with another revision.
        match self.store.get(&self.name).await? {
            Some(entry) if entry.value == self.claim => self.revision = entry.revision,
            _ => return Ok(Shown::Lost),
        }
        Ok(if self.replace(lease).await? { Shown::Extended } else { Shown::Nothing })
    }

    /// Writes the claim again; returns whether it still had the revision that is known.
    async fn replace(&mut self, lease: Duration) -> Result<bool, StoreError> {
        let replaced = self.store.replace(&self.name, self.revision, &self.claim, lease).await?;
        if let Some(revision) = replaced {
            self.revision = revision;
        }
        Ok(replaced.is_some())
    }
}
