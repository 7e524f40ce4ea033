//! If a datagram arrives in time at the kernel, no timeout is reported, even if the runtime notices both only
//! later.

use std::{net::UdpSocket, thread, time::Duration};

use datagrammar::{
    Limits, RecvError, Server, Text,
    testing::{Conditions, Network},
};

use crate::support::{Net, Running, conversing, within_deadline};

/// How long a conversation waits. The pause in the tests is longer than that on every machine.
const LIMIT: Duration = Duration::from_millis(50);

/// Many conversations wait while the whole thread is paused, and each peer sends a datagram during the pause.
async fn after_a_pause_all_hear(server: Running, peers: usize) {
    let addr = server.handle.local_addrs()[0].socket_addr().unwrap();
    let peers: Vec<_> = (0..peers)
        .map(|_| {
            let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
            socket.connect(addr).unwrap();
            socket.set_nonblocking(true).unwrap();
            tokio::net::UdpSocket::from_std(socket).unwrap()
        })
        .collect();
    for peer in &peers {
        peer.send(b"hello").await.unwrap();
    }
    for peer in &peers {
        assert_eq!(heard(peer).await, "hello");
    }

    // There is no `await` here, so nothing else runs on this thread meanwhile.
    for peer in &peers {
        peer.try_send(b"in time").unwrap();
    }
    thread::sleep(2 * LIMIT);

    for peer in &peers {
        assert_eq!(heard(peer).await, "in time");
    }
    assert_eq!(server.handle.stats().conversations, peers.len() as u64);
    server.stop().await;
}

async fn heard(socket: &tokio::net::UdpSocket) -> String {
    let mut datagram = [0; 32];
    let len = within_deadline(socket.recv(&mut datagram)).await.unwrap();
    String::from_utf8(datagram[..len].to_vec()).unwrap()
}

/// A server that echoes one packet. Then it sends back the next packet, or "timed out" after the limit.
async fn waits_for_a_while(net: &Net) -> Running {
    net.serve_text(conversing!(|peer| {
        let hello = peer.recv().await?;
        peer.send(&hello).await?;
        let text = match peer.recv_timeout(LIMIT).await {
            Err(RecvError::TimedOut) => "timed out".to_owned(),
            text => text?,
        };
        Ok(peer.send(&text).await?)
    }))
    .await
}

/// The same with the idle limit: it sends "idle" instead.
async fn waits_until_it_is_idle(net: &Net) -> Running {
    let limits = Limits::default().idle_timeout(LIMIT);
    let handler = conversing!(|peer| {
        for _ in 0..2 {
            let text = match peer.recv().await {
                Err(RecvError::Idle) => "idle".to_owned(),
                text => text?,
            };
            peer.send(&text).await?;
        }
        Ok(())
    });
    net.serve(Server::builder(Text, handler).limits(limits)).await
}

//
#[tokio::test]
async fn no_timeout_is_reported_for_a_datagram_that_came_in_time() {
    let net = Net::Loopback("127.0.0.1");
    after_a_pause_all_hear(waits_for_a_while(&net).await, 200).await;
}

//
#[tokio::test]
async fn no_timeout_is_reported_for_a_datagram_that_came_in_time_with_portable_io() {
    let net = Net::Portable("127.0.0.1");
    after_a_pause_all_hear(waits_for_a_while(&net).await, 200).await;
}

//
#[tokio::test]
async fn a_peer_that_sent_in_time_is_not_idle() {
    let net = Net::Loopback("127.0.0.1");
    after_a_pause_all_hear(waits_until_it_is_idle(&net).await, 200).await;
}

//
#[tokio::test]
async fn several_workers_ask_the_kernel_too() {
    let net = Net::Workers("127.0.0.1");
    after_a_pause_all_hear(waits_for_a_while(&net).await, 200).await;
}

// with dedicated threads
#[tokio::test]
async fn workers_on_their_own_threads_ask_the_kernel_too() {
    let net = Net::Threads("127.0.0.1");
    after_a_pause_all_hear(waits_for_a_while(&net).await, 50).await;
}

//
#[tokio::test(start_paused = true)]
async fn a_datagram_that_arrives_exactly_at_the_limit_is_in_time() {
    let conditions = Conditions::default().delay(LIMIT..=LIMIT);
    let net = Net::Memory(Network::new(1, conditions));
    let server = waits_for_a_while(&net).await;
    let peer = net.peer_of(&server.handle).await;

    // One datagram arrives when the conversation begins to wait, the other exactly when the limit elapses.
    peer.send("hello").await;
    tokio::time::sleep(LIMIT).await;
    peer.send("in time").await;

    assert_eq!(peer.recv_text().await, "hello");
    assert_eq!(peer.recv_text().await, "in time");
    server.stop().await;
}
