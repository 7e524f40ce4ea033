//! `/drain`.

use std::{net::SocketAddr, time::Duration};

use datagrammar::{
    Client, Termination, Text,
    admin::{Admin, AdminThread},
};

use super::{DEADLINE, ask, echo_server};

// O-2, O-13
#[tokio::test]
async fn a_drain_begins_the_lame_duck_of_the_program() {
    let ((one, first), (two, second)) = (echo_server().await, echo_server().await);
    let lame_duck = Termination::default().lame_duck(Duration::from_secs(3_600));
    let admin = Admin::new().server("one", first.clone()).server("two", second.clone());
    let admin = admin.drain(lame_duck).bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    let one_addr = one.local_addr();
    let serving = [one.spawn(), two.spawn()];
    assert!(first.ready().await && second.ready().await);

    for _ in 0..2 {
        let answer = ask(addr, "POST /drain/one").await;
        assert_eq!((answer.status, &*answer.text), (202, "one: drains\n"));
        let ready = ask(addr, "GET /ready/one").await;
        assert_eq!((ready.status, &*ready.text), (503, "one: not ready: lame duck\n"));
        assert!(!first.is_ready() && second.is_ready());
    }
    let client = Client::connect(one_addr, Text).await.unwrap();
    client.send("I am new".to_owned()).await.unwrap();
    assert_eq!(client.recv_timeout(DEADLINE).await.unwrap(), "I am new");
    assert_eq!(ask(addr, "POST /drain").await.text, "one: drains\ntwo: drains\n");
    assert!(!second.is_ready());

    for handle in [first, second] {
        handle.shutdown().await;
    }
    for serving in serving {
        serving.await.unwrap().unwrap();
    }
}

// O-13
#[tokio::test]
async fn a_drain_ends_the_server_also_when_the_endpoint_has_ended() {
    let (server, handle) = echo_server().await;
    let termination = Termination::default().lame_duck(Duration::from_millis(50));
    let admin = Admin::new().server("echo", handle.clone()).drain(termination);
    let admin = admin.bind("127.0.0.1:0").unwrap();
    let serving = server.spawn();
    assert!(handle.ready().await);

    assert_eq!(ask(admin.local_addr().unwrap(), "POST /drain").await.status, 202);
    drop(admin);

    tokio::time::timeout(DEADLINE, serving).await.unwrap().unwrap().unwrap();
}

// O-13
#[tokio::test]
async fn nobody_can_drain_a_server_whose_program_does_not_allow_it_and_no_browser_can() {
    let (server, handle) = echo_server().await;
    let endpoint = || Admin::new().server("echo", handle.clone());
    let (_closed, closed) = bound(endpoint());
    let (_open, open) = bound(endpoint().drain(Termination::default()));
    let serving = server.spawn();
    assert!(handle.ready().await);

    let refused = ask(closed, "POST /drain").await;
    assert_eq!((refused.status, refused.text.contains("Admin::drain")), (403, true));
    assert_eq!(ask(open, "GET /drain").await.status, 405);
    assert_eq!(ask(open, "POST /drain/other").await.status, 404);
    // The rest of the request is in the next line.
    let browser = "POST /drain HTTP/1.1\r\nOrigin: http://example.com\r\nX: ";
    assert_eq!(ask(open, browser).await.status, 403);

    assert!(handle.is_ready());
    assert_eq!(ask(open, "POST /drain").await.status, 202);
    serving.await.unwrap().unwrap();
}

/// Starts an endpoint; returns it, and where it listens.
fn bound(admin: Admin) -> (AdminThread, SocketAddr) {
    let admin = admin.bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    (admin, addr)
}
