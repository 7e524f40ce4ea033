//! Reads the socket until it is empty, for conversations whose timeout has elapsed.

use std::{
    io,
    task::{Context, Poll, ready},
};

use tokio::task::coop;

use super::{Event, NOT_LENT, Rereading, Worker};
use crate::{
    Handler,
    engine::conversation::{HandlerCall, Outcome},
};

/// The most datagrams that one round reads: more than a buffer of the default size holds. With a limit, a
/// peer that sends without end cannot delay the timeouts of others.
const MOST_REREAD: usize = 16_384;
/// The most messages that one call reads.
const COPIES: usize = 32;

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Reads the socket if a conversation with an elapsed timeout asks for it. It asks the kernel, even if the
    /// runtime considers the socket not readable.
    pub(super) fn poll_reread(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.reread.as_ref().is_some_and(|reread| reread.left == 0) {
            self.end_reread();
        }
        if self.reread.is_none() {
            self.reread = self.begin_reread();
        }
        let Some(reread) = &mut self.reread else { return Poll::Ready(None) };
        ready!(coop::poll_proceed(cx)).made_progress();
        let received = &mut self.batch.as_mut().expect(NOT_LENT).received;
        match self.receiving.recv_now(received) {
            Ok(()) => {
                // If all messages were copies for other workers, the batch is empty.
                let read = if received.is_empty() { COPIES } else { received.len() };
                reread.left = reread.left.saturating_sub(read);
                if received.is_empty() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Event::Received))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.end_reread();
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Event::Failed(error))),
        }
    }

    pub(super) fn begin_reread(&self) -> Option<Rereading> {
        self.socket.reread.begin().map(|round| Rereading { round, left: MOST_REREAD })
    }

    /// Lets the conversations go on whose timeout has elapsed, where the socket is not read any more.
    pub(super) fn end_rereads(&mut self) {
        self.end_reread();
        self.reread = self.begin_reread();
        self.end_reread();
    }

    pub(super) fn end_reread(&mut self) {
        if let Some(Rereading { round, .. }) = self.reread.take() {
            self.socket.reread.finish(round);
        }
    }
}
