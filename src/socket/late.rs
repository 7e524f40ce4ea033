//! Drops datagrams that have waited too long for a handler.

use tokio::time::Instant;

use super::{SocketState, mailbox::Mailbox};
use crate::stats::DropReason;

impl SocketState {
    /// Drops what has waited too long in `mailbox`. The datagram that opened the conversation is kept, unless its handler
    /// `begins`. Returns whether it was dropped.
    #[inline]
    pub(crate) fn drop_late(&self, mailbox: &Mailbox, begins: bool) -> bool {
        self.limits.queue_time().is_limited() && self.drop_each_late(mailbox, begins)
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
