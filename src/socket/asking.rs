//! Asks the reply store about the next datagram of a mailbox, before a handler receives it.

use std::task::{Context, Poll};

use tokio::task::coop;

use super::{
    SocketState,
    mailbox::{Asked, Mailbox, Next},
};
use crate::{Addr, reply_cache::Verdict, stats::DropReason, transport::Route};

/// What there is to receive.
pub(crate) enum Taken {
    /// This datagram, or `None` once the mailbox is closed.
    Datagram(Option<Asked>),
    /// A datagram that the reply store is asked about.
    Unknown,
    /// A datagram was dropped. There may be others.
    Dropped,
    Nothing,
}

impl SocketState {
    /// Takes the next datagram of `peer` that the reply store does not know. It drops one that the store knows, and sends
    /// the reply to it again. If the peer is not validated, the guard limits that.
    pub(crate) fn poll_ask(
        &self,
        mailbox: &Mailbox,
        peer: &Addr,
        validated: bool,
        cx: &mut Context<'_>,
    ) -> Taken {
        let Poll::Ready(next) = mailbox.poll_ask(cx) else { return Taken::Nothing };
        let Some(mut asked) = next else { return Taken::Datagram(None) };
        let local = asked.waiting.0.local;
        let in_chunks =
            |reply: &[u8]| self.chunks.as_ref().is_some_and(|chunks| chunks.splits(reply));
        let verdict = match asked.ticket() {
            Some((ticket, datagram)) => ticket.poll_ask(peer, datagram, in_chunks, cx),
            None => Poll::Ready(Verdict::New),
        };
        let reason = match verdict {
            Poll::Ready(Verdict::New) => return Taken::Datagram(Some(asked)),
            Poll::Ready(Verdict::InProgress) => DropReason::Duplicate,
            Poll::Ready(Verdict::Answered(reply)) => {
                let peer = asked.waiting.1.source().unwrap_or(peer);
                let to = Route { peer: peer.clone(), local };
                let rules = if validated { None } else { self.rules_for(peer) };
                let len = asked.waiting.1.len();
                self.send_batched();
                self.replay(peer, &reply, len, rules.as_deref(), |datagram| {
                    self.outbox.send_alone_again(&to, datagram)
                });
                DropReason::Duplicate
            }
            Poll::Ready(Verdict::Unknown) => DropReason::StoreFailed,
            Poll::Pending if mailbox.put_back(asked, cx, &self.counters) => return Taken::Unknown,
            Poll::Pending => return Taken::Dropped,
        };
        drop(asked.released(&self.counters));
        self.dropped(reason, 1);
        // A store that answers at once must not keep the thread busy.
        match coop::poll_proceed(cx) {
            Poll::Ready(budget) => {
                budget.made_progress();
                Taken::Dropped
            }
            Poll::Pending => Taken::Unknown,
        }
    }

    /// Completes when a datagram waits in `mailbox` that may open a conversation, or when there is none. Returns whether
    /// there is one. If not, the conversation is over.
    pub(crate) fn poll_open(
        &self,
        mailbox: &Mailbox,
        peer: &Addr,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        loop {
            match self.poll_ask(mailbox, peer, false, cx) {
                Taken::Datagram(Some(mut asked)) => {
                    asked.is_opening = true;
                    if mailbox.put_back(asked, cx, &self.counters) {
                        return Poll::Ready(true);
                    }
                }
                Taken::Dropped => {}
                Taken::Unknown => return Poll::Pending,
                Taken::Datagram(None) | Taken::Nothing => {
                    if mailbox.finish(&self.counters) == Next::Nothing {
                        return Poll::Ready(false);
                    }
                }
            }
        }
    }
}
