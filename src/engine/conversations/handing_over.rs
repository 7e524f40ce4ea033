//! The table of conversations while another process takes over the socket.

use std::sync::Arc;

use super::Conversations;
use crate::{
    Addr,
    socket::mailbox::{Mailbox, Offer},
    stats::DropReason,
    transport::{Ancillary, Passed},
};

/// What the table did with a datagram that the other process has received.
#[derive(Debug)]
pub(in crate::engine) enum HandedOver {
    Waiting,
    /// It was dropped. The caller counts it.
    Dropped(DropReason),
    /// The conversation is over, and had this mailbox.
    Over(Option<Arc<Mailbox>>),
}

impl<T> Conversations<T> {
    /// Returns the peers in conversation that have a name. With `returns`, their mailboxes keep what is not received.
    pub(in crate::engine) fn hand_over(&self, returns: bool) -> Vec<Addr> {
        for conversation in self.open.values().filter(|_| returns) {
            conversation.mailbox.hand_over();
        }
        self.open.keys().filter(|peer| !peer.is_unnamed()).cloned().collect()
    }

    /// The mailbox of a conversation.
    pub(in crate::engine) fn mailbox(&self, peer: &Addr, serial: u64) -> Option<Arc<Mailbox>> {
        let conversation = self.open.get(peer);
        let conversation = conversation.filter(|conversation| conversation.serial == serial);
        conversation.map(|conversation| Arc::clone(&conversation.mailbox))
    }

    /// Queues a datagram that the other process has received.
    pub(in crate::engine) fn offer_handed_over(
        &mut self,
        from: &Addr,
        ancillary: Ancillary,
        datagram: &[u8],
        passed: &mut Option<Box<Passed>>,
    ) -> HandedOver {
        let Some(conversation) = self.open.get(from) else { return HandedOver::Over(None) };
        if self.keeps_sources {
            passed.get_or_insert_default().from = Some(Box::new(from.clone()));
        }
        let (limits, counters) = (&self.limits, &self.counters);
        match conversation.mailbox.offer(ancillary, datagram, passed, limits, counters) {
            Offer::Accepted => HandedOver::Waiting,
            Offer::Dropped(reason) => HandedOver::Dropped(reason),
            Offer::Over => {
                let (serial, mailbox) = (conversation.serial, Arc::clone(&conversation.mailbox));
                self.end(from, serial);
                HandedOver::Over(Some(mailbox))
            }
        }
    }
}
