//! How a worker ends: conversations get time to finish, and then they are dropped.

use std::{
    future::poll_fn,
    mem,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Poll, ready},
};

use tokio::{
    task::AbortHandle,
    time::{Instant, sleep_until},
};

#[cfg(unix)]
use super::NOT_LENT;
use super::Worker;
use crate::{
    Handler,
    engine::{
        conversation::{HandlerCall, Outcome},
        serve_state::Mode,
    },
    stats::DropReason,
};

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Ends all conversations. After a graceful end, this first waits until they have received what waits for
    /// them and are over.
    pub(super) async fn end(&mut self) {
        #[cfg(unix)]
        if self.serve_state.mode() >= Mode::HandOver {
            self.finish_taking_over().await;
            self.hand_over().await;
        }
        if self.serve_state.mode() == Mode::Finish {
            // The running conversations have everything that was read from their peers.
            self.seal();
            self.finish_backlog().await;
            // Those that the backlog has opened.
            self.seal();
            poll_fn(|cx| {
                self.attend(cx);
                let goes_on = self.serve_state.mode() == Mode::Finish;
                if goes_on && !self.conversations.is_empty() {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
        }
        self.close().await;
        #[cfg(unix)]
        self.finish_hand_over().await;
    }

    /// Whether conversations still get what was read.
    fn serves(&self) -> bool {
        matches!(self.serve_state.mode(), Mode::HandOver | Mode::Finish)
    }

    /// Lets each conversation end after what waits for it.
    fn seal(&self) {
        self.conversations.seal();
        self.socket.closing.notify_waiters();
    }

    /// Serves the new peers that have waited.
    pub(super) async fn finish_backlog(&mut self) {
        let goes_on = |this: &Self| this.serves() && !this.overload.backlog.is_empty();
        while goes_on(self) {
            self.in_time(Self::serve_backlog);
            self.give_way().await;
            poll_fn(|cx| {
                self.attend(cx);
                self.end_rereads();
                if goes_on(self) && !self.can_serve_backlog() {
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
        }
    }

    /// Serves what the process before this one has returned. It was read from the socket, so nobody else can serve it. If
    /// serving ends at once, it is dropped and counted.
    #[cfg(unix)]
    async fn finish_taking_over(&mut self) {
        let Some(intake) = self.socket.hand_over.intake().map(Arc::clone) else { return };
        poll_fn(|cx| {
            self.attend(cx);
            if self.serves() { intake.poll_gone(cx) } else { Poll::Ready(()) }
        })
        .await;
        loop {
            intake.take_rest(&mut self.batch.as_mut().expect(NOT_LENT).received);
            let datagrams = self.batch.as_ref().expect(NOT_LENT).received.len();
            if datagrams == 0 {
                return;
            }
            self.count_received();
            if self.serves() {
                while !self.in_time(Self::dispatch) {
                    self.give_way().await;
                }
            } else {
                self.socket.dropped(DropReason::ShuttingDown, datagrams as u64);
            }
            self.batch.as_mut().expect(NOT_LENT).received.clear();
            self.next = 0;
        }
    }

    /// Closes all conversations: their `recv` returns `Closed`, they have `shutdown_grace` to finish, and then
    /// they are dropped.
    async fn close(&mut self) {
        self.overload.backlog.clear();
        self.conversations.close();
        self.socket.closing.notify_waiters();
        let mut grace = pin!(sleep_until(Instant::now() + self.socket.limits.shutdown_grace()));
        let socket = Arc::clone(&self.socket);
        let mut stored = pin!(socket.store_is_idle());
        let mut cut = false;
        poll_fn(|cx| {
            self.attend(cx);
            let silent = self.conversations.is_empty();
            let sent = silent && self.socket.outbox.is_flushed();
            if sent && stored.as_mut().poll(cx).is_ready()
                || self.serve_state.mode() == Mode::Abandon
            {
                return Poll::Ready(());
            }
            if !cut {
                ready!(grace.as_mut().poll(cx));
                cut = true;
                self.conversations.tasks().for_each(AbortHandle::abort);
            }
            // Datagrams that have found no room in the kernel until now are lost.
            if silent { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl<Req, Res, H, F, M> Drop for Worker<Req, Res, H, F, M> {
    fn drop(&mut self) {
        self.socket.pulse.stop();
        self.conversations.tasks().for_each(AbortHandle::abort);
        self.socket.serial.store(self.serial, Relaxed);
        if mem::take(&mut self.reserved) {
            self.conversations.release();
        }
        let rest =
            self.batch.as_ref().map_or(0, |batch| batch.received.len().saturating_sub(self.next));
        self.socket.counters.dropped(DropReason::ShuttingDown, rest as u64);
    }
}
