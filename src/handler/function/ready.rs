//! What a call needs before its request is received: nothing, or a service that is ready.

use std::{fmt, future::poll_fn, pin::pin, task::Poll};

use crate::{BoxError, DropReason, Peer};

/// What [`Function::ready`](super::Function::ready) returns.
#[allow(clippy::exhaustive_enums, reason = "complete: a permit is there or not")]
pub enum Ready<Permit, Wait> {
    /// A request can be served now.
    Now(Permit),
    /// A request can be served when this future has completed.
    Wait(Wait),
}

/// Why a request is not served. Then it was not received either.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotReady {
    /// It would have to wait for too long. It counts as [`DropReason::Busy`].
    Busy,
    /// The service has failed. The error counts as [`failed`](crate::ServerStats::failed).
    Failed(BoxError),
}

/// A function needs nothing.
macro_rules! always_ready {
    () => {
        type Permit = ();
        type Wait = std::future::Pending<Result<(), crate::function::NotReady>>;

        #[inline]
        fn ready(&self) -> crate::function::Ready<(), Self::Wait> {
            crate::function::Ready::Now(())
        }
    };
}

pub(super) use always_ready;

/// Waits for the permit of a request that has arrived already, or until the server drops that request at shutdown.
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
    permit
}

impl NotReady {
    /// Drops the request that has waited.
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
            Self::Failed(error) => {
                peer.drop_next(DropReason::Unread);
                Err(error)
            }
        }
    }
}

impl<Permit, Wait> fmt::Debug for Ready<Permit, Wait> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Wait(_) => "Wait",
        })
    }
}
