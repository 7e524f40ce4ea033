//! Datagrams that wait for the worker, or for room in the kernel: first in, first out, and for a limited time.

use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;

use crate::transport::{Route, SendBatch};

/// How many datagrams or bytes wait before `send` waits too. At 40,000 replies per second, this is about the
/// number of replies within the default time that a datagram may wait.
pub(crate) const MOST_DATAGRAMS: usize = 4_096;
pub(super) const MOST_BYTES: usize = 4 << 20;

/// The most datagrams of a chunk, and the longest time between the arrival of its first and its last.
const AT_A_TIME: usize = 256;
const SPAN: Duration = Duration::from_millis(10);

/// The datagrams that wait, in chunks. There is always at least one chunk, so that its buffers are used again.
#[derive(Debug)]
pub(super) struct Backlog {
    chunks: VecDeque<Chunk>,
    datagrams: usize,
    bytes: usize,
    /// Whether something waits for room in the kernel.
    blocked: bool,
}

#[derive(Debug, Default)]
struct Chunk {
    batch: SendBatch,
    /// While the kernel has no room, the time at which the first datagram began to wait.
    since: Option<Instant>,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { chunks: [Chunk::default()].into(), datagrams: 0, bytes: 0, blocked: false }
    }
}

impl Backlog {
    pub(super) const fn len(&self) -> usize {
        self.datagrams
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.datagrams == 0
    }

    pub(super) const fn is_full(&self) -> bool {
        self.datagrams >= MOST_DATAGRAMS || self.bytes >= MOST_BYTES
    }

    pub(super) fn push(&mut self, to: &Route, datagram: &[u8]) {
        let since = self.blocked.then(Instant::now);
        let takes = |last: &Chunk| {
            let span = since.zip(last.since).map(|(now, since)| now - since);
            last.batch.len() < AT_A_TIME && span.is_none_or(|span| span < SPAN)
        };
        if !self.chunks.back().is_some_and(takes) {
            self.chunks.push_back(Chunk::default());
        }
        let Some(last) = self.chunks.back_mut() else { return };
        last.since = last.since.or(since);
        last.batch.push(to, datagram);
        self.datagrams += 1;
        self.bytes += datagram.len();
    }

    /// Puts the rest of `replies` at the front, because the kernel had no room. They are older than all
    /// datagrams that wait.
    pub(super) fn prepend(&mut self, replies: &mut SendBatch) {
        self.block();
        self.datagrams += replies.len();
        self.bytes += replies.bytes();
        let chunk = Chunk { batch: mem::take(replies), since: Some(Instant::now()) };
        self.chunks.push_front(chunk);
    }

    /// Calls `send` for each chunk, in order, until it returns false because it could not send the whole chunk.
    pub(super) fn flush(&mut self, mut send: impl FnMut(&mut SendBatch) -> bool) {
        while let Some(first) = self.chunks.front_mut() {
            let (datagrams, bytes) = (first.batch.len(), first.batch.bytes());
            let done = send(&mut first.batch);
            self.datagrams -= datagrams - first.batch.len();
            self.bytes -= bytes - first.batch.bytes();
            if !done {
                self.block();
                return;
            }
            if self.chunks.len() == 1 {
                break;
            }
            self.chunks.pop_front();
        }
        self.unblock();
    }

    /// The kernel has no room: from now on the waiting time of datagrams counts.
    pub(super) fn block(&mut self) {
        if !mem::replace(&mut self.blocked, true) && !self.is_empty() {
            let now = Instant::now();
            self.chunks.iter_mut().for_each(|chunk| chunk.since = Some(now));
        }
    }

    /// No datagram waits any more.
    fn unblock(&mut self) {
        self.blocked = false;
        self.chunks.truncate(1);
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.since = None;
        }
    }

    /// The time when the oldest datagrams will have waited for `limit`; `None` if none waits for room.
    pub(super) fn deadline(&self, limit: Duration) -> Option<Instant> {
        // The last datagram of a chunk came up to `SPAN` later than the first.
        let first = self.chunks.iter().find(|chunk| !chunk.batch.is_empty())?;
        first.since?.checked_add(limit)?.checked_add(SPAN)
    }

    /// Drops the datagrams that have waited for `limit`; returns their number.
    pub(super) fn expire(&mut self, limit: Duration) -> usize {
        let (now, before) = (Instant::now(), self.datagrams);
        while self.deadline(limit).is_some_and(|deadline| deadline <= now) {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.datagrams -= chunk.batch.len();
            self.bytes -= chunk.batch.bytes();
        }
        if self.chunks.is_empty() {
            *self = Self::default();
        }
        before - self.datagrams
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::time::advance;

    use super::*;
    use crate::Addr;

    const LIMIT: Duration = Duration::from_millis(100);

    fn push(backlog: &mut Backlog, datagrams: usize) {
        let to = Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))).into();
        (0..datagrams).for_each(|n| backlog.push(&to, n.to_string().as_bytes()));
    }

    // S-10
    #[tokio::test(start_paused = true)]
    async fn datagrams_that_waited_for_the_limit_are_dropped_and_later_ones_are_not() {
        let mut backlog = Backlog::default();
        push(&mut backlog, 300);
        backlog.block();
        advance(LIMIT - SPAN).await;
        push(&mut backlog, 1);

        advance(2 * SPAN - Duration::from_millis(1)).await;
        assert_eq!(backlog.expire(LIMIT), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(backlog.expire(LIMIT), 300);
        assert_eq!(backlog.len(), 1);

        advance(LIMIT).await;
        assert_eq!(backlog.expire(LIMIT), 1);
        assert!(backlog.is_empty() && backlog.deadline(LIMIT).is_none());
    }

    // S-10
    #[tokio::test(start_paused = true)]
    async fn datagrams_that_wait_only_for_the_worker_have_no_time_limit() {
        let mut backlog = Backlog::default();
        push(&mut backlog, 1);

        advance(LIMIT * 10).await;

        assert_eq!((backlog.deadline(LIMIT), backlog.expire(LIMIT)), (None, 0));
    }

    // S-10
    #[tokio::test(start_paused = true)]
    async fn after_a_full_flush_no_deadline_is_left() {
        let mut backlog = Backlog::default();
        push(&mut backlog, 600);
        backlog.flush(|batch| {
            batch.pop_front();
            false
        });
        assert_eq!(backlog.len(), 599);
        assert!(backlog.deadline(LIMIT).is_some());

        backlog.flush(|batch| {
            batch.clear();
            true
        });

        push(&mut backlog, 1);
        assert_eq!((backlog.len(), backlog.deadline(LIMIT)), (1, None));
    }
}
