//! Sending and the `PeerSender`: section S.

mod errors;
#[cfg(target_os = "linux")]
mod icmp;
mod order;
mod room;
mod segments;
mod senders;
mod size;
mod speaking_first;
mod wildcard;

use datagrammar::{BoxError, Peer, SendError};
use tokio::task::yield_now;

/// Ways to send to a peer. A peer sends one of these texts, and gets its answer in that way.
const WAYS: [&str; 3] = ["inline", "as a task", "by a sender"];

async fn send(
    way: &str,
    peer: &Peer<String, String>,
    packet: &str,
) -> Result<Result<(), SendError>, BoxError> {
    let packet = packet.to_owned();
    match way {
        "inline" => Ok(peer.send(&packet).await),
        "as a task" => {
            yield_now().await;
            Ok(peer.send(&packet).await)
        }
        _ => {
            let sender = peer.sender();
            Ok(tokio::spawn(async move { sender.send(&packet).await }).await?)
        }
    }
}
