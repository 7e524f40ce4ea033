//! Functions that serve tagged requests: they see the packets inside.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

use super::Function;
use crate::{Addr, TaggedRequest, TaggedResponse};

/// Makes a handler of a function for [`TaggedServer`](crate::TaggedServer): the function gets requests and
/// returns responses without tags.
///
/// A request that wants no response gets none, whatever the function returns. All forms of functions work; put
/// [`concurrent`](crate::concurrent) outside: `concurrent(16, tagged(function))`.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Server, Tagged, TaggedServer, Text, tagged};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let shout = tagged(async |text: String| text.to_uppercase());
/// let server = Server::bind("127.0.0.1:0", TaggedServer::new(Text), shout).await?;
/// let client = Client::connect(server.local_addr(), Tagged::new(Text)).await?;
/// server.spawn();
///
/// client.send("hello".to_owned()).await?;
/// assert_eq!(client.recv().await?, "HELLO");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub const fn tagged<F>(function: F) -> ByTag<F> {
    ByTag(function)
}

/// A function that does not see tags; made by [`tagged`].
#[derive(Clone, Copy)]
pub struct ByTag<F>(F);

impl<Req, Res, F, Form> Function<TaggedRequest<Req>, TaggedResponse<Res>, ByTag<Form>> for ByTag<F>
where
    F: Function<Req, Res, Form>,
{
    type Permit = F::Permit;
    type Wait = F::Wait;
    type Future = Responding<F::Future>;
    type Error = F::Error;

    #[inline]
    fn try_ready(&self) -> Option<F::Permit> {
        self.0.try_ready()
    }

    fn ready(&self, max_wait: Option<Duration>) -> F::Wait {
        self.0.ready(max_wait)
    }

    #[inline]
    fn call(&self, permit: F::Permit, request: TaggedRequest<Req>, addr: &Addr) -> Self::Future {
        let (tag, packet) = request.split();
        Responding { tag, call: self.0.call(permit, packet, addr) }
    }

    /// There is no response to a request that wants none.
    #[inline]
    fn reply(
        (tag, output): (TaggedRequest<()>, <F::Future as Future>::Output),
    ) -> Result<Option<TaggedResponse<Res>>, F::Error> {
        let response = F::reply(output)?.filter(|_| tag.wants_response());
        Ok(response.map(|response| tag.respond(response)))
    }
}

pin_project! {
    /// The future of a call, with the tag of its request.
    #[project(!Unpin)] // otherwise a type of the macro's would be in the API
    pub struct Responding<Fut> {
        tag: TaggedRequest<()>,
        #[pin]
        call: Fut,
    }
}

impl<Fut: Future> Future for Responding<Fut> {
    type Output = (TaggedRequest<()>, Fut::Output);

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.call.poll(cx).map(|output| (*this.tag, output))
    }
}

impl<F> fmt::Debug for ByTag<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByTag").finish_non_exhaustive()
    }
}

impl<Fut> fmt::Debug for Responding<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responding").field("tag", &self.tag).finish_non_exhaustive()
    }
}
