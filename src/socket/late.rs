//! Drops datagrams that have waited too long for a handler.

use tokio::time::Instant;

use super::{SocketState, mailbox::Mailbox};
use crate::{queue_time::Stamp, stats::DropReason};

impl SocketState {
    /// Drops what has waited too long in `mailbox`. The datagram that opened the conversation is kept, unless its handler
    /// `begins`. Returns whether it was dropped.
    #[inline]
    pub(crate) fn drop_late(&self, mailbox: &Mailbox, begins: bool) -> bool {
        self.limits.queue_time().is_limited() && self.drop_each_late(mailbox, begins)
    }

    /// Counts a datagram of a queue that is received, if it is known when it arrived.
    #[inline]
    pub(crate) fn count_wait(&self, arrived: Stamp) {
        if arrived.is_known() {
            let now = self.limits.queue_time().stamp(Instant::now());
            self.counters.waited(now.age(arrived));
        }
    }

    fn drop_each_late(&self, mailbox: &Mailbox, begins: bool) -> bool {
        let now = self.limits.queue_time().stamp(Instant::now());
        let is_unread = mailbox.is_unread();
        while let Some(late) = mailbox.take_late(begins, now, &self.limits, &self.counters) {
            drop(late);
            self.dropped(DropReason::Late, 1);
        }
        is_unread && !mailbox.is_unread()
    }
}
