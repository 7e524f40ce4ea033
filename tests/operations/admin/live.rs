//! `/live`, and the workers that a handle finds blocked.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use datagrammar::{Addr, BlockedWorker, Server, ServerHandle, Text, admin::Admin};

use super::{Answer, DEADLINE, ask, ask_now, echo_server, until};

/// A function that blocks its thread while it serves "block". It tells when it does so, and then waits.
struct Blocks {
    entered: Receiver<()>,
    go_on: Sender<()>,
}

impl Blocks {
    fn new() -> (Self, impl Fn(String) -> String + Clone + Send + Sync + 'static) {
        let (enter, entered) = channel();
        let (go_on, may_go_on) = channel();
        let waiting = Arc::new(Mutex::new((enter, may_go_on)));
        let function = move |text: String| {
            if text == "block" {
                let (enter, may_go_on) = &*waiting.lock().unwrap();
                enter.send(()).unwrap();
                // The test has failed if it does not say so, and must end all the same.
                let _ = may_go_on.recv_timeout(DEADLINE);
            }
            text
        };
        (Self { entered, go_on }, function)
    }

    /// Makes the function block.
    fn block(&self, addr: &Addr) -> UdpSocket {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.send_to(b"block", addr.socket_addr().unwrap()).unwrap();
        self.entered.recv_timeout(DEADLINE).unwrap();
        peer
    }
}

/// An endpoint that waits as long for a worker.
fn endpoint(handle: &ServerHandle, wait: Duration) -> datagrammar::admin::AdminThread {
    let admin = Admin::new().server("echo", handle.clone()).blocked_after(wait);
    admin.bind("127.0.0.1:0").unwrap()
}

/// Runs on a runtime with this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Asks from another runtime, because a handler that blocks a thread may keep the timers of its runtime from running.
async fn blocked_workers(handle: &ServerHandle, within: Duration) -> Vec<BlockedWorker> {
    let handle = handle.clone();
    let ask = move || block_on(handle.blocked_workers(within));
    tokio::task::spawn_blocking(ask).await.unwrap()
}

const SHORT: Duration = Duration::from_millis(50);

fn live(answer: &Answer) -> bool {
    (answer.status, &*answer.text) == (200, "echo: live\n")
}

// O-2, O-14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_lives_unless_a_handler_blocks_its_worker() {
    let (blocks, function) = Blocks::new();
    let handler = move |text: String| std::future::ready(function(text));
    let server = Server::bind("127.0.0.1:0", Text, handler).await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let (quick, patient) = (endpoint(&handle, SHORT), endpoint(&handle, DEADLINE));
    let [quick, patient_page] = [&quick, &patient].map(|admin| admin.local_addr().unwrap());
    assert!(live(&ask(quick, "GET /live").await), "nothing serves yet");
    let serving = server.spawn();
    assert!(handle.ready().await);
    assert!(live(&ask(patient_page, "GET /live").await));

    let peer = blocks.block(&addr);

    let answer = ask(quick, "GET /live/echo").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let begin = format!("echo: worker 1 of 1 at {addr}: a handler has blocked it for ");
    assert!(answer.text.starts_with(&begin), "{answer:?}");
    assert_eq!(ask(quick, "GET /ready").await.status, 200, "other pages answer");
    let blocked = blocked_workers(&handle, SHORT).await;
    assert_eq!(blocked.len(), 1, "{blocked:?}");
    assert_eq!((blocked[0].local_addr(), blocked[0].number()), (&addr, 1));
    assert!(blocked[0].is_in_handler());
    blocks.go_on.send(()).unwrap();
    assert!(live(&ask(patient_page, "GET /live").await));
    assert!(handle.blocked_workers(DEADLINE).await.is_empty());
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
    handle.shutdown().await;
    serving.await.unwrap().unwrap();
    assert!(handle.blocked_workers(SHORT).await.is_empty(), "nothing serves any more");
}

// O-2, O-14
#[test]
fn a_task_that_blocks_the_runtime_of_a_worker_blocks_the_worker() {
    let (tell, told) = channel::<(SocketAddr, SocketAddr, Addr)>();
    let (go_on, may_go_on) = channel::<()>();
    let program = thread::spawn(move || {
        block_on(async {
            let (server, handle) = echo_server().await;
            let (quick, patient) = (endpoint(&handle, SHORT), endpoint(&handle, DEADLINE));
            let pages = [&quick, &patient].map(|admin| admin.local_addr().unwrap());
            let addr = server.local_addr();
            let serving = server.spawn();
            assert!(handle.ready().await);
            // The worker waits for datagrams now.
            until(async || handle.blocked_workers(DEADLINE).await.is_empty()).await;
            tell.send((pages[0], pages[1], addr)).unwrap();
            let _ = may_go_on.recv_timeout(DEADLINE);
            let end = move || may_go_on.recv_timeout(DEADLINE);
            let _ = tokio::task::spawn_blocking(end).await.unwrap();
            handle.shutdown().await;
            serving.await.unwrap().unwrap();
        });
    });
    let (quick, patient, addr) = told.recv_timeout(DEADLINE).unwrap();

    let answer = ask_now(quick, "GET /live");

    assert_eq!(answer.status, 503, "{answer:?}");
    let begin = format!("echo: worker 1 of 1 at {addr}: its runtime has not run it for ");
    assert!(answer.text.starts_with(&begin), "{answer:?}");
    let waiting = thread::spawn(move || ask_now(patient, "GET /live"));
    go_on.send(()).unwrap();
    assert!(live(&waiting.join().unwrap()));
    go_on.send(()).unwrap();
    program.join().unwrap();
}

// O-2, O-14
#[cfg(all(target_os = "linux", not(datagrammar_portable)))] // it needs several workers
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_workers_the_one_that_is_blocked_is_named() {
    let (blocks, function) = Blocks::new();
    let handler = move |text: String| std::future::ready(function(text));
    let udp = datagrammar::Udp::new("127.0.0.1:0").workers(2);
    let server = Server::bind(udp, Text, handler).await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let serving = server.spawn();
    assert!(handle.ready().await);
    let mut named = BTreeSet::new();

    // The address of a peer decides which worker serves it.
    for _ in 0..64 {
        drop(blocks.block(&addr));
        // The other one may be slow.
        let blocked = loop {
            let blocked = blocked_workers(&handle, SHORT).await;
            assert!(!blocked.is_empty());
            if blocked.len() == 1 {
                break blocked;
            }
        };
        assert!(blocked[0].is_in_handler(), "{blocked:?}");
        let text = blocked[0].to_string();
        assert!(
            text.starts_with(&format!("worker {} of 2 at {addr}: a handler ", blocked[0].number()))
        );
        named.insert(blocked[0].number());
        blocks.go_on.send(()).unwrap();
        if named.len() == 2 {
            break;
        }
    }

    assert_eq!(named, BTreeSet::from([1, 2]));
    handle.shutdown().await;
    serving.await.unwrap().unwrap();
}

// O-14
#[tokio::test]
async fn workers_on_threads_of_their_own_turn_whatever_handlers_do() {
    let (blocks, function) = Blocks::new();
    let handler = move |text: String| std::future::ready(function(text));
    let builder = Server::builder(Text, handler).dedicated_threads(true);
    let program = thread::spawn(move || {
        block_on(async {
            let server = builder.bind("127.0.0.1:0").await.unwrap();
            let (addr, handle) = (server.local_addr(), server.handle());
            let (tell, told) = channel();
            thread::spawn(move || {
                let peer = blocks.block(&addr);
                let blocked = block_on(handle.blocked_workers(DEADLINE));
                tell.send(blocked).unwrap();
                blocks.go_on.send(()).unwrap();
                handle.begin_shutdown();
                drop(peer);
            });
            server.serve().await.unwrap();
            told.recv_timeout(DEADLINE).unwrap()
        })
    });

    let blocked = tokio::task::spawn_blocking(|| program.join().unwrap()).await.unwrap();

    assert!(blocked.is_empty(), "{blocked:?}");
}
