//! When the endpoint ends.

use std::net::{TcpListener, TcpStream};

use datagrammar::admin::Admin;

use super::{ask, echo_server, until};

// O-13
#[tokio::test]
async fn it_ends_when_the_last_of_its_servers_is_dropped() {
    let ((one, first), (two, second)) = (echo_server().await, echo_server().await);
    let admin = Admin::new().server("one", first.clone()).server("two", second.clone());
    let admin = admin.bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();

    drop(one);
    let text = "one: not ready: dropped\ntwo: not ready: not serving\n";
    assert_eq!(ask(addr, "GET /ready").await.text, text);
    assert!(!admin.is_finished());
    let serving = two.spawn();
    assert!(second.ready().await);
    second.shutdown().await;
    serving.await.unwrap().unwrap();

    until(async || admin.is_finished()).await;
    TcpListener::bind(addr).unwrap();
}

// O-13
#[tokio::test]
async fn dropping_it_frees_its_port_at_once_whatever_its_clients_do() {
    let (_server, handle) = echo_server().await;
    let admin = Admin::new().server("echo", handle).bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    let silent = TcpStream::connect(addr).unwrap();
    assert_eq!(ask(addr, "GET /live").await.status, 200);

    drop(admin);

    TcpListener::bind(addr).unwrap();
    drop(silent);
}

// O-13
#[cfg(feature = "blocking")]
#[test]
fn it_needs_no_runtime_of_the_program() {
    use datagrammar::{Text, blocking};

    let server = blocking::Server::bind("127.0.0.1:0", Text, async |text: String| text).unwrap();
    let handle = server.handle().as_async().clone();
    let admin = Admin::new().server("echo", handle).bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    let mut serving = server.spawn().unwrap();

    assert_eq!(super::ask_now(addr, "GET /ready").text, "echo: ready\n");
    assert_eq!(super::ask_now(addr, "GET /live").text, "echo: live\n");
    serving.handle().begin_lame_duck();
    assert_eq!(super::ask_now(addr, "GET /ready").text, "echo: not ready: lame duck\n");
    assert!(serving.handle().is_serving() && !serving.handle().is_ready());
    let termination =
        datagrammar::Termination::default().lame_duck(std::time::Duration::from_millis(5));
    assert_eq!(serving.handle().terminate(termination), 0);

    serving.join().unwrap();
}
