//! What a worker does while another process takes over its socket: it reads nothing more, and the other process gives it the
//! datagrams that belong to its conversations.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{NOT_LENT, Worker, dispatch::Admitted};
use crate::{
    Addr, Handler,
    engine::{
        conversation::{HandlerCall, Outcome},
        conversations::HandedOver,
        serve_state::Mode,
    },
    handover::{
        Kept,
        leaving::{HandingOver, Order, Told},
    },
    socket::mailbox::Mailbox,
    stats::{DropReason, add},
};

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Serves what was read, tells the other process which peers are in conversation, and waits until none is.
    pub(super) async fn hand_over(&mut self) {
        let Some(end) = self.socket.hand_over.take_link() else { return };
        self.finish_backlog().await;
        self.handing_over = Some(Box::new(HandingOver::new(end)));
        self.tell_conversations(Told::InConversation);
        poll_fn(|cx| {
            self.attend(cx);
            self.end_rereads();
            let goes_on = self.serve_state.mode() == Mode::HandOver;
            if goes_on && !self.conversations.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Returns what still comes from the other process, until that knows that all conversations have ended.
    pub(super) async fn finish_hand_over(&mut self) {
        poll_fn(|cx| {
            self.attend(cx);
            let waits = self.handing_over.as_ref().is_some_and(|handing| !handing.finished);
            if waits && self.serve_state.mode() != Mode::Abandon {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        self.handing_over = None;
    }

    /// Does what it is asked to.
    #[cold]
    pub(super) fn obey(&mut self, cx: &mut Context<'_>) {
        while let Some(handing) = &mut self.handing_over
            && !handing.finished
            && let Poll::Ready(order) = handing.end.orders.poll_recv(cx)
        {
            match order {
                Some(Order::Tell) => self.tell_conversations(Told::Again),
                Some(Order::Take(datagram)) => self.take(datagram),
                Some(Order::Finish) | None => handing.finished = true,
            }
        }
        if let Some(handing) = &mut self.handing_over
            && !handing.told_empty
            && self.conversations.is_empty()
        {
            handing.told_empty = true;
            handing.end.tell(Told::Empty);
        }
    }

    fn tell_conversations(&mut self, told: fn(Vec<Addr>) -> Told) {
        let Some(handing) = &mut self.handing_over else { return };
        // What waits was taken out of its envelope or put together from chunks, so only this process can receive it.
        let socket = &self.socket;
        let is_changed = socket.chunks.is_some()
            || socket.validation.as_ref().is_some_and(|validation| validation.has_envelope());
        let peers = self.conversations.hand_over(!is_changed);
        handing.leaving.begin(&peers);
        handing.told_empty = false;
        handing.end.tell(told(peers));
    }

    /// Frees the places of conversations that have ended, and tells the other process.
    #[cold]
    pub(super) fn report_ended(&mut self) {
        let mut ended = Vec::new();
        self.socket.each_ended(|peer, serial| ended.push((peer.clone(), serial)));
        for (peer, serial) in ended {
            let mailbox = self.conversations.mailbox(&peer, serial);
            self.conversations.end(&peer, serial);
            if let Some(mailbox) = mailbox {
                self.tell_ended(peer, Some(&mailbox), None);
            }
        }
    }

    /// Tells that the conversations of a peer have ended, and returns what they have not received; `last` comes after that.
    fn tell_ended(&mut self, peer: Addr, mailbox: Option<&Mailbox>, last: Option<Kept>) {
        let Some(handing) = &mut self.handing_over else { return };
        let kept = |(ancillary, body): (_, crate::socket::mailbox::Body)| Kept {
            from: body.source().unwrap_or(&peer).clone(),
            ancillary,
            bytes: body.into_parts().0.into_vec(),
        };
        let rest = mailbox.map(|mailbox| mailbox.take_rest(&self.socket.counters));
        let rest = rest.into_iter().flatten().map(kept);
        let rest: Vec<_> = rest.chain(last).collect();
        match handing.leaving.ended(&peer) {
            Some(taken) => handing.end.tell(Told::Ended { peer, taken, rest }),
            None => rest.into_iter().for_each(|kept| handing.end.tell(Told::Returned(kept))),
        }
    }

    /// Gives a datagram to its conversation, as if it was read here, or returns it.
    fn take(&mut self, datagram: Kept) {
        let Some(handing) = &mut self.handing_over else { return };
        if !handing.leaving.takes(&datagram.from) {
            return handing.end.tell(Told::Returned(datagram));
        }
        let counters = Arc::clone(&self.socket.counters);
        add(&counters.received, 1);
        add(&counters.received_bytes, datagram.bytes.len() as u64);
        let mut batch = self.batch.take().expect(NOT_LENT);
        let Kept { from, ancillary, bytes } = datagram;
        batch.received.restore(from, ancillary, bytes);
        self.socket.outbox.begin_batch();
        // Later, what comes is only kept, and returned.
        let admitted = match self.serve_state.mode() {
            Mode::HandOver | Mode::Finish => self.admit(&mut batch, 0),
            _ => Ok(Admitted::Request),
        };
        match admitted {
            Ok(Admitted::Request) => {
                let received = &batch.received;
                let (from, ancillary) = (received.from(0), received.ancillary(0));
                let (bytes, passed) = (received.datagram(0), &mut batch.passed);
                match self.conversations.offer_handed_over(from, ancillary, bytes, passed) {
                    HandedOver::Waiting => {}
                    HandedOver::Dropped(reason) => batch = self.drop_datagram(batch, reason),
                    HandedOver::Over(mailbox) => {
                        let bytes = bytes.to_vec();
                        let last = Kept { from: from.clone(), ancillary, bytes };
                        batch.drop_passed();
                        counters.dropped(DropReason::HandedOver, 1);
                        self.tell_ended(last.from.clone(), mailbox.as_deref(), Some(last));
                    }
                }
            }
            Ok(Admitted::Part) => batch.drop_passed(),
            Err(reason) => batch = self.drop_datagram(batch, reason),
        }
        batch.received.clear();
        self.batch = Some(batch);
        self.end_batch();
    }
}
