use std::fmt;

use super::Handler;
use crate::{BoxError, Peer};

impl<Req, Res, F, Fut> Handler<Req, Res> for F
where
    F: Fn(Req) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Res> + Send,
    Req: Send,
    Res: Send + Sync,
{
    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        let Some(request) = peer.recv_request().await? else { return Ok(()) };
        let response = self(request).await;
        Ok(peer.send(&response).await?)
    }
}

/// Makes a handler of a function that may leave a request unanswered: `None` sends nothing.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, Server, reply_if};
///
/// # async fn example() -> std::io::Result<()> {
/// let handler = reply_if(async |request: String| (request == "ping").then(|| "pong".to_owned()));
/// let server = Server::builder(Text, handler).bind("127.0.0.1:0").await?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
pub const fn reply_if<F>(function: F) -> ReplyIf<F> {
    ReplyIf(function)
}

/// A handler made of a function by [`reply_if`].
#[derive(Clone, Copy)]
pub struct ReplyIf<F>(F);

impl<Req, Res, F, Fut> Handler<Req, Res> for ReplyIf<F>
where
    F: Fn(Req) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<Res>> + Send,
    Req: Send,
    Res: Send + Sync,
{
    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        let Some(request) = peer.recv_request().await? else { return Ok(()) };
        let Some(response) = self.0(request).await else { return Ok(()) };
        Ok(peer.send(&response).await?)
    }
}

impl<F> fmt::Debug for ReplyIf<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyIf").finish_non_exhaustive()
    }
}
