//! Workers on threads of their own. Other tests start such threads too, so these are counted in a process where
//! no other test runs.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use datagrammar::{BoxError, Handler, Peer, ServeError, Server, Text, Udp};
use tokio::{runtime::Builder, task::JoinHandle};

use super::alone;

/// How many threads of this process belong to workers.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread may end while this looks.
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with("datagrammar-")).count()
}

/// Waits until `condition` holds, without a runtime; it must come to hold.
fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it comes within the deadline");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Asks from a socket of its own, and waits for the answer.
fn ask(to: SocketAddr, text: &str) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.send_to(text.as_bytes(), to).unwrap();
    let mut answer = [0; 100];
    let len = socket.recv(&mut answer).unwrap();
    String::from_utf8(answer[..len].to_vec()).unwrap()
}

/// Blocks its thread when it is told to, until it is released; else it converses until it is told "bye".
struct Blocks {
    blocked: mpsc::Sender<()>,
    release: Mutex<mpsc::Receiver<()>>,
}

impl Blocks {
    fn new() -> (Self, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (blocked, is_blocked) = mpsc::channel();
        let (release, released) = mpsc::channel();
        (Self { blocked, release: Mutex::new(released) }, is_blocked, release)
    }
}

impl Handler<String, String> for Blocks {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        loop {
            let request = peer.recv().await?;
            if request == "block" {
                self.blocked.send(())?;
                self.release.lock().unwrap().recv()?;
            }
            peer.send(&request).await?;
            if request == "bye" {
                return Ok(());
            }
        }
    }
}

/// Serves on the current runtime.
async fn serve(server: &Arc<Server>) -> JoinHandle<Result<(), ServeError>> {
    let serving = tokio::spawn({
        let server = Arc::clone(server);
        async move { server.serve().await }
    });
    assert!(server.handle().ready().await);
    serving
}

// One test: what is counted is the threads of the process.
#[test]
fn workers_on_their_own_threads_come_and_go_with_serving() {
    alone(|| {
        receive_while_handlers_block_all_threads_of_the_runtime();
        leave_no_thread_when_serve_has_returned();
        end_at_once_when_the_serve_future_is_dropped();
        leave_no_thread_when_the_server_is_dropped();
        leave_no_thread_when_the_runtime_is_dropped();
    });
}

// G-2, D-15
fn receive_while_handlers_block_all_threads_of_the_runtime() {
    let (handler, is_blocked, release) = Blocks::new();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let limits = datagrammar::Limits::default().max_queue_len(64);
    let builder = Server::builder(Text, handler).limits(limits).dedicated_threads(true);
    let server =
        Arc::new(runtime.block_on(builder.bind(Udp::new("127.0.0.1:0").workers(2))).unwrap());
    let (addr, handle) = (server.local_addr().socket_addr().unwrap(), server.handle());
    let serving = runtime.block_on(serve(&server));
    let blockers = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    for (n, blocker) in (1..).zip(&blockers) {
        blocker.send_to(b"block", addr).unwrap();
        // One of them holds the lock and waits there, the other one waits for the lock.
        is_blocked.recv_timeout(Duration::from_secs(20)).unwrap();
        until(|| handle.stats().delivered == n);
    }

    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..99 {
        peer.send_to(b"hello", addr).unwrap();
    }
    peer.send_to(b"bye", addr).unwrap();

    // The first one opens the conversation, 64 wait for it, and the others find the queue full.
    until(|| handle.stats().received == 102);
    until(|| handle.stats().total_dropped() == 35);
    assert_eq!(handle.stats().queued_bytes, 65 * (5 + 160));
    assert_eq!((handle.stats().delivered, handle.stats().active_conversations), (2, 3));
    release.send(()).unwrap();
    release.send(()).unwrap();
    until(|| handle.stats().sent == 2 + 65);
    runtime.block_on(handle.shutdown());
    runtime.block_on(serving).unwrap().unwrap();
}

// L-13, L-15
fn leave_no_thread_when_serve_has_returned() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (handler, _blocked, _release) = Blocks::new();
        let builder = Server::builder(Text, handler).dedicated_threads(true);
        let server = Arc::new(builder.bind(Udp::new("127.0.0.1:0").workers(3)).await.unwrap());
        let addr = server.local_addr().socket_addr().unwrap();
        until(|| threads() == 0);

        for _ in 0..3 {
            let serving = serve(&server).await;
            let answer = tokio::task::spawn_blocking(move || ask(addr, "hello")).await.unwrap();
            assert_eq!(answer, "hello");
            // A thread has its name only once it runs.
            until(|| threads() == 3);

            server.handle().shutdown().await;

            serving.await.unwrap().unwrap();
            // The kernel shows a thread for a moment longer than it takes to join it.
            until(|| threads() == 0);
        }
    });
}

// L-19
fn end_at_once_when_the_serve_future_is_dropped() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (handler, _blocked, _release) = Blocks::new();
        let limits = datagrammar::Limits::default().shutdown_grace(Duration::from_secs(3_600));
        let builder = Server::builder(Text, handler).limits(limits).dedicated_threads(true);
        let server = Arc::new(builder.bind("127.0.0.1:0").await.unwrap());
        let (addr, handle) = (server.local_addr().socket_addr().unwrap(), server.handle());

        for cut in 1..=3 {
            let mut serving = Box::pin(server.serve());
            let asking = async {
                assert!(handle.ready().await);
                tokio::task::spawn_blocking(move || ask(addr, "hello")).await
            };
            tokio::select! {
                served = &mut serving => panic!("serving has ended: {served:?}"),
                answer = asking => assert_eq!(answer.unwrap(), "hello"),
            }

            drop(serving);

            // Meanwhile the runtime does nothing.
            until(|| threads() == 0);
            while handle.stats().aborted < cut {
                tokio::task::yield_now().await;
            }
            assert_eq!(handle.stats().active_conversations, 0);
        }
    });
}

// L-20
fn leave_no_thread_when_the_server_is_dropped() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (handler, _blocked, _release) = Blocks::new();
        let builder = Server::builder(Text, handler).dedicated_threads(true);
        let server = builder.bind(Udp::new("127.0.0.1:0").workers(2)).await.unwrap();
        let (addr, handle) = (server.local_addr().socket_addr().unwrap(), server.handle());
        let serving = tokio::spawn(async move { server.serve().await });
        assert!(handle.ready().await);
        ask(addr, "hello");

        serving.abort();

        assert!(serving.await.unwrap_err().is_cancelled());
        until(|| threads() == 0);
        until(|| UdpSocket::bind(addr).is_ok());
        handle.shutdown().await;
    });
}

// L-25
fn leave_no_thread_when_the_runtime_is_dropped() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (handler, _blocked, _release) = Blocks::new();
    let builder = Server::builder(Text, handler).dedicated_threads(true);
    let server =
        Arc::new(runtime.block_on(builder.bind(Udp::new("127.0.0.1:0").workers(2))).unwrap());
    let addr = server.local_addr().socket_addr().unwrap();
    drop(runtime.block_on(serve(&server)));
    ask(addr, "hello");

    drop(runtime);

    until(|| threads() == 0);
    // Its sockets are not bound to that runtime, so it serves in another one.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let serving = runtime.block_on(serve(&server));
    assert_eq!(ask(addr, "hello"), "hello");
    runtime.block_on(server.handle().shutdown());
    runtime.block_on(serving).unwrap().unwrap();
}
