//! Exchanges of a client.

mod duplicates;
mod ends;
mod timers;
mod turns;

use std::{fmt::Debug, pin::Pin};

use datagrammar::{Client, ClientExchangeError, Repeat, Text, TextLine};

use super::*;
use crate::{
    client::{client, client_of, waits},
    support::{everywhere, within_deadline},
};

/// Runs the two sides at the same time.
async fn both<T>(client: impl Future<Output = T>, peer: impl Future<Output = ()>) -> T {
    within_deadline(async { tokio::join!(client, peer).0 }).await
}

/// Short timers, for networks whose clock is real.
fn soon() -> Repeat {
    Repeat::default().initial_timeout(ms(20)).min_timeout(ms(20))
}

/// Receives "well?" `count` times, and answers the last one after `time`. Returns when the last one came.
async fn answer(peer: &Bytes, count: usize, time: Duration, answer: &str) -> f64 {
    let came = times(peer, Instant::now(), "well?", count).await;
    tokio::time::sleep(time).await;
    peer.send(answer).await;
    came[count - 1]
}

/// Polls an exchange until its packet has arrived.
async fn until_sent<T: Debug>(
    exchange: Pin<&mut impl Future<Output = T>>,
    peer: &Bytes,
    packet: &str,
) {
    tokio::select! {
        biased;
        ended = exchange => panic!("{ended:?}"),
        sent = peer.recv_text() => assert_eq!(sent, packet),
    }
}
