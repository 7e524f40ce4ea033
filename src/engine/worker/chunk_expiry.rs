//! Gives up requests whose chunks do not arrive, also when nothing else arrives.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Sleep, sleep_until};

use crate::chunk::Chunks;

/// Wakes the worker when the next incomplete request is to be given up.
#[derive(Debug, Default)]
pub(super) struct ChunkExpiry(Option<Pin<Box<Sleep>>>);

impl ChunkExpiry {
    /// Gives up the requests of which no new chunk has arrived for too long.
    #[cold]
    pub(super) fn attend(&mut self, chunks: &Chunks, cx: &mut Context<'_>) {
        while let Some(deadline) = chunks.next_expiry() {
            let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx) == Poll::Pending {
                return;
            }
            chunks.expire();
        }
    }
}
