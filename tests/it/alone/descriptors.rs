//! What is dropped midway leaves nothing open. It is counted in a process of its own: other tests open
//! descriptors too.

#![cfg(target_os = "linux")]

use std::{
    future::poll_fn,
    net::{SocketAddr, UdpSocket},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use datagrammar::{Client, Text};
use tokio::time::{sleep, timeout};

// C-14, C-16, C-17
#[tokio::test(flavor = "multi_thread")]
async fn what_clients_drop_midway_leaves_no_descriptor_open() {
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
