//! A-3 as a property: over any sequence of datagrams, at most three bytes leave for each one received.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use datagrammar::{BoxError, Handler, Peer, TaggedServer, Text};
use datagrammar::{Guard, Limits, PeerSender, ReplyCache, Server, TaggedRequest, TaggedResponse};
use fastrand::Rng;

use super::peer_at;
use crate::support::{Net, until};

/// Sends what nobody has asked for: after each request several replies of random lengths, also by senders that outlive
/// their conversations.
#[derive(Clone, Default)]
struct Generous {
    rng: Arc<Mutex<Rng>>,
    senders: Arc<Mutex<Vec<PeerSender<TaggedResponse<String>>>>>,
}

impl Handler<TaggedRequest<String>, TaggedResponse<String>> for Generous {
    async fn handle(
        &self,
        peer: &mut Peer<TaggedRequest<String>, TaggedResponse<String>>,
    ) -> Result<(), BoxError> {
        loop {
            let request = peer.recv().await?;
            let (lengths, goes_on, sender) = {
                let mut rng = self.rng.lock().unwrap();
                let most = [10, 100, 1_000][rng.usize(..3)];
                let lengths: Vec<_> = (0..rng.usize(..4)).map(|_| rng.usize(..most)).collect();
                let mut senders = self.senders.lock().unwrap();
                if senders.len() < 50 {
                    senders.push(peer.sender());
                }
                let sender = rng.usize(..senders.len());
                (lengths, rng.bool(), senders[sender].clone())
            };
            for len in lengths {
                let _ = peer.send(request.respond("x".repeat(len))).await;
                let _ = sender.send(request.respond("y".repeat(len / 2))).await;
            }
            if !goes_on {
                return Ok(());
            }
        }
    }
}

// the model knows only what it has sent to the server and received from it
#[tokio::test(start_paused = true)]
async fn no_peer_gets_more_than_three_times_what_it_has_sent() {
    let steps = std::env::var("DATAGRAMMAR_STEPS").map_or(20_000, |steps| steps.parse().unwrap());
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let handler = Generous::default();
    handler.rng.lock().unwrap().seed(7);
    let server = Server::builder(TaggedServer::new(Text), handler)
        .reply_cache(ReplyCache::default())
        .limits(Limits::default().max_conversations(12))
        .guard(Guard::internet().reply_rate(None));
    let server = net.serve(server).await;
    let peers: Vec<_> = (0..20)
        .map(|n| peer_at(network, &format!("10.0.0.{}:5000", n + 1), &server.handle))
        .collect();
    let mut rng = Rng::with_seed(7);
    let mut books = HashMap::<usize, (usize, usize)>::new();

    for step in 0..steps {
        let n = rng.usize(..peers.len());
        let (sent, _) = books.entry(n).or_default();
        // Few ids, so that many are repetitions; some are junk.
        let mut request = vec![0, 0, 0, 0, rng.u8(..8)];
        request.resize(5 + rng.usize(..60), b'a' + rng.u8(..3));
        if rng.u8(..10) == 0 {
            request = vec![0xff; rng.usize(..20)];
        }
        *sent += request.len();
        peers[n].send(&request).await;
        if step % 16 == 0 {
            tokio::task::yield_now().await;
            for (n, peer) in peers.iter().enumerate() {
                while let Ok(reply) = peer.0.recv_timeout(std::time::Duration::ZERO).await {
                    books.entry(n).or_default().1 += reply.len();
                }
            }
            for (n, (sent, received)) in &books {
                assert!(received <= &(3 * sent), "peer {n} has sent {sent} and got {received}");
            }
        }
    }
    until(|| server.handle.stats().received >= steps).await;

    let stats = server.handle.stats();
    let got: usize = books.values().map(|(_, received)| received).sum();
    assert!(stats.over_budget > steps / 20 && got > 0 && stats.replayed > 0, "{stats}");
    server.stop().await;
}
