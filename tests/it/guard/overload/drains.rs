//! L-17: a drain while datagrams wait in one of several workers.

use datagrammar::{ServerHandle, Udp};

use super::*;

// L-17
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_idle_does_not_end_a_drain_while_datagrams_wait_in_another_one() {
    let (slow, handle) = (Slow::default(), Arc::new(OnceLock::<ServerHandle>::new()));
    let handler = {
        let (slow, handle) = (slow.clone(), Arc::clone(&handle));
        move |text: String| {
            slow.handle(&text, 32, LONG);
            if slow.received.lock().unwrap().len() == 12 {
                // By now, the worker has read what the others have sent.
                let handle = handle.get().unwrap().clone();
                tokio::spawn(async move { handle.drain(LIMIT * 600).await });
            }
            std::future::ready(text)
        }
    };
    let limits = Limits::default().max_queue_time(LIMIT * 100);
    // Each address has a worker. Nothing comes to the second one.
    let udp = Udp::new(["127.0.0.1:0", "[::1]:0"]);
    let server = Server::builder(Text, handler).limits(limits).bind(udp).await.unwrap();
    let server = Running::start(server).await;
    handle.set(server.handle.clone()).unwrap();
    let addr = server.handle.local_addrs()[0].socket_addr().unwrap();
    slow.addr.set(addr).unwrap();

    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"begin", addr).unwrap();
    within_deadline(server.serving).await.unwrap().unwrap();

    assert_eq!(slow.numbers().len(), 32);
    let stats = server.handle.stats();
    assert_eq!((stats.total_dropped(), stats.queued_bytes), (0, 0), "{stats}");
}
