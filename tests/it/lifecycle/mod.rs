//! The life of a server: section L.

mod again;
mod closed;
mod dedicated_threads;
mod destructors;
mod drain;
mod dropped;
mod errors;
mod grace;
mod graceful;
mod inside;
mod runtime;
mod shutdown;
mod start;
mod stopping;
mod tasks;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{
    BoxError, Handler, IntoHandler, Limits, Peer, PeerSender, ServeError, Server, ServerContext,
    ServerHandle, Text,
};
use tokio::{task::JoinHandle, time::sleep};

use crate::support::{Bytes, Net, within_deadline};

/// Records steps in their order.
#[derive(Clone, Debug, Default)]
struct Steps(Arc<Mutex<Vec<String>>>);

impl Steps {
    fn note(&self, step: impl Into<String>) {
        self.0.lock().unwrap().push(step.into());
    }

    /// Returns a guard that notes `step` when it is dropped.
    fn on_drop(&self, step: &'static str) -> impl Send + use<> {
        struct Noting(Steps, &'static str);

        impl Drop for Noting {
            fn drop(&mut self) {
                self.0.note(self.1);
            }
        }

        Noting(self.clone(), step)
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn contain(&self, step: &str) -> bool {
        self.all().iter().any(|noted| noted == step)
    }
}

/// A handler with a start hook; see [`starting`].
struct Starting<F, H>(F, H);

type Start<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

fn start_of<F>(start: F) -> F
where
    F: for<'a> Fn(&'a mut ServerContext) -> Start<'a> + Send + Sync + 'static,
{
    start
}

impl<F, H> Handler<String, String> for Starting<F, H>
where
    F: for<'a> Fn(&'a mut ServerContext) -> Start<'a> + Send + Sync + 'static,
    H: Handler<String, String>,
{
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        (self.0)(context).await
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        self.1.handle(peer).await
    }
}

/// A handler of text that is started by a block: `starting!([gate] |context| { ... Ok(()) }, handler)`.
macro_rules! starting {
    ($([$($captured:ident),+])? |$context:ident| $body:block, $handler:expr) => {{
        let handler = datagrammar::IntoHandler::<String, String, _>::into_handler($handler);
        $($(let $captured = $captured.clone();)+)?
        let start = $crate::lifecycle::start_of(move |$context| {
            $($(let $captured = $captured.clone();)+)?
            Box::pin(async move $body)
        });
        $crate::lifecycle::Starting(start, handler)
    }};
}
use starting;

async fn echo(text: String) -> String {
    text
}

/// Echoes its first packet and sleeps for an hour.
struct Sleeps;

impl Handler<String, String> for Sleeps {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    }
}

/// Echoes each packet of a conversation, and keeps a sender for its last peer.
#[derive(Clone, Default)]
struct Loops(Arc<Mutex<Option<PeerSender<String>>>>);

impl Loops {
    fn sender(&self) -> PeerSender<String> {
        self.0.lock().unwrap().clone().unwrap()
    }
}

impl Handler<String, String> for Loops {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        *self.0.lock().unwrap() = Some(peer.sender());
        loop {
            let request = peer.recv().await?;
            peer.send(&request).await?;
        }
    }
}

/// A server that can be served again.
#[derive(Clone)]
struct TestServer {
    server: Arc<Server>,
    handle: ServerHandle,
}

impl TestServer {
    fn bind<Form>(
        net: &Net,
        handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
    ) -> Self {
        Self::bind_within(Limits::default(), net, handler)
    }

    fn bind_within<Form>(
        limits: Limits,
        net: &Net,
        handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
    ) -> Self {
        let server = net.bind(Server::builder(Text, handler).limits(limits));
        Self { handle: server.handle(), server: Arc::new(server) }
    }

    /// Begins to serve, in a task.
    fn begin(&self) -> JoinHandle<Result<(), ServeError>> {
        let server = Arc::clone(&self.server);
        tokio::spawn(async move { server.serve().await })
    }

    /// Serves, in a task.
    async fn serve(&self) -> JoinHandle<Result<(), ServeError>> {
        let serving = self.begin();
        assert!(within_deadline(self.handle.ready()).await);
        serving
    }

    /// Shuts the server down; serving must end without an error.
    async fn stop(&self, serving: JoinHandle<Result<(), ServeError>>) {
        within_deadline(self.handle.shutdown()).await;
        ended(serving).await.unwrap();
    }
}

/// Waits for the end of serving, which must come within the deadline; returns its result.
pub async fn ended(serving: JoinHandle<Result<(), ServeError>>) -> Result<(), ServeError> {
    within_deadline(serving).await.unwrap()
}

/// Drops the future that serves.
async fn abort(serving: JoinHandle<Result<(), ServeError>>) {
    serving.abort();
    assert!(within_deadline(serving).await.unwrap_err().is_cancelled());
}

/// A server in memory that serves, with a peer.
async fn in_memory<Form>(
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> (TestServer, JoinHandle<Result<(), ServeError>>, Bytes) {
    let net = Net::memory();
    let server = TestServer::bind(&net, handler);
    let serving = server.serve().await;
    let peer = net.peer_of(&server.handle).await;
    (server, serving, peer)
}

/// Waits, under a paused clock, until all tasks that can run now have run.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}
