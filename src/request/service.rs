//! The request client as a service of tower: it is ready when the window has room.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use tower_service::Service;

use super::{endpoint::RequestClient, reserved::Reserved};
use crate::{Correlated, RequestError};

/// Sends packets as requests, as [`RequestClient::request`] does.
///
/// It is ready when the window has room for one more request. That place is reserved until the service is called or
/// dropped; the [total time](crate::RequestClientBuilder::total_timeout) begins with the call. A service that is called
/// without being ready waits for a place in its future.
///
/// # Errors
///
/// `poll_ready` fails with [`RequestError::Closed`] after [`close`](RequestClient::close). The future fails with the errors
/// of [`request`](RequestClient::request).
///
/// # Cancel safety
///
/// If the future is dropped, the request is not repeated any more, and its place in the window is free again.
impl<P> Service<P::Outgoing> for RequestClient<P>
where
    P: Correlated + Send + Sync + 'static,
{
    type Response = P::Incoming;
    type Error = RequestError;
    type Future = ResponseFuture<P::Incoming>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        if self.is_closed() {
            self.reserved = Reserved::default();
            return Poll::Ready(Err(RequestError::Closed));
        }
        self.reserved.poll(&self.shared, cx)
    }

    fn call(&mut self, request: P::Outgoing) -> ResponseFuture<P::Incoming> {
        let (client, place) = (self.clone(), self.reserved.take());
        let encoded = client.encode(&request);
        ResponseFuture(Box::pin(async move {
            let total = client.shared.timing.total;
            client.run(encoded?, place, total, None).await
        }))
    }
}

/// The future of a [`RequestClient`] that is called as a service.
pub struct ResponseFuture<Res>(Pin<Box<dyn Future<Output = Result<Res, RequestError>> + Send>>);

impl<Res> Future for ResponseFuture<Res> {
    type Output = Result<Res, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<Res> fmt::Debug for ResponseFuture<Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
