//! The place in the window of a request client that is used as a service.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use super::{shared::Shared, window::Place};
use crate::{Correlated, RequestError};

/// The place in the window that a service has reserved, or waits for.
#[derive(Default)]
pub(super) struct Reserved(Option<Reservation>);

enum Reservation {
    /// In a lock only because a future cannot be shared by threads. Nobody locks it.
    Waiting(Mutex<Pin<Box<dyn Future<Output = Option<Place>> + Send>>>),
    Place(Place),
}

impl Reserved {
    /// Completes when there is a place.
    ///
    /// # Errors
    ///
    /// Returns `Closed` if the client is closed before.
    pub(super) fn poll<P>(
        &mut self,
        shared: &Arc<Shared<P>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), RequestError>>
    where
        P: Correlated + Send + Sync + 'static,
    {
        let reservation = self.0.get_or_insert_with(|| begin(shared));
        if let Reservation::Waiting(wait) = reservation {
            let wait = wait.get_mut().unwrap_or_else(PoisonError::into_inner);
            let Poll::Ready(place) = wait.as_mut().poll(cx) else { return Poll::Pending };
            let Some(place) = place else {
                self.0 = None;
                return Poll::Ready(Err(RequestError::Closed));
            };
            *reservation = Reservation::Place(place);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the place, if there is one. A wait for it ends.
    pub(super) fn take(&mut self) -> Option<Place> {
        match self.0.take() {
            Some(Reservation::Place(place)) => Some(place),
            Some(Reservation::Waiting(_)) | None => None,
        }
    }
}

fn begin<P: Correlated + Send + Sync + 'static>(shared: &Arc<Shared<P>>) -> Reservation {
    if let Some(place) = shared.window.try_enter() {
        return Reservation::Place(place);
    }
    let shared = Arc::clone(shared);
    Reservation::Waiting(Mutex::new(Box::pin(async move {
        tokio::select! {
            biased;
            () = shared.closed() => None,
            place = shared.window.enter() => Some(place),
        }
    })))
}
