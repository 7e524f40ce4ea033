//! handlers that block the worker.

use std::time::Duration;

use datagrammar::{Server, Text};

use crate::{
    log::Log,
    support::{Net, until},
};

//
#[tokio::test]
async fn a_handler_that_blocks_the_worker_for_more_than_a_second_is_reported() {
    let log = Log::capture();
    let net = Net::memory();
    let sleepy = async |text: String| {
        std::thread::sleep(Duration::from_millis(text.parse().unwrap()));
        text
    };
    let server = net.serve(Server::builder(Text, sleepy)).await;
    let peer = net.peer_of(&server.handle).await;

    assert_eq!(peer.ask("1").await, "1");
    assert_eq!(peer.ask("1001").await, "1001");
    until(|| server.handle.stats().stalls > 0).await;

    let told = log.alarms();
    let blocked = |told: &&crate::log::Told| {
        told.message.contains("dedicated_threads") && told.fields["error"].contains("blocked")
    };
    assert_eq!(told.iter().filter(blocked).count() as u64, server.handle.stats().stalls);
    server.stop().await;
}
