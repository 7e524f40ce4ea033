//! How long `recv` waits.

use std::time::Duration;

use datagrammar::{Handler, Limits, RecvError};
use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::word;
use crate::support::{Gate, Net, OVERHEAD, conversing, everywhere, until};

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

everywhere! {
    //
    async fn the_first_recv_does_not_time_out(net) {
        let server = net.serve_text(conversing!(|peer| {
            let text = peer.recv_timeout(ZERO).await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..100 {
            assert_eq!(peer.ask(&n.to_string()).await, n.to_string());
        }

        server.stop().await;
    }

    //
    async fn the_first_recv_of_a_task_does_not_time_out(net) {
        let server = net.serve_text(conversing!(|peer| {
            yield_now().await;
            let text = peer.recv_timeout(ZERO).await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..100 {
            assert_eq!(peer.ask(&n.to_string()).await, n.to_string());
        }

        server.stop().await;
    }

    //
    async fn the_first_recv_of_conversations_that_follow_each_other_does_not_time_out(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            gate.pass().await;
            let text = peer.recv_timeout(ZERO).await?;
            Ok(peer.send(&text).await?)
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..50 {
            peer.send(n.to_string()).await;
        }
        until(|| server.handle.stats().received == 50).await;
        gate.open();

        for n in 0..50 {
            assert_eq!(peer.recv_text().await, n.to_string());
        }
        server.stop().await;
    }

    //
    async fn a_later_recv_times_out_and_the_handler_can_still_send(net) {
        let server = net.serve_text(conversing!(|peer| {
            peer.recv().await?;
            for limit in [ZERO, Duration::from_millis(10), ZERO] {
                let received = peer.recv_timeout(limit).await;
                peer.send(&word(&received).to_owned()).await?;
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        peer.send("hello").await;

        for _ in 0..3 {
            assert_eq!(peer.recv_text().await, "timed out");
        }
        server.stop().await;
    }

    //
    async fn a_datagram_that_waits_is_received_without_any_time(net) {
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            peer.recv().await?;
            gate.pass().await;
            for _ in 0..51 {
                let received = peer.recv_timeout(ZERO).await;
                peer.send(&word(&received).to_owned()).await?;
            }
            Ok(())
        })).await;
        let peer = net.peer_of(&server.handle).await;

        for n in 0..51 {
            peer.send(n.to_string()).await;
        }
        until(|| server.handle.stats().queued_bytes == 50 * OVERHEAD + 9 + 2 * 41).await;
        gate.open();

        for n in 1..51 {
            assert_eq!(peer.recv_text().await, n.to_string());
        }
        assert_eq!(peer.recv_text().await, "timed out");
        server.stop().await;
    }
}

/// Runs `$recv` as the second `recv` of a conversation; returns its result and how long it took.
macro_rules! second_recv {
    (|$peer:ident| $recv:expr) => {{
        let (tell, told) = mpsc::unbounded_channel();
        let handler = conversing!(
            [tell] | $peer | {
                $peer.recv().await?;
                let start = Instant::now();
                let said = $recv;
                tell.send((said, start.elapsed()))?;
                $peer.send(&"still here".to_owned()).await?;
                Ok(())
            }
        );
        second_recv(handler, told).await
    }};
}

/// A peer sends one datagram, and another one a thousand days later.
async fn second_recv(
    handler: impl Handler<String, String>,
    mut told: mpsc::UnboundedReceiver<(String, Duration)>,
) -> (String, Duration) {
    let net = Net::memory();
    let server = net.serve_text_within(Limits::default().idle_timeout(None), handler).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("first").await;
    let second = async {
        sleep(A_THOUSAND_DAYS).await;
        peer.send("second").await;
        sleep(SECOND).await;
    };
    let told = tokio::select! {
        told = told.recv() => told.unwrap(),
        () = second => panic!("`recv` did not return within a thousand days"),
    };
    assert_eq!(peer.recv_text().await, "still here");
    server.stop().await;
    told
}

const A_THOUSAND_DAYS: Duration = Duration::from_secs(1_000 * 24 * 3_600);

//
#[tokio::test(start_paused = true)]
async fn recv_waits_for_any_time() {
    let told = second_recv!(|peer| word(&peer.recv().await).to_owned());

    assert_eq!(told, ("second".to_owned(), A_THOUSAND_DAYS));
}

//
#[tokio::test(start_paused = true)]
async fn the_longest_possible_timeouts_do_not_overflow() {
    let most = second_recv!(|peer| word(&peer.recv_timeout(Duration::MAX).await).to_owned());
    let less = Duration::MAX - Duration::from_nanos(1);
    let almost = second_recv!(|peer| word(&peer.recv_timeout(less).await).to_owned());

    assert_eq!(most, ("second".to_owned(), A_THOUSAND_DAYS));
    assert_eq!(almost, ("second".to_owned(), A_THOUSAND_DAYS));
}

//
#[tokio::test(start_paused = true)]
async fn a_timeout_takes_exactly_its_time() {
    let none = second_recv!(|peer| word(&peer.recv_timeout(ZERO).await).to_owned());
    let second = second_recv!(|peer| word(&peer.recv_timeout(SECOND).await).to_owned());

    assert_eq!(none, ("timed out".to_owned(), ZERO));
    assert_eq!(second, ("timed out".to_owned(), SECOND));
}

//
#[tokio::test(start_paused = true)]
async fn a_third_recv_times_out_like_the_second() {
    let told = second_recv!(|peer| {
        let second = peer.recv_timeout(SECOND).await;
        let third = peer.recv_timeout(SECOND).await;
        format!("{}, {}", word(&second), word(&third))
    });

    assert_eq!(told, ("timed out, timed out".to_owned(), 2 * SECOND));
}

//
#[tokio::test(start_paused = true)]
async fn a_timeout_of_tokio_around_recv_elapses_in_the_same_way() {
    let told = second_recv!(|peer| timeout(SECOND, peer.recv()).await.is_err().to_string());

    assert_eq!(told, ("true".to_owned(), SECOND));
}

// R-6, G-12
#[tokio::test(start_paused = true)]
async fn the_idle_limit_ends_even_the_longest_wait() {
    let net = Net::memory();
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = net
        .serve_text(conversing!(
            [tell] | peer | {
                peer.recv().await?;
                let start = Instant::now();
                let idle = matches!(peer.recv_timeout(Duration::MAX).await, Err(RecvError::Idle));
                tell.send((idle, start.elapsed()))?;
                Ok(())
            }
        ))
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("hello").await;

    let told = timeout(100 * SECOND, told.recv()).await;
    assert_eq!(told, Ok(Some((true, 60 * SECOND))));
    server.stop().await;
}
