//! A log that cannot be written: standard output and standard error are pipes without a reader, as in
//! `server 2>&1 | logger` when the logger has died, and the subscriber panics at our events and spans. The
//! server runs in a process of its own, since some of that once aborted it.

use std::{
    env,
    future::pending,
    net::UdpSocket,
    process::{Child, Stdio, exit},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use datagrammar::{
    Addr, BoxError, DropReason, Handler, Limits, Peer, SendError, Server, ServerContext,
    ServerHandle, Text,
};
use tokio::{runtime::Builder, task::yield_now};
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

use super::{alone, command};

/// Tells the child process its role: the runtime, where its subscriber fails, and the address of the test.
const ROLE: &str = "DATAGRAMMAR_BROKEN_LOG";
/// The test, which the child process runs too.
const TEST: &str = "alone::broken_log::serving_goes_on_when_events_and_spans_fail";

// H-3, H-18, H-19
#[test]
fn serving_goes_on_when_events_and_spans_fail() {
    if let Ok(role) = env::var(ROLE) {
        exit(serve(&role).map_or(1, |()| 0));
    }

    // Alone, since the servers hold sockets of this process until they run.
    alone(|| {
        for runtime in ["current thread", "two threads", "own threads"] {
            for point in POINTS {
                Scene::new(runtime, point).play();
            }
        }
    });
}

/// Where the subscriber fails.
const POINTS: [&str; 11] = [
    "ERROR",
    "WARN",
    "INFO",
    "DEBUG",
    "event",
    "enabled",
    "new span",
    "enter",
    "exit",
    "close",
    "everything",
];

/// A server in another process, and a peer of it.
struct Scene {
    name: String,
    child: Child,
    /// Over which the process reports to the test.
    line: UdpSocket,
    peer: UdpSocket,
}

impl Scene {
    fn new(runtime: &str, point: &str) -> Self {
        let (line, peer) = (socket(), socket());
        let name = format!("{runtime}, {point}");
        let mut child = command(TEST)
            .env(ROLE, format!("{name}, {}", line.local_addr().unwrap()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (_, process) = line.recv_from(&mut [0; 8]).expect("the process says hello");
        line.connect(process).unwrap();
        // From now on its output has no reader.
        drop((child.stdout.take(), child.stderr.take()));
        line.send(b"go").unwrap();
        let scene = Self { name, child, line, peer };
        let addr = scene.hear(&scene.line);
        scene.peer.connect(addr).unwrap();
        scene
    }

    /// Makes many things fail in the server, and checks that everything else works.
    fn play(mut self) {
        let requests = ["fail", "panic", "close", "later fail", "later panic", "later close"];
        for request in requests {
            self.peer.send(request.as_bytes()).unwrap();
            assert_eq!(self.ask("echo"), "echo", "{}: after {request}", self.name);
        }
        // The first is logged at DEBUG, the second at WARN.
        for (datagram, what) in [(&b"\xe9"[..], "junk"), (&[b'x'; MAX_LEN + 1], "a long one")] {
            self.peer.send(datagram).unwrap();
            assert_eq!(self.ask("echo"), "echo", "{}: after {what}", self.name);
        }
        assert_eq!(self.ask("refuse"), "refuse", "{}", self.name);
        self.peer.send(b"to be refused").unwrap();
        assert_eq!(self.ask("echo"), "echo", "{}: after a refusal", self.name);
        let other = socket();
        other.connect(self.peer.peer_addr().unwrap()).unwrap();
        other.send(b"bomb").unwrap();
        assert_eq!(self.hear(&other), "ticking");
        let stats = self.ask("stats");
        self.peer.send(b"stop").unwrap();
        let ended = self.hear(&self.line);

        let expected = "4 failed, 2 panicked, 1 refused, 1 truncated, 1 undecodable";
        assert_eq!(stats, expected, "{}", self.name);
        assert_eq!(ended, "cleaned up 1, aborted 1", "{}", self.name);
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            assert!(Instant::now() < deadline, "{}: the server ends", self.name);
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        assert_eq!(status.code(), Some(0), "{}: {status}", self.name);
    }

    fn ask(&self, request: &str) -> String {
        self.peer.send(request.as_bytes()).unwrap();
        self.hear(&self.peer)
    }

    fn hear(&self, socket: &UdpSocket) -> String {
        let mut datagram = [0; 512];
        let len = socket.recv(&mut datagram);
        let len = len.unwrap_or_else(|error| panic!("{}: no answer: {error}", self.name));
        String::from_utf8(datagram[..len].to_vec()).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // It fails only if the server has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

const DEADLINE: Duration = Duration::from_secs(20);

/// The longest datagram that the server takes.
const MAX_LEN: usize = 400;

/// The other process: serves as `role` says, once until its future is dropped and once to the end.
fn serve(role: &str) -> Result<(), BoxError> {
    let [runtime, point, parent] = role.split(", ").collect::<Vec<_>>()[..] else {
        return Err("a role has three parts".into());
    };
    let line = socket();
    line.connect(parent)?;
    line.send(b"hello")?;
    line.recv(&mut [0; 2])?;
    let point = POINTS.into_iter().find(|known| *known == point).ok_or("no such point")?;
    tracing::subscriber::set_global_default(Broken(point))?;
    let mut builder = match runtime {
        "two threads" => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder.worker_threads(2).enable_all().build()?.block_on(async {
        let server = Server::builder(Text, Fragile)
            .limits(
                Limits::default()
                    .shutdown_grace(Duration::from_millis(100))
                    .max_datagram_size(MAX_LEN),
            )
            .dedicated_threads(runtime == "own threads")
            .source_filter(|_: &Addr| {
                assert!(!REFUSE.swap(false, Relaxed), "as asked");
                true
            })
            .bind("127.0.0.1:0")
            .await?;
        let handle = server.handle();
        let server = Arc::new(server);
        let serve = || {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.serve().await })
        };
        let first = serve();
        if !handle.ready().await {
            return Err("the first serving has not begun".into());
        }
        first.abort();
        if !first.await.is_err_and(|error| error.is_cancelled()) {
            return Err("the first serving was not dropped".into());
        }
        let second = serve();
        if !handle.ready().await {
            return Err("the second serving has not begun".into());
        }
        line.send(server.local_addr().to_string().as_bytes())?;
        second.await??;
        let (cleaned_up, aborted) = (CLEANED_UP.load(Relaxed), handle.stats().aborted);
        line.send(format!("cleaned up {cleaned_up}, aborted {aborted}").as_bytes())?;
        Ok(())
    })
}

/// Whether the admission check is to panic, once.
static REFUSE: AtomicBool = AtomicBool::new(false);
static CLEANED_UP: AtomicU64 = AtomicU64::new(0);
static CONTROL: OnceLock<ServerHandle> = OnceLock::new();

/// Does what its peer asks for. Most of that fails.
struct Fragile;

impl Handler<String, String> for Fragile {
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        let _ = CONTROL.set(context.handle().clone());
        context.spawn(async { Err("in the background".into()) });
        context.spawn(async { panic!("in the background") });
        context.on_shutdown(async {
            CLEANED_UP.fetch_add(1, Relaxed);
        });
        context.on_shutdown(async { panic!("in a clean-up") });
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        /// Panics when it is dropped.
        struct Bomb;

        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in a destructor")
            }
        }

        let handle = CONTROL.get().ok_or("no start")?;
        let request = peer.recv().await?;
        if request.starts_with("later") {
            yield_now().await;
        }
        match request.trim_start_matches("later ") {
            "fail" => Err("as asked".into()),
            "panic" => panic!("as asked"),
            "close" => Err(SendError::Closed.into()),
            "bomb" => {
                peer.send(&"ticking".to_owned()).await?;
                let _bomb = Bomb;
                pending().await
            }
            "stats" => {
                let stats = handle.stats();
                let (failed, panicked) = (stats.failed, stats.panicked);
                let refused = stats.dropped(DropReason::Refused);
                let truncated = stats.dropped(DropReason::Truncated);
                let text = format!(
                    "{failed} failed, {panicked} panicked, {refused} refused, {truncated} truncated, \
                     {} undecodable",
                    stats.decode_errors
                );
                Ok(peer.send(&text).await?)
            }
            "stop" => {
                // Not awaited here, since shutdown waits for this conversation.
                tokio::spawn(handle.shutdown());
                Ok(())
            }
            other => {
                REFUSE.store(other == "refuse", Relaxed);
                Ok(peer.send(&request).await?)
            }
        }
    }
}

/// A subscriber that fails at one point: it writes to standard error, which is broken too.
struct Broken(&'static str);

impl Broken {
    fn write(&self, points: &[&str]) {
        if self.0 == "everything" || points.contains(&self.0) {
            eprintln!("the log cannot be written");
        }
    }
}

impl Subscriber for Broken {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        self.write(&["enabled"]);
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.write(&["new span"]);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(&["event", event.metadata().level().as_str()]);
    }

    fn enter(&self, _: &Id) {
        self.write(&["enter"]);
    }

    fn exit(&self, _: &Id) {
        self.write(&["exit"]);
    }

    fn try_close(&self, _: Id) -> bool {
        self.write(&["close"]);
        true
    }
}
