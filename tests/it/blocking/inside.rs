//! Inside an async runtime.

use std::{io::ErrorKind, net::UdpSocket, time::Duration};

use datagrammar::{
    BindError, ClientRecvError, ClientSendError, ConnectError, ServeError, Server, Text, blocking,
};
use tokio::{runtime::Builder, task::spawn_blocking};

use super::{ask, bind, client_of, echo, until, within_deadline};

/// Runs `call` in a task, and in the closure of `spawn_blocking`.
fn inside<T: Send + 'static>(call: impl Fn() -> T + Clone + Send + 'static) -> [T; 2] {
    within_deadline(move || {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (task, closure) = (call.clone(), call);
        [
            runtime.block_on(runtime.spawn(async move { task() })).unwrap(),
            runtime.block_on(async { spawn_blocking(closure).await }).unwrap(),
        ]
    })
}

// T-7
#[test]
fn nothing_is_bound_or_connected_inside_a_runtime() {
    for bound in inside(|| blocking::Server::bind("127.0.0.1:0", Text, echo)) {
        let error = bound.unwrap_err();
        assert!(matches!(error, BindError::InsideRuntime), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = "a blocking server cannot be used inside an async runtime: \
                    use `datagrammar::Server`, or start a thread";
        assert_eq!(error.to_string(), text);
    }
    for connected in inside(|| blocking::Client::connect("127.0.0.1:9", Text)) {
        let error = connected.unwrap_err();
        assert!(matches!(error, ConnectError::InsideRuntime), "{error:?}");
        let text = "a blocking client cannot be used inside an async runtime: \
                    use `datagrammar::Client`, or start a thread";
        assert_eq!(std::io::Error::from(error).to_string(), text);
    }
}

// T-7
#[test]
fn a_server_does_not_serve_inside_a_runtime_and_can_be_dropped_there() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let servers = [(); 4].map(|()| bind(echo));
    let addrs = servers.each_ref().map(|server| server.local_addr());

    let [one, two, three, four] = servers;
    let refused = runtime.block_on(async move {
        let until = std::future::ready(());
        [one.serve(), two.serve_until(until), three.serve_until_signal(), four.spawn().map(drop)]
    });

    for refused in refused {
        assert!(matches!(refused, Err(ServeError::InsideRuntime)), "{refused:?}");
    }
    for addr in addrs {
        UdpSocket::bind(addr).unwrap();
    }
}

// T-7
#[test]
fn the_calls_of_a_client_that_may_wait_fail_inside_a_runtime() {
    let thread = bind(echo).spawn().unwrap();
    let client = client_of(thread.handle());
    client.send("hello".to_owned()).unwrap();

    for (sent, sent_all, received, packets) in inside({
        let client = client.clone();
        move || {
            (
                client.send("hello".to_owned()),
                client.send_all(["hello".to_owned()]),
                client.recv_timeout(Duration::ZERO),
                client.packets().count(),
            )
        }
    }) {
        assert!(matches!(sent, Err(ClientSendError::InsideRuntime)), "{sent:?}");
        assert!(matches!(sent_all, Err(ClientSendError::InsideRuntime)), "{sent_all:?}");
        assert!(matches!(received, Err(ClientRecvError::InsideRuntime)), "{received:?}");
        assert_eq!(packets, 1);
    }

    let _entered = Builder::new_current_thread().build().unwrap();
    until(|| client.try_recv().is_some_and(|packet| packet.unwrap() == "hello"));
    assert_eq!(thread.handle().stats().received, 1);
}

// T-7
#[test]
fn a_handle_waits_for_nothing_inside_a_runtime() {
    let thread = bind(echo).spawn().unwrap();
    let handle = thread.handle().clone();
    let idle = bind(echo);
    let never = idle.handle();

    for (ready, not_ready) in inside(move || {
        handle.begin_shutdown();
        handle.shutdown();
        handle.stopped();
        handle.stopping();
        handle.drain(Duration::MAX);
        (handle.ready(), never.ready())
    }) {
        assert!(!ready && !not_ready);
    }

    drop(thread);
}

// T-7
#[test]
fn a_server_thread_is_not_joined_inside_a_runtime_but_shut_down() {
    let mut thread = bind(echo).spawn().unwrap();
    let (handle, dropped) = (thread.handle().clone(), bind(echo).spawn().unwrap());
    let dropped_handle = dropped.handle().clone();
    let runtime = Builder::new_current_thread().build().unwrap();

    let joined = runtime.block_on(async {
        drop(dropped);
        thread.join()
    });

    assert!(matches!(joined, Err(ServeError::InsideRuntime)), "{joined:?}");
    within_deadline(move || {
        handle.stopped();
        dropped_handle.stopped();
        thread.join()
    })
    .unwrap();
}

// T-7
#[test]
fn an_async_server_on_the_same_thread_is_not_affected() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(async { Server::bind("127.0.0.1:0", Text, echo).await }).unwrap();
    let thread = bind(echo).spawn().unwrap();

    assert_eq!(ask(&client_of(thread.handle()), "hello"), "hello");

    drop(server);
}
