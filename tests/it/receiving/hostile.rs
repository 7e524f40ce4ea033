//! Random bytes instead of packets.

use datagrammar::{DatagramProtocol, Json, RecvError, Server, Text};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::support::{conversing, everywhere};

/// The packet type of a server under test.
#[derive(Debug, Deserialize, Serialize)]
struct Order {
    item: String,
    count: Option<u32>,
}

/// Random bytes, some of them similar to valid packets.
fn bytes(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = match rng.u8(..4) {
        0 => br#"{"item":"tea","count":2}"#.to_vec(),
        1 => br#"{"item":"\u00e9","count":null}"#.to_vec(),
        2 => "¿qué?".as_bytes().to_vec(),
        _ => (0..rng.usize(..64)).map(|_| rng.u8(..)).collect(),
    };
    for _ in 0..rng.usize(..3) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..3) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

everywhere! {
    // R-5
    async fn bytes_decode_to_their_text_or_to_an_error(net) {
        let server = net.serve_text(conversing!(|peer| {
            loop {
                let answer = match peer.recv().await {
                    Ok(text) => format!("text {text}"),
                    Err(RecvError::Decode(_)) => "no text".to_owned(),
                    Err(error) => return Err(error.into()),
                };
                peer.send(&answer).await?;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;
        let mut rng = Rng::with_seed(5);

        for _ in 0..500 {
            let bytes = bytes(&mut rng);
            peer.send(&bytes).await;
            let expected = match str::from_utf8(&bytes) {
                Ok(text) => format!("text {text}"),
                Err(_) => "no text".to_owned(),
            };
            assert_eq!(peer.recv_text().await, expected, "{bytes:x?}");
        }

        assert_eq!(server.handle.stats().panicked, 0);
        server.stop().await;
    }

    // R-5
    async fn bytes_decode_to_their_structure_or_to_an_error(net) {
        let protocol = Json::<Order, String>::new();
        let server = net.serve(Server::builder(protocol, async |order: Order| {
            format!("{order:?}")
        })).await;
        let peer = net.peer_of(&server.handle).await;
        let mut rng = Rng::with_seed(6);
        let mut errors = 0;

        for _ in 0..500 {
            let bytes = bytes(&mut rng);
            peer.send(&bytes).await;
            match Json::<Order, String>::new().decode(&bytes) {
                Ok(order) => {
                    let answer = Json::<String>::new().decode(&peer.recv().await).unwrap();
                    assert_eq!(answer, format!("{order:?}"));
                }
                Err(_) => errors += 1,
            }
        }
        peer.send(br#"{"item":"tea","count":2}"#).await;
        peer.recv().await;

        let stats = server.handle.stats();
        assert_eq!((stats.decode_errors, stats.panicked), (errors, 0));
        assert!((1..500).contains(&errors));
        server.stop().await;
    }
}

// R-5
#[test]
fn text_and_bytes_are_one_to_one() {
    let mut rng = Rng::with_seed(7);

    for _ in 0..10_000 {
        let bytes = bytes(&mut rng);
        if let Ok(text) = Text.decode(&bytes) {
            assert_eq!(text.as_bytes(), bytes);
        }
    }
}
