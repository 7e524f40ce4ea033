//! A client that is dropped at any point leaves no descriptor open. Other tests open descriptors too, so these
//! are counted in a process where no other test runs.

use std::{
    future::poll_fn,
    net::{SocketAddr, UdpSocket},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use datagrammar::{Client, Text};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

use super::alone;

// C-14, C-16, C-17
#[test]
fn clients_that_are_dropped_at_any_point_leave_no_descriptor_open() {
    alone(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(count_descriptors());
    });
}

async fn count_descriptors() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    drop_midway().await;
    let before = descriptors();

    for _ in 0..10 {
        drop_midway().await;
    }

    // The resolver may still be at work.
    let settled = async {
        while descriptors() > before {
            sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(timeout(Duration::from_secs(20), settled).await.is_ok(), "{}", descriptors());
}

/// Drops what clients do at every point where they wait, and has them fail where they can.
async fn drop_midway() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = peer.local_addr().unwrap();

    drop(timeout(Duration::ZERO, Client::connect(("localhost", addr.port()), Text)).await);
    let impossible: [SocketAddr; 2] = ["127.255.255.255:9000".parse().unwrap(); 2];
    assert!(Client::connect(&impossible[..], Text).await.is_err());
    let unconnected = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(Client::connect(unconnected, Text).await.is_err());

    let client = Client::connect(addr, Text).await.unwrap();
    waits(pin!(client.recv())).await;
    waits(pin!(client.recv_timeout(Duration::from_secs(60)))).await;
    let mut packets = client.packets();
    waits(pin!(packets.next())).await;
}

/// Polls a future that is to wait, so that it does.
async fn waits<F: Future>(mut future: Pin<&mut F>) {
    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending()));
    assert!(polled.await, "there was nothing to wait for");
}
