//! L-25: the runtime is dropped while a server serves.

use std::{
    future::pending,
    net::{SocketAddr, UdpSocket},
    sync::mpsc,
    thread,
    time::Duration,
};

use datagrammar::{SendError, ServeError, Server, ServerHandle, Text};
use tokio::runtime::{Builder, Runtime};

use super::{Loops, Sleeps, Steps, TestServer, echo, starting};
use crate::support::{Bytes, Net, conversing, until, within_deadline};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Fails instead of hanging.
fn within_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(body()));
    result
        .recv_timeout(Duration::from_secs(20))
        .expect("the test panicked or did not end within 20 s")
}

const NET: Net = Net::Loopback("127.0.0.1");

/// The rest of a server, and the steps of its parts.
struct Left {
    handle: ServerHandle,
    address: SocketAddr,
    loops: Loops,
    steps: Steps,
}

/// Serves in a task, with a background task, a clean-up and a conversation that waits.
async fn serve() -> (Left, Bytes) {
    let (steps, loops) = (Steps::default(), Loops::default());
    let handler = starting!(
        [steps] | context | {
            let cleans = steps.clone();
            context.on_shutdown(async move { cleans.note("cleans up") });
            let task = steps.on_drop("background task is dropped");
            context.spawn(async move {
                let _task = task;
                pending().await
            });
            Ok(())
        },
        conversing!(
            [steps, loops] | peer | {
                *loops.0.lock().unwrap() = Some(peer.sender());
                let _conversation = steps.on_drop("conversation is dropped");
                let request = peer.recv().await?;
                peer.send(&request).await?;
                peer.recv().await?;
                Ok(())
            }
        )
    );
    let server = TestServer::bind(&NET, handler);
    let address = server.handle.local_addrs()[0].socket_addr().unwrap();
    drop(server.serve().await);
    let peer = NET.peer_of(&server.handle).await;
    assert_eq!(peer.ask("hello").await, "hello");
    peer.send("not yet handled").await;
    (Left { handle: server.handle, address, loops, steps }, peer)
}

/// Ends a runtime in which a server serves, and checks what is left.
fn end(runtime: Runtime, end: impl FnOnce(Runtime) + Send + 'static) {
    within_time(move || {
        let (left, peer) = runtime.block_on(serve());

        end(runtime);

        current_thread().block_on(async {
            until(|| UdpSocket::bind(left.address).is_ok()).await;
            until(|| left.steps.contain("background task is dropped")).await;
            assert!(left.steps.contain("conversation is dropped"));
            assert!(!left.steps.contain("cleans up"));
            within_deadline(left.handle.shutdown()).await;
            assert!(!left.handle.is_serving());
            let sender = left.loops.sender();
            assert!(matches!(sender.send(&"lost".to_owned()).await, Err(SendError::Closed)));
        });
        drop(peer);
    });
}

// L-25
#[test]
fn dropping_the_runtime_ends_a_server() {
    end(current_thread(), drop);
    end(multi_thread(), drop);
}

// L-25
#[test]
fn shutting_the_runtime_down_in_the_background_ends_a_server() {
    end(current_thread(), Runtime::shutdown_background);
    end(multi_thread(), Runtime::shutdown_background);
}

// L-25
#[test]
fn shutting_the_runtime_down_within_a_time_ends_a_server() {
    end(current_thread(), |runtime| runtime.shutdown_timeout(Duration::from_secs(5)));
    end(multi_thread(), |runtime| runtime.shutdown_timeout(Duration::from_secs(5)));
}

// L-25
#[test]
fn a_server_that_is_dropped_after_its_runtime_frees_its_port() {
    for runtime in [current_thread, multi_thread] {
        within_time(move || {
            let runtime = runtime();
            let server = runtime.block_on(async {
                let server = TestServer::bind(&NET, Sleeps);
                let serving = server.serve().await;
                let peer = NET.peer_of(&server.handle).await;
                peer.ask("hello").await;
                drop(serving);
                server
            });
            let address = server.handle.local_addrs()[0].socket_addr().unwrap();

            drop(runtime);
            assert!(!server.handle.is_serving());
            drop(server);

            UdpSocket::bind(address).unwrap();
        });
    }
}

// L-25
#[test]
fn serving_on_another_thread_ends_with_an_error_when_the_runtime_is_dropped() {
    within_time(|| {
        let runtime = multi_thread();
        let server = runtime.block_on(async { TestServer::bind(&NET, Sleeps) });
        let (handle, address) = (server.handle.clone(), server.handle.local_addrs().remove(0));
        let on = runtime.handle().clone();
        let serving = thread::spawn(move || on.block_on(server.server.serve()));
        let peer = runtime.block_on(async {
            assert!(within_deadline(handle.ready()).await);
            let peer = NET.peer_of(&handle).await;
            peer.ask("hello").await;
            peer
        });

        drop(runtime);

        assert!(matches!(serving.join().unwrap(), Err(ServeError::Io(_))));
        UdpSocket::bind(address.socket_addr().unwrap()).unwrap();
        drop(peer);
    });
}

// L-13, L-25
#[test]
fn no_clean_up_begins_after_the_runtime_is_dropped_even_if_serving_ends_later() {
    for dedicated_threads in [false, true] {
        within_time(move || {
            let runtime = multi_thread();
            let steps = Steps::default();
            let handler = starting!(
                [steps] | context | {
                    let cleans = steps.clone();
                    context.on_shutdown(async move { cleans.note("cleans up") });
                    let task = steps.on_drop("background task is dropped");
                    context.spawn(async move {
                        let _task = task;
                        pending().await
                    });
                    Ok(())
                },
                Sleeps
            );
            let builder = Server::builder(Text, handler).dedicated_threads(dedicated_threads);
            let server = runtime.block_on(builder.bind("127.0.0.1:0")).unwrap();
            let (handle, on) = (server.handle(), runtime.handle().clone());
            // The future is not a task of the runtime, so it is polled until it completes.
            let serving = thread::spawn(move || on.block_on(server.serve()));
            assert!(runtime.block_on(within_deadline(handle.ready())));

            drop(runtime);

            assert!(matches!(serving.join().unwrap(), Err(ServeError::Io(_))));
            assert_eq!(steps.all(), ["background task is dropped"]);
            assert!(!handle.is_serving());
        });
    }
}

// L-24, L-25
#[test]
fn a_server_whose_runtime_was_dropped_cannot_serve_in_another() {
    within_time(|| {
        let runtime = current_thread();
        let builder = Server::builder(Text, echo);
        let server = runtime.block_on(builder.bind(["127.0.0.1:0", "[::1]:0"])).unwrap();
        drop(runtime);

        let served = current_thread().block_on(within_deadline(server.serve()));

        assert!(matches!(served, Err(ServeError::Io(_))));
    });
}
