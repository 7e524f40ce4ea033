//! A graceful end of servers without async, and of handlers that block.

use std::{sync::Arc, thread, time::Duration};

use datagrammar::{Server, Text, blocking};

use super::{DEADLINE, bind, client_of, until, within_deadline};
use crate::{
    lifecycle::ended,
    support::{Gate, Net, conversing},
};

const HOUR: Duration = Duration::from_secs(3600);

// T-1, L-27, L-28
#[test]
fn a_graceful_shutdown_from_another_thread_serves_what_was_read() {
    let gate = Gate::closed();
    let server = Arc::new(bind(conversing!(
        [gate] | peer | {
            let text = peer.recv().await?;
            gate.pass().await;
            Ok(peer.send(&text).await?)
        }
    )));
    let handle = server.handle();
    let serving = thread::spawn(move || server.serve());
    assert!(within_deadline({
        let handle = handle.clone();
        move || handle.ready()
    }));
    let client = client_of(&handle);
    for text in ["one", "two"] {
        client.send(text.to_owned()).unwrap();
    }
    until(|| handle.stats().received == 2);
    let ending = thread::spawn({
        let handle = handle.clone();
        move || handle.graceful_shutdown(HOUR)
    });
    within_deadline({
        let handle = handle.clone();
        move || handle.stopping()
    });
    gate.open();

    for text in ["one", "two"] {
        assert_eq!(client.recv_timeout(DEADLINE).unwrap(), text);
    }
    assert_eq!(within_deadline(|| ending.join().unwrap()), 0);
    within_deadline(|| serving.join().unwrap()).unwrap();
    assert_eq!(handle.stats().total_dropped(), 0);
    assert_eq!(handle.graceful_shutdown(HOUR), 0);
}

// L-27
#[tokio::test]
async fn handlers_that_block_serve_what_was_read() {
    let (open, wait) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let handler = blocking::handler(move |text: String| {
        wait.lock().unwrap().recv().unwrap();
        text
    });
    let net = Net::Loopback("127.0.0.1");
    let server = net.serve(Server::builder(Text, handler)).await;
    let peer = net.peer_of(&server.handle).await;
    peer.send_all(["one", "two", "three"].map(str::to_owned)).await;
    crate::support::until(|| server.handle.stats().received == 3).await;
    let handle = server.handle.clone();
    let ending = tokio::spawn(async move { handle.graceful_shutdown(HOUR).await });
    crate::support::until(|| !server.handle.is_serving()).await;
    for _ in 0..3 {
        open.send(()).unwrap();
    }

    for text in ["one", "two", "three"] {
        assert_eq!(peer.recv_text().await, text);
    }
    assert_eq!(ending.await.unwrap(), 0);
    ended(server.serving).await.unwrap();
    assert_eq!(server.handle.stats().total_dropped(), 0);
}
