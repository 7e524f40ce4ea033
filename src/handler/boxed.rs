//! A handler of erased type, chosen at run time.

use std::{fmt, pin::Pin, sync::Arc};

use super::{Handler, IntoHandler};
use crate::{BoxError, Peer, ServerContext};

/// A handler whose type is erased, for a program that chooses its handler at run time.
///
/// It costs one allocation per conversation.
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxHandler, Client, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let shout = true;
/// let handler: BoxHandler<String, String> = if shout {
///     BoxHandler::new(async |text: String| text.to_uppercase())
/// } else {
///     BoxHandler::new(async |text: String| text)
/// };
/// let server = Server::bind("127.0.0.1:0", Text, handler).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// server.spawn();
///
/// client.send("hello".to_owned()).await?;
/// assert_eq!(client.recv().await?, "HELLO");
/// # Ok(())
/// # }
/// ```
pub struct BoxHandler<Req, Res>(Arc<dyn AnyHandler<Req, Res>>);

impl<Req, Res> BoxHandler<Req, Res> {
    /// Erases the type of `handler`, which is a [`Handler`] or a [function](Handler#functions).
    pub fn new<H, Form>(handler: H) -> Self
    where
        Req: Send + 'static,
        Res: Send + 'static,
        H: IntoHandler<Req, Res, Form>,
        H::Handler: Handler<Req, Res>,
    {
        Self(Arc::new(handler.into_handler()))
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Handler<Req, Res> for BoxHandler<Req, Res> {
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        self.0.start(context).await
    }

    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        self.0.handle(peer).await
    }
}

impl<Req, Res> Clone for BoxHandler<Req, Res> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Req, Res> fmt::Debug for BoxHandler<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxHandler").finish_non_exhaustive()
    }
}

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// A [`Handler`] whose futures are boxed, so that it can be a trait object.
trait AnyHandler<Req, Res>: Send + Sync {
    fn start<'a>(&'a self, context: &'a mut ServerContext) -> Outcome<'a>;
    fn handle<'a>(&'a self, peer: &'a mut Peer<Req, Res>) -> Outcome<'a>;
}

impl<Req: Send + 'static, Res: Send + 'static, H: Handler<Req, Res>> AnyHandler<Req, Res> for H {
    fn start<'a>(&'a self, context: &'a mut ServerContext) -> Outcome<'a> {
        Box::pin(Handler::start(self, context))
    }

    fn handle<'a>(&'a self, peer: &'a mut Peer<Req, Res>) -> Outcome<'a> {
        Box::pin(Handler::handle(self, peer))
    }
}
