//! Clients that are connected to the server and do not read: the kernel does not limit their queues.

use std::path::Path;

use datagrammar::{Client, Server, Text, Unix};

use crate::support::{BindNow, Running, conversing, temporary_path, until, within_deadline};

/// A server that sends as many long datagrams as it is asked for. Its send buffer has room for about nine.
async fn serve_long(path: &Path) -> Running {
    let handler = conversing!(|peer| {
        let count: usize = peer.recv().await?.parse()?;
        for _ in 0..count {
            peer.send("x".repeat(LONG)).await?;
        }
        Ok(())
    });
    let unix = Unix::new(path).send_buffer_size(80_000);
    Running::start(Server::builder(Text, handler).bind_now(unix).unwrap()).await
}

const LONG: usize = 10_000;

/// A client that asks for 100 long datagrams. The kernel does not limit how many wait for it, because it is
/// connected to the server.
async fn ask_for_many(path: &Path) -> Client<Text> {
    let client = Client::connect(Unix::new(path), Text).await.unwrap();
    client.send("100".to_owned()).await.unwrap();
    client
}

async fn recv_long(client: &Client<Text>, count: usize) {
    for _ in 0..count {
        assert_eq!(within_deadline(client.recv()).await.unwrap().len(), LONG);
    }
}

// U-9
#[cfg(not(datagrammar_portable))] // it needs `sock_diag`
#[tokio::test]
async fn a_connected_peer_that_does_not_read_holds_up_no_other() {
    let path = temporary_path();
    let server = serve_long(&path).await;
    let slow = ask_for_many(&path).await;
    until(|| server.handle.stats().active_conversations == 1).await;

    for _ in 0..50 {
        let other = Client::connect(Unix::new(&path), Text).await.unwrap();
        other.send("5".to_owned()).await.unwrap();
        recv_long(&other, 5).await;
    }

    assert_eq!(server.handle.stats().active_conversations, 1);
    recv_long(&slow, 100).await;
    until(|| server.handle.stats().active_conversations == 0).await;
    assert_eq!(server.handle.stats().failed, 0);
    server.stop().await;
}

// U-18
#[tokio::test]
async fn peers_that_fill_the_send_buffer_together_get_everything_when_they_read() {
    let path = temporary_path();
    let server = serve_long(&path).await;
    let mut slow = Vec::new();
    for n in 1..=12 {
        slow.push(ask_for_many(&path).await);
        until(|| server.handle.stats().active_conversations == n).await;
    }
    let other = Client::connect(Unix::new(&path), Text).await.unwrap();
    other.send("1".to_owned()).await.unwrap();
    until(|| server.handle.stats().active_conversations == 13).await;

    let reads =
        slow.into_iter().map(|slow| tokio::spawn(async move { recv_long(&slow, 100).await }));
    for read in reads.collect::<Vec<_>>() {
        read.await.unwrap();
    }

    recv_long(&other, 1).await;
    assert_eq!(server.handle.stats().failed, 0);
    server.stop().await;
}
