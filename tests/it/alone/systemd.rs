//! What systemd is told. It is found by environment variables, so each test has a process of its own, and plays
//! systemd there: it reads the socket that NOTIFY_SOCKET names.

use std::{
    env,
    ffi::OsStr,
    fs,
    future::pending,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use datagrammar::{
    BoxError, Client, Handler, Limits, Peer, ServeError, Server, ServerContext, Text, systemd,
    testing::{Conditions, Network},
};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};
use tracing::Level;

use super::alone_with;
use crate::{
    log::Log,
    support::{BindNow, within_deadline},
};

/// A folder of this test process, for the socket of systemd; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("datagrammar-{}-{test}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("notify")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `test` in a process with a path for NOTIFY_SOCKET and these values of the watchdog's variables.
#[track_caller]
fn as_service<F: FnOnce()>(name: &str, usec: Option<&str>, pid: Option<&str>, test: F) {
    let folder = Folder::new(name);
    let socket = folder.socket();
    let variables = [
        ("NOTIFY_SOCKET", Some(socket.as_os_str())),
        ("WATCHDOG_USEC", usec.map(OsStr::new)),
        ("WATCHDOG_PID", pid.map(OsStr::new)),
    ];
    alone_with(&variables, test);
}

fn notify_socket() -> UnixDatagram {
    UnixDatagram::bind(env::var_os("NOTIFY_SOCKET").unwrap()).unwrap()
}

/// Plays systemd; returns what it is told.
fn systemd_hears() -> Receiver<String> {
    let (sender, told) = channel();
    let socket = notify_socket();
    thread::spawn(move || {
        let mut datagram = [0; 1_000];
        while let Ok(len) = socket.recv(&mut datagram) {
            let text = String::from_utf8_lossy(&datagram[..len]).trim_end().to_owned();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    told
}

fn next(told: &Receiver<String>) -> String {
    told.recv_timeout(Duration::from_secs(20)).expect("systemd is told something")
}

/// Runs a test on a paused clock.
fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

/// Answers, and stays until it is dropped.
struct Stays;

impl Handler<String, String> for Stays {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        pending().await
    }
}

fn server() -> Server {
    server_on(&Network::new(1, Conditions::default()))
}

fn server_on(network: &Network) -> Server {
    let limits = Limits::default().shutdown_grace(Duration::from_millis(750));
    let builder = Server::builder(Text, Stays).limits(limits);
    builder.bind_now(network.bind("10.0.0.1:9000").unwrap()).unwrap()
}

// L-26
#[test]
fn systemd_is_told_ready_watchdog_at_half_of_its_interval_and_stopping() {
    as_service("order", Some("200000"), None, || {
        run(async {
            let told = systemd_hears();
            let server = server();

            let stop = sleep(Duration::from_millis(1_050));
            systemd::notify(server.handle(), server.serve_until(stop)).await.unwrap();

            assert_eq!(next(&told), "READY=1");
            for _ in 0..10 {
                assert_eq!(next(&told), "WATCHDOG=1");
            }
            assert_eq!(next(&told), "STOPPING=1");
            assert!(told.try_recv().is_err());
        });
    });
}

// L-26
#[test]
fn the_watchdog_is_told_until_the_last_conversation_has_ended() {
    as_service("grace", Some("200000"), None, || {
        run(async {
            let told = systemd_hears();
            let network = Network::new(1, Conditions::default());
            let server = server_on(&network);
            let peer = network.connect("10.0.0.2:0", "10.0.0.1:9000").unwrap();
            let stop = async {
                let client = Client::connect(peer, Text).await.unwrap();
                client.send("hello".to_owned()).await.unwrap();
                client.recv().await.unwrap();
            };

            systemd::notify(server.handle(), server.serve_until(stop)).await.unwrap();

            assert_eq!(server.handle().stats().aborted, 1);
            assert_eq!([next(&told), next(&told)], ["READY=1", "STOPPING=1"]);
            for _ in 0..7 {
                assert_eq!(next(&told), "WATCHDOG=1");
            }
            assert!(told.try_recv().is_err());
        });
    });
}

// L-26
#[test]
fn without_a_watchdog_systemd_is_told_ready_and_stopping() {
    as_service("none", None, None, || run(is_told_twice()));
}

// L-26
#[test]
fn an_interval_of_zero_is_no_watchdog() {
    as_service("zero", Some("0"), None, || run(is_told_twice()));
}

// L-26
#[test]
fn an_interval_that_is_not_a_number_is_no_watchdog() {
    as_service("text", Some("often"), None, || run(is_told_twice()));
}

// L-26
#[test]
fn the_watchdog_of_another_process_is_not_told() {
    as_service("other", Some("200000"), Some("1"), || run(is_told_twice()));
}

async fn is_told_twice() {
    let told = systemd_hears();
    let server = server();

    let stop = sleep(Duration::from_secs(3_600));
    systemd::notify(server.handle(), server.serve_until(stop)).await.unwrap();

    assert_eq!([next(&told), next(&told)], ["READY=1", "STOPPING=1"]);
    assert!(told.try_recv().is_err());
}

/// Does not start.
struct Fails;

impl Handler<String, String> for Fails {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        sleep(Duration::from_secs(1)).await;
        Err("no database".into())
    }

    async fn handle(&self, _: &mut Peer<String, String>) -> Result<(), BoxError> {
        Ok(())
    }
}

// L-26
#[test]
fn systemd_is_told_nothing_about_a_server_that_does_not_start() {
    as_service("start", Some("200000"), None, || {
        run(async {
            let told = systemd_hears();
            let server = Server::bind("127.0.0.1:0", Text, Fails).await.unwrap();

            let served = systemd::notify(server.handle(), server.serve()).await;

            assert!(matches!(served, Err(ServeError::Start(_))), "{served:?}");
            // It would have come before this.
            let probe = UnixDatagram::unbound().unwrap();
            probe.send_to(b"last", env::var_os("NOTIFY_SOCKET").unwrap()).unwrap();
            assert_eq!(next(&told), "last");
        });
    });
}

// L-26
#[test]
fn systemd_that_is_not_there_is_logged_once_and_the_server_serves() {
    as_service("gone", Some("200000"), None, || {
        run(async {
            let log = Log::capture();
            let server = server();

            let stop = sleep(Duration::from_secs(10));
            systemd::notify(server.handle(), server.serve_until(stop)).await.unwrap();

            let alarm = log.alarm();
            assert_eq!((alarm.level, &*alarm.message), (Level::WARN, "systemd was not notified"));
            assert_eq!(alarm.field("state"), "READY=1");
            assert!(alarm.field("error").contains("No such file"), "{alarm:?}");
        });
    });
}

// L-26
#[test]
fn systemd_that_does_not_read_delays_neither_serving_nor_its_end_for_long() {
    as_service("full", Some("2000"), None, || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let socket = notify_socket();
        runtime.block_on(async {
            let probe = UnixDatagram::unbound().unwrap();
            probe.connect(env::var_os("NOTIFY_SOCKET").unwrap()).unwrap();
            probe.set_nonblocking(true).unwrap();
            while probe.send(b"full").is_ok() {}
            let echo = async |text: String| text;
            let server = Server::bind("127.0.0.1:0", Text, echo).await.unwrap();
            let addr = server.local_addr();
            let stop = async move {
                let client = Client::connect(addr, Text).await.unwrap();
                client.send("hello".to_owned()).await.unwrap();
                assert_eq!(client.recv().await.unwrap(), "hello");
            };

            let served = systemd::notify(server.handle(), server.serve_until(stop));

            within_deadline(served).await.unwrap();
        });
        // A thread of the runtime still waits for systemd.
        drop(socket);
    });
}

// L-26
#[test]
fn outside_systemd_only_the_server_runs() {
    let folder = Folder::new("outside");
    let socket = folder.socket();
    let variables = [("NOTIFY_SOCKET", None), ("SOCKET", Some(socket.as_os_str()))];
    alone_with(&variables, || {
        run(async {
            let socket = UnixDatagram::bind(env::var_os("SOCKET").unwrap()).unwrap();
            socket.set_nonblocking(true).unwrap();
            let server = server();

            let until = timeout(Duration::from_secs(1), pending::<()>());
            let serving = async { (server.serve_until(until).await, 42) };
            let (served, output) = systemd::notify(server.handle(), serving).await;

            assert_eq!((served.is_ok(), output), (true, 42));
            assert!(socket.recv(&mut [0; 10]).is_err());
        });
    });
}
