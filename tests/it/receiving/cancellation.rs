//! Futures of `recv` that are dropped.

use std::{future::poll_fn, pin::pin, sync::Mutex, task::Poll, time::Duration};

use datagrammar::{BoxError, Handler, Limits, Peer};
use fastrand::Rng;
use tokio::{
    task::{coop, yield_now},
    time::{sleep, timeout},
};

use crate::support::{Gate, Net, conversing, everywhere, until};

/// Polls `recv` once. Returns its packet, or `None` if it had to wait and was dropped.
async fn poll_recv_once(peer: &mut Peer<String, String>) -> Option<String> {
    let mut recv = pin!(peer.recv());
    poll_fn(|cx| match recv.as_mut().poll(cx) {
        Poll::Ready(text) => Poll::Ready(Some(text.unwrap())),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

everywhere! {
    //
    async fn a_recv_that_was_never_polled_takes_nothing(net) {
        let server = net.serve_text(conversing!(|peer| {
            drop(peer.recv());
            drop(peer.recv_timeout(Duration::ZERO));
            let text = peer.recv().await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        assert_eq!(peer.ask("hello").await, "hello");

        server.stop().await;
    }

    //
    async fn a_packet_of_a_dropped_recv_is_returned_by_the_next_one(net) {
        let server = net.serve_text_within(Limits::default().max_queue_len(1_000), conversing!(|peer| {
            loop {
                let text = tokio::select! {
                    biased;
                    () = yield_now() => continue,
                    text = peer.recv() => text?,
                    () = sleep(Duration::from_millis(1)) => continue,
                };
                peer.send(&text).await?;
            }
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..100 {
            peer.send(n.to_string()).await;
        }

        for n in 0..100 {
            assert_eq!(peer.recv_text().await, n.to_string());
        }
        server.stop().await;
    }

    //
    async fn a_recv_that_is_dropped_without_budget_takes_nothing(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            gate.pass().await;
            for n in 0.. {
                // The more of its budget this task has used, the earlier `recv` has to yield.
                for _ in 0..(n * 37) % 128 {
                    coop::consume_budget().await;
                }
                if let Some(text) = poll_recv_once(peer).await {
                    peer.send(&text).await?;
                }
                if n % 5 == 0 {
                    yield_now().await;
                }
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..60 {
            peer.send(n.to_string()).await;
        }
        until(|| server.handle.stats().received == 60).await;
        gate.open();

        for n in 0..60 {
            assert_eq!(peer.recv_text().await, n.to_string());
        }
        server.stop().await;
    }
}

/// Echoes what it receives with futures that are dropped at random.
struct Fickle(Mutex<Rng>);

impl Handler<String, String> for Fickle {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        loop {
            let (kind, delay) = {
                let mut rng = self.0.lock().unwrap();
                (rng.u8(..5), Duration::from_micros(rng.u64(..3_000)))
            };
            let text = match kind {
                0 => poll_recv_once(peer).await,
                1 => timeout(delay, peer.recv()).await.ok().transpose()?,
                2 => peer.recv_timeout(delay).await.ok(),
                3 => tokio::select! {
                    text = peer.recv() => Some(text?),
                    () = sleep(delay) => None,
                },
                _ => tokio::select! {
                    text = peer.recv() => Some(text?),
                    () = yield_now() => None,
                },
            };
            match text {
                Some(text) => peer.send(&text).await?,
                // An exhausted budget must not make this a busy loop.
                None => sleep(Duration::from_micros(100)).await,
            }
        }
    }
}

//
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_reordered_however_recv_is_dropped() {
    for seed in 0..50 {
        let net = Net::memory();
        let mut rng = Rng::with_seed(seed);
        let fickle = Fickle(Mutex::new(rng.fork()));
        let server = net.serve_text_within(Limits::default().max_queue_len(1_000), fickle).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..50 {
            peer.send(n.to_string()).await;
            sleep(Duration::from_micros(rng.u64(..4_000))).await;
        }

        for n in 0..50 {
            assert_eq!(peer.recv_text().await, n.to_string(), "seed {seed}");
        }
        server.stop().await;
    }
}
