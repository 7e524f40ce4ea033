//! Services of tower: as handlers, and request clients as services.

mod client;
mod concurrent;
mod layers;
#[path = "../../it/log.rs"]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
mod log;
mod never_ready;
mod server;

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use datagrammar::{
    BoxError, Client, Handler, IntoHandler, Limits, Server, ServerHandle, Text,
    testing::{Conditions, Network},
};
use tokio::time::{sleep, timeout};
use tower::Service;

const SERVER: &str = "10.0.0.1:9000";

/// Serves text on a network in memory.
async fn serve<Form>(
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> (Network, ServerHandle) {
    serve_within(Limits::default(), handler).await
}

async fn serve_within<Form>(
    limits: Limits,
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> (Network, ServerHandle) {
    let network = Network::new(1, Conditions::default());
    let socket = network.bind(SERVER).unwrap();
    let server = Server::builder(Text, handler).limits(limits).bind(socket).await.unwrap();
    let handle = server.handle();
    server.spawn();
    (network, handle)
}

/// A client with an address of its own for each number.
async fn client(network: &Network, number: u64) -> Client<Text> {
    let local = format!("10.1.{}.{}:7000", number / 250, 1 + number % 250);
    let socket = network.connect(&*local, SERVER).unwrap();
    Client::connect(socket, Text).await.unwrap()
}

async fn ask(client: &Client<Text>, text: &str) -> String {
    client.send(text.to_owned()).await.unwrap();
    within_deadline(client.recv()).await.unwrap()
}

async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(1_000), future).await.expect("it does not complete")
}

/// Waits until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    within_deadline(async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// A service that panics if a clone is called that was not ready itself. Its answers say how many clones there were.
struct Strict {
    ready: bool,
    clones: Arc<AtomicUsize>,
}

impl Strict {
    fn new() -> Self {
        Self { ready: false, clones: Arc::default() }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Relaxed);
        Self { ready: false, clones: Arc::clone(&self.clones) }
    }
}

impl Service<String> for Strict {
    type Response = String;
    type Error = BoxError;
    type Future = Ready<Result<String, BoxError>>;

    /// It is pending at the first poll of each clone.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        self.ready = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, text: String) -> Self::Future {
        assert!(self.ready, "it was not ready");
        self.ready = false;
        ready(Ok(format!("{text} {}", self.clones.load(Relaxed))))
    }
}
