//! Servers and clients without async leave no thread and no descriptor. Other tests start and open these too,
//! so they are counted in a process where no other test runs. Signals reach a whole process too.

use std::{
    net::{SocketAddr, UdpSocket},
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use datagrammar::{
    BoxError, Handler, Peer, ServeError, Server, ServerContext, Text,
    blocking::{self, Client},
};

use super::alone;

const DEADLINE: Duration = Duration::from_secs(20);

#[cfg(target_os = "linux")]
fn counts() -> [usize; 2] {
    ["/proc/self/task", "/proc/self/fd"].map(|dir| std::fs::read_dir(dir).unwrap().count())
}

/// Calls `cycle` several times, and asserts that it leaves no thread and no descriptor.
#[cfg(target_os = "linux")]
fn leaves_nothing(mut cycle: impl FnMut()) {
    // The first time, things are opened that stay, such as those for signals.
    cycle();
    let before = counts();
    for _ in 0..20 {
        cycle();
    }
    // The kernel shows a thread for a moment longer than it takes to join it, also in the count before. What each
    // cycle leaves adds up to more than that.
    let begun = Instant::now();
    while counts().iter().zip(&before).any(|(now, before)| now > before) {
        assert!(begun.elapsed() < DEADLINE, "{:?} were {before:?}", counts());
        thread::sleep(Duration::from_millis(1));
    }
}

async fn echo(text: String) -> String {
    text
}

fn ask(addr: impl datagrammar::Connect) {
    let client = Client::connect(addr, Text).unwrap();
    client.send("hello".to_owned()).unwrap();
    assert_eq!(client.recv_timeout(DEADLINE).unwrap(), "hello");
}

// T-6, T-8
#[cfg(target_os = "linux")]
#[test]
fn server_threads_leave_nothing() {
    alone(|| {
        leaves_nothing(|| {
            let server = blocking::Server::bind("localhost:0", Text, echo).unwrap();
            let addr = server.local_addr();
            let mut thread = server.spawn().unwrap();
            ask(&addr);
            thread.join().unwrap();

            let handler = blocking::handler(|text: String| text);
            let server = Server::builder(Text, handler).dedicated_threads(true);
            let thread = server.bind_blocking("127.0.0.1:0").unwrap().spawn().unwrap();
            ask(&thread.handle().local_addrs()[0]);
            assert!(counts()[0] >= 4, "the test, the server, its worker and the function");
        });
    });
}

// T-5
#[cfg(target_os = "linux")]
#[test]
fn servers_that_fail_leave_nothing() {
    struct Fails;

    impl Handler<String, String> for Fails {
        async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
            context.spawn(std::future::pending());
            Err("on purpose".into())
        }

        async fn handle(&self, _: &mut Peer<String, String>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    alone(|| {
        let used = UdpSocket::bind("127.0.0.1:0").unwrap();
        leaves_nothing(|| {
            let server = blocking::Server::bind("127.0.0.1:0", Text, Fails).unwrap();
            let failed = server.spawn();
            assert!(matches!(failed, Err(ServeError::Start(_))), "{failed:?}");
            assert!(blocking::Server::bind(used.local_addr().unwrap(), Text, echo).is_err());
        });
    });
}

// C-8, C-14, C-16, C-17
#[cfg(target_os = "linux")]
#[test]
fn clients_have_no_thread_and_leave_nothing() {
    alone(|| {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = peer.local_addr().unwrap();
        let [threads, _] = counts();
        leaves_nothing(|| {
            drop(Client::connect(("localhost", addr.port()), Text).unwrap());
            let impossible: [SocketAddr; 2] = ["127.255.255.255:9000".parse().unwrap(); 2];
            assert!(Client::connect(&impossible[..], Text).is_err());
            assert!(Client::connect(UdpSocket::bind("127.0.0.1:0").unwrap(), Text).is_err());

            let client = Client::connect(addr, Text).unwrap();
            assert!(client.recv_timeout(Duration::from_millis(1)).is_err());
            assert_eq!(client.packets().within(Duration::ZERO).count(), 0);
            assert_eq!(counts()[0], threads);
            let same = client.clone();
            let waiting = thread::spawn(move || same.recv());
            client.close();
            assert!(waiting.join().unwrap().is_err());
        });
    });
}

// T-1, L-7
#[cfg(unix)]
#[test]
fn a_signal_ends_serving_gracefully() {
    alone(|| {
        for signal in ["-INT", "-TERM", "-TERM"] {
            let server = blocking::Server::bind("127.0.0.1:0", Text, echo).unwrap();
            let (addr, handle) = (server.local_addr(), server.handle());
            let (end, ended) = mpsc::channel();
            thread::spawn(move || end.send(server.serve_until_signal()));
            assert!(handle.ready());
            ask(&addr);

            let pid = std::process::id().to_string();
            let sent = Command::new("kill").args([signal, &pid]).status().unwrap();

            assert!(sent.success());
            ended.recv_timeout(DEADLINE).unwrap().unwrap();
            assert!(!handle.is_serving());
        }
    });
}
