//! Hand-over of sockets: two servers in one process over the real socket, and processes of their own.

mod channel;
mod ends;
mod peers;
#[cfg(target_os = "linux")]
mod processes;
mod proxied;
mod start;
mod timers;
mod transports;

use std::{
    env, fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use datagrammar::{
    Addr, Bind, BindError, BoxError, Client, Handler, Peer, Server, ServerHandle, ServerStats,
    TakeOver, Text,
};
use tokio::task::JoinHandle;

/// No test waits for this long, unless it fails.
const DEADLINE: Duration = Duration::from_secs(20);
/// What conversations may take in the old server. Tests do not wait for it.
const LONG: Duration = Duration::from_secs(600);

/// A path that does not exist yet.
fn temporary_path() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);

    let name = format!("datagrammar-ho-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let path = env::temp_dir().join(name);
    let _ = std::fs::remove_file(&path);
    path
}

async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("it takes too long")
}

/// Waits until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    within_deadline(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Answers each request of a conversation with the name of the server and the number of the request in the conversation,
/// until the request is "bye". "wait" waits for ever before it is answered.
struct Counting(&'static str);

impl Handler<String, String> for Counting {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        for number in 1.. {
            let request = peer.recv().await?;
            if request == "wait" {
                std::future::pending::<()>().await;
            }
            peer.send(format!("{} {number} {request}", self.0)).await?;
            if request == "bye" {
                break;
            }
        }
        Ok(())
    }
}

/// A server that serves, and hands over at a path.
struct Running {
    handle: ServerHandle,
    serving: JoinHandle<Result<(), datagrammar::ServeError>>,
    handing_over: JoinHandle<std::io::Result<u64>>,
}

impl Running {
    /// Serves, and hands over at `path`.
    async fn start(server: Server, path: &Path, within: Duration) -> Self {
        let handle = server.handle();
        let serving = server.spawn();
        assert!(within_deadline(handle.ready()).await);
        // That of a server from which this one takes over is replaced.
        let before = file(path);
        let (at, server) = (path.to_owned(), handle.clone());
        let handing_over = tokio::spawn(async move { server.hand_over(at, within).await });
        let running = Self { handle, serving, handing_over };
        until(|| {
            running.handing_over.is_finished() || file(path).is_some_and(|now| Some(now) != before)
        })
        .await;
        running
    }

    fn addr(&self) -> Addr {
        self.handle.local_addrs().swap_remove(0)
    }

    /// Waits for its end by itself; returns how many conversations it has aborted.
    async fn end(self) -> (u64, ServerStats) {
        within_deadline(self.serving).await.unwrap().unwrap();
        let aborted = within_deadline(self.handing_over).await.unwrap().unwrap();
        (aborted, balanced(&self.handle))
    }

    async fn shut_down(self) -> ServerStats {
        within_deadline(self.handle.shutdown()).await;
        within_deadline(self.serving).await.unwrap().unwrap();
        within_deadline(self.handing_over).await.unwrap().unwrap();
        balanced(&self.handle)
    }
}

/// What distinguishes the file at `path` from another one.
fn file(path: &Path) -> Option<(u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt;

    let file = std::fs::symlink_metadata(path).ok()?;
    Some((file.ino(), file.ctime(), file.ctime_nsec()))
}

/// Binds as soon as no other process takes over.
async fn free(bind: impl AsyncFn() -> Result<Server, BindError>) -> Server {
    within_deadline(async {
        loop {
            match bind().await {
                Ok(server) => return server,
                Err(error) => assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
}

/// The stats of a server that has ended, whose books must balance.
fn balanced(handle: &ServerHandle) -> ServerStats {
    let stats = handle.stats();
    assert_eq!(stats.received, stats.delivered + stats.total_dropped(), "{stats}");
    stats
}

/// Binds a server of the `name` that takes over at `path`, or else binds `transport`.
async fn bind(name: &'static str, path: &Path, transport: impl Bind) -> Server {
    let transport = TakeOver::from(path).or(transport);
    within_deadline(Server::bind(transport, Text, Counting(name))).await.unwrap()
}

/// A client, which asks in text.
struct Asking(Client<Text>);

impl Asking {
    async fn of(addr: &Addr) -> Self {
        Self(Client::connect(addr, Text).await.unwrap())
    }

    async fn send(&self, request: impl fmt::Display) {
        within_deadline(self.0.send(request.to_string())).await.unwrap();
    }

    async fn hear(&self) -> String {
        within_deadline(self.0.recv()).await.unwrap()
    }

    async fn ask(&self, request: &str) -> String {
        self.send(request).await;
        self.hear().await
    }
}
