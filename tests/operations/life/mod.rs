//! O-10 and O-11: whether a server is ready, and its end in two steps.

mod ends;
mod lame_duck;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod systemd;
mod together;

use std::{future::pending, time::Duration};

use datagrammar::{
    BoxError, Client, Handler, Peer, RecvError, ServeError, Server, ServerContext, ServerHandle,
    Termination, Text,
    testing::{Conditions, Network},
};
use tokio::{
    task::{JoinHandle, yield_now},
    time::{Instant, timeout},
};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Echoes what a peer sends, until it sends "end". It takes 3 s for "work", and says "goodbye" when it is closed.
#[derive(Debug, Default)]
struct Talks {
    /// Whether the handler never has started.
    starts_for_ever: bool,
}

impl Handler<String, String> for Talks {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        if self.starts_for_ever {
            pending::<()>().await;
        }
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        loop {
            let request = match peer.recv().await {
                Err(RecvError::Closed) => return Ok(peer.send(&"goodbye".to_owned()).await?),
                request => request?,
            };
            if request == "work" {
                tokio::time::sleep(secs(3)).await;
            }
            peer.send(&request).await?;
            if request == "end" {
                return Ok(());
            }
        }
    }
}

/// A server in memory, whose clock is paused.
struct Scene {
    network: Network,
    handle: ServerHandle,
    serving: JoinHandle<Result<(), ServeError>>,
    begun: Instant,
}

impl Scene {
    /// A server that serves.
    async fn new() -> Self {
        let scene = Self::starting(Talks::default()).await;
        assert!(scene.handle.ready().await);
        scene
    }

    async fn starting(talks: Talks) -> Self {
        let network = Network::new(1, Conditions::default());
        let server = Server::bind(network.bind("10.0.0.1:9000").unwrap(), Text, talks).await;
        let server = server.unwrap();
        let handle = server.handle();
        Self { network, handle, serving: server.spawn(), begun: Instant::now() }
    }

    /// A new peer.
    async fn peer(&self) -> Client<Text> {
        let socket = self.network.connect("10.0.0.2:0", "10.0.0.1:9000").unwrap();
        Client::connect(socket, Text).await.unwrap()
    }

    /// Terminates the server in a task, which has begun when this returns. The task returns how many conversations were
    /// aborted.
    async fn terminate(&self, termination: Termination) -> JoinHandle<u64> {
        let handle = self.handle.clone();
        let terminating = tokio::spawn(async move { handle.terminate(termination).await });
        yield_now().await;
        assert!(!self.handle.is_ready());
        terminating
    }

    /// Waits for the end of serving. Returns how many milliseconds it lasted.
    async fn ended(&mut self) -> u128 {
        timeout(secs(7_200), &mut self.serving).await.unwrap().unwrap().unwrap();
        assert!(!self.handle.is_ready() && !self.handle.is_serving());
        self.begun.elapsed().as_millis()
    }
}

async fn ask(peer: &Client<Text>, text: &str) -> String {
    peer.send(text.to_owned()).await.unwrap();
    hear(peer).await
}

async fn hear(peer: &Client<Text>) -> String {
    peer.recv_timeout(secs(20)).await.unwrap()
}
