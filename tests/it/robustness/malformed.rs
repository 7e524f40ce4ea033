//! Row 2: malformed datagrams between valid ones, over the kernel's loopback.

use datagrammar::{DatagramProtocol, Json, Server, ServerBuilder, Text};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::times;
use crate::support::{Bytes, Net, until};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    number: u64,
    item: String,
    count: Option<u32>,
}

fn order(number: u64) -> Order {
    let item = "¿qué?".repeat(number as usize % 4);
    Order { number, item, count: number.is_multiple_of(3).then_some(7) }
}

/// A datagram that `protocol` does not decode, made of a valid one or of random bytes.
fn malformed<P: DatagramProtocol>(rng: &mut Rng, protocol: &P, valid: &[u8]) -> Vec<u8> {
    loop {
        let mut bytes = match rng.u8(..4) {
            0 => (0..rng.usize(..64)).map(|_| rng.u8(..)).collect(),
            _ => valid.to_vec(),
        };
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..=bytes.len());
            match rng.u8(..4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, rng.u8(..)),
                2 => bytes.extend_from_within(at..),
                _ if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
                _ => bytes.push(0xff),
            }
        }
        if protocol.decode(&bytes).is_err() {
            return bytes;
        }
    }
}

/// Sends as many malformed datagrams as valid ones, which the server returns.
async fn mixed<P>(protocol: P, server: ServerBuilder<P>, packet: impl Fn(u64) -> P::Outgoing)
where
    P: DatagramProtocol<Incoming: PartialEq<P::Outgoing>>,
{
    // At most so many are in the buffer of the socket, which holds 256 of the shortest ones.
    const AT_A_TIME: u64 = 50;
    let all = times("DATAGRAMMAR_DATAGRAMS", 10_000) / 4;
    let server = Net::Loopback("127.0.0.1").serve(server).await;
    let peers: [Bytes; 4] = [
        Net::Loopback("127.0.0.1").peer_of(&server.handle).await,
        Net::Loopback("127.0.0.1").peer_of(&server.handle).await,
        Net::Loopback("127.0.0.1").peer_of(&server.handle).await,
        Net::Loopback("127.0.0.1").peer_of(&server.handle).await,
    ];
    let mut rng = Rng::with_seed(2);
    let (mut valid, mut bad, mut bytes) = (0, 0, Vec::new());

    while valid < all {
        let peer = &peers[rng.usize(..peers.len())];
        let first = valid;
        for _ in 0..AT_A_TIME {
            bytes.clear();
            protocol.encode(&packet(valid), &mut bytes).unwrap();
            // Of each kind half, in any order.
            if bad < all && (valid == all || rng.bool()) {
                peer.send(malformed(&mut rng, &protocol, &bytes)).await;
                bad += 1;
            } else if valid < all {
                peer.send(&bytes).await;
                valid += 1;
            }
        }
        // A reply to anything else would come between these, or be counted as sent below.
        for number in first..valid {
            let reply = protocol.decode(&peer.recv().await).unwrap();
            assert!(reply == packet(number), "another reply than to {number}");
        }
    }
    while bad < all {
        peers[0].send(malformed(&mut rng, &protocol, b"")).await;
        bad += 1;
        until(|| server.handle.stats().received == valid + bad).await;
    }

    until(|| server.handle.stats().received == valid + bad).await;
    let stats = server.handle.stats();
    assert_eq!((stats.sent, stats.decode_errors, stats.panicked), (valid, bad, 0), "{stats}");
    assert_eq!(stats.received, stats.delivered + stats.total_dropped());
    assert_eq!(stats.total_dropped(), 0, "{stats}");
    for peer in &peers {
        assert!(peer.hears_nothing().await);
    }
    server.stop().await;
}

// R-5, G-9
#[tokio::test]
async fn between_malformed_json_each_valid_request_is_answered() {
    let server = Server::builder(Json::<Order>::new(), async |order: Order| order);
    mixed(Json::<Order>::new(), server, order).await;
}

// R-5, G-9
#[tokio::test]
async fn between_malformed_text_each_valid_request_is_answered() {
    let server = Server::builder(Text, async |text: String| text);
    mixed(Text, server, |number| format!("¿{number}?")).await;
}

// P-17, G-9
#[cfg(feature = "postcard")]
#[tokio::test]
async fn between_malformed_postcard_each_valid_request_is_answered() {
    use datagrammar::Postcard;

    let server = Server::builder(Postcard::<Order>::new(), async |order: Order| order);
    mixed(Postcard::<Order>::new(), server, order).await;
}

// P-17, G-9
#[cfg(feature = "sealed")]
#[tokio::test]
async fn between_forged_sealed_datagrams_each_valid_request_is_answered() {
    use datagrammar::{Sealed, SealingKey};

    let protocol = || Text.layer(Sealed::new(1, &SealingKey::from([7; 32])));
    let server = Server::builder(protocol(), async |text: String| text);
    mixed(protocol(), server, |number| format!("¿{number}?")).await;
}
