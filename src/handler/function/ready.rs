//! What a call needs before its request is received: nothing, a thread that is free, or a service that is ready.

use std::{future::poll_fn, pin::pin, task::Poll};

use crate::{BoxError, DropReason, Peer};

/// Why a request is not served. Then it was not received either.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotReady {
    /// It would have to wait for too long. It counts as [`DropReason::Busy`].
    Busy,
    /// It has waited for longer than the server allows. It counts as [`DropReason::Late`].
    Late,
    /// The service has failed. The error counts as [`failed`](crate::ServerStats::failed).
    Failed(BoxError),
}

/// A function needs nothing.
macro_rules! always_ready {
    () => {
        type Permit = ();
        type Wait = std::future::Ready<Result<(), crate::function::NotReady>>;

        #[inline]
        fn try_ready(&self) -> Option<()> {
            Some(())
        }

        fn ready(&self, _: Option<std::time::Duration>) -> Self::Wait {
            std::future::ready(Ok(()))
        }
    };
}

pub(super) use always_ready;

/// A function needs what `F` needs, the [`Call`](super::Call) that it makes.
macro_rules! ready_like {
    ($self:ident => $call:expr) => {
        type Permit = F::Permit;
        type Wait = F::Wait;

        #[inline]
        fn try_ready(&$self) -> Option<F::Permit> {
            Call::try_ready($call)
        }

        fn ready(&$self, max_wait: Option<std::time::Duration>) -> F::Wait {
            Call::ready($call, max_wait)
        }
    };
}

pub(super) use ready_like;

/// Waits for the permit of a request that has arrived already, or until the server drops that request: at shutdown, or because
/// it is late.
pub(super) async fn wait<Req, Res, Permit>(
    wait: impl Future<Output = Result<Permit, NotReady>>,
    peer: &mut Peer<Req, Res>,
) -> Result<Permit, NotReady> {
    let mut wait = pin!(wait);
    let mut waited = false;
    let permit = poll_fn(|cx| match wait.as_mut().poll(cx) {
        Poll::Pending => {
            waited = true;
            peer.poll_closed(cx).map(|()| Err(NotReady::Busy))
        }
        permit => permit,
    });
    let permit = permit.await;
    if waited {
        peer.stop_waiting();
    }
    if permit.is_ok() && peer.drop_late() { Err(NotReady::Late) } else { permit }
}

impl NotReady {
    /// Drops the request that has waited, unless that was done already.
    ///
    /// # Errors
    ///
    /// Returns the error of the service.
    #[cold]
    pub(super) fn drop_request<Req, Res>(self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        match self {
            Self::Busy => {
                peer.drop_next(DropReason::Busy);
                Ok(())
            }
            Self::Late => {
                peer.drop_late();
                Ok(())
            }
            Self::Failed(error) => {
                peer.drop_next(DropReason::Unread);
                Err(error)
            }
        }
    }
}
