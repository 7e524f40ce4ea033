//! How the error of a handler is logged and counted.

use std::error::Error;

use super::{Peer, QuietEnd};
use crate::{
    BoxError, ClientExchangeError, ClientRecvError, ClientSendError, PeerExchangeError, RecvError,
    SendError,
    events::{caused_by, reads_like},
    panic::Panicked,
    stats::add,
};

impl<Req, Res> Peer<Req, Res> {
    /// Counts and logs `error`, which the handler has returned. The error is the user's code: it may panic
    /// when it is printed or dropped.
    pub(crate) fn fail(&self, error: BoxError) {
        let (socket, peer) = (&self.path.socket, self.addr());
        if !socket.outbox.is_open()
            && caused_by(&*error, |error| matches!(error, SendError::Closed))
        {
            let what = "a conversation could not send any more";
            add(&socket.counters.panicked, u64::from(!socket.events.warn(peer, &*error, what)));
        } else if self.is_of_guard(&*error) {
            // It was counted when the guard refused the reply.
        } else {
            match self.passed_on(&*error) {
                Some(QuietEnd::Idle) => add(&socket.counters.idle_timeouts, 1),
                Some(QuietEnd::Closed) => {}
                Some(QuietEnd::Undecodable) => self.log_undecodable(&*error),
                None => return self.failed(error),
            }
        }
        drop(error);
    }

    /// Counts and logs `error` as a failure. It is not an error that this peer's `recv` or `send` has
    /// returned.
    pub(crate) fn failed(&self, error: BoxError) {
        self.path.socket.report(self.addr(), &error, false);
        drop(error);
    }

    /// Logs that the kernel has refused the response of a function, as for a response that leaves later. The
    /// function itself has not failed, also if the guard has refused the response.
    #[cold]
    pub(crate) fn unless_refused(&self, sent: Result<(), SendError>) -> Result<(), BoxError> {
        match sent {
            Err(SendError::Io(error)) => {
                self.path.socket.events.warn(self.addr(), &error, "a datagram could not be sent");
                Ok(())
            }
            // It was counted, and the first one was logged.
            Err(SendError::OverBudget { .. } | SendError::OverRate) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Counts and logs that a function has panicked.
    pub(crate) fn panicked(&self, panicked: Panicked) {
        self.path.socket.report(self.addr(), &panicked.into(), true);
    }

    /// Logs at DEBUG that a datagram did not decode. Any host can send such a datagram, so it is not a
    /// failure that an operator must see.
    #[cold]
    pub(crate) fn log_undecodable(&self, error: &(dyn Error + 'static)) {
        let socket = &self.path.socket;
        let spoken = socket.events.debug(self.addr(), error, "a datagram could not be decoded");
        add(&socket.counters.panicked, u64::from(!spoken));
    }

    /// Returns the error of `recv` that `error` passes on, if there is one. It is in the chain of sources of
    /// `error`. If `error` is transparent, it is not in that chain, and only its text shows it. In both cases
    /// `recv` of this peer must have returned such an error. Otherwise the error comes from another endpoint
    /// that the handler uses.
    fn passed_on(&self, error: &(dyn Error + 'static)) -> Option<QuietEnd> {
        let of_client = caused_by(error, |_: &ClientRecvError| true)
            || caused_by(error, |_: &ClientSendError| true)
            || caused_by(error, |_: &ClientExchangeError| true);
        if of_client {
            return None;
        }
        let transparent = |news: &QuietEnd| {
            reads_like(error, &news.error())
                || *news == QuietEnd::Idle
                    && self.timed_out_exchange().is_some_and(|timeout| reads_like(error, &timeout))
        };
        let reported = QuietEnd::ALL.into_iter().filter(|news| self.has_reported(*news));
        reported
            .clone()
            .find(|news| news.is_in(error))
            .or_else(|| reported.clone().find(transparent))
    }

    /// Whether `error` passes on that the guard has refused a reply to this peer.
    fn is_of_guard(&self, error: &(dyn Error + 'static)) -> bool {
        self.path.budget.is_some()
            && (caused_by(error, SendError::is_of_guard)
                || caused_by(error, PeerExchangeError::is_of_guard)
                || reads_like(error, &SendError::OverRate))
    }

    /// The error of a request that timed out, if it was the last one of this conversation.
    pub(super) fn timed_out_exchange(&self) -> Option<PeerExchangeError> {
        Some(PeerExchangeError::timed_out(self.exchange.as_ref()?.timed_out?))
    }

    /// Receives the request of a function. Returns `None` if the datagram is not a packet, because the
    /// function is not called then and nothing is sent.
    #[inline]
    pub(crate) async fn recv_request(&mut self) -> Result<Option<Req>, RecvError> {
        match self.recv().await {
            Ok(request) => Ok(Some(request)),
            Err(error @ RecvError::Decode(_)) => {
                self.log_undecodable(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
