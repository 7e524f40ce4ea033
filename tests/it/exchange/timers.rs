//! When a packet is repeated.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use datagrammar::{
    DatagramProtocol, DecodeError, EncodeError, Limits, PeerExchangeError, Repeat, Server, Text,
};

use super::*;
use crate::{log::Log, support::conversing};

// Q-12, G-12
#[tokio::test(start_paused = true)]
async fn a_packet_without_an_answer_is_sent_at_0_1_3_7_and_15_seconds_and_ends_at_30() {
    let (net, log) = (Net::memory(), Log::capture());
    // The idle timeout does not end it.
    let limits = Limits::default().idle_timeout(5 * SECOND);
    let server = net
        .serve_text_within(
            limits,
            conversing!(|peer| {
                peer.recv().await?;
                let began = Instant::now();
                // With another jitter, a sixth attempt may just be in time.
                let repeat = Repeat::default().seed(7);
                let error = peer.exchange_with(text("well?"), &repeat).await.unwrap_err();
                let PeerExchangeError::TimedOut { attempts: 5, elapsed, .. } = error else {
                    panic!("{error:?}")
                };
                assert_eq!((elapsed, began.elapsed()), (30 * SECOND, 30 * SECOND));
                Err(error.into())
            }),
        )
        .await;
    let peer = net.peer_of(&server.handle).await;
    let began = Instant::now();

    peer.send("hello").await;

    assert_near(&times(&peer, began, "well?", 5).await, &[0.0, 1.0, 3.0, 7.0, 15.0]);
    tokio::time::sleep_until(began + 31 * SECOND).await;
    assert!(peer.hears_nothing().await);
    let stats = server.handle.stats();
    assert_eq!((stats.active_conversations, stats.idle_timeouts, stats.failed), (0, 1, 0));
    assert!(log.alarms().is_empty());
    server.stop().await;
}

//
#[tokio::test(start_paused = true)]
async fn what_is_sent_to_the_peer_meanwhile_changes_no_timers() {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        peer.recv().await?;
        let mut exchange = peer.begin_exchange(text("well?"), &Repeat::default().seed(7))?;
        while let question = exchange.next().await?
            && question != "yes"
        {
            exchange.peer().send(format!("{question} noon")).await?;
        }
        Ok(exchange.peer().send(text("end")).await?)
    });
    let server = net.serve_text(handler).await;
    let peer = net.peer_of(&server.handle).await;
    let began = Instant::now();

    peer.send("hello").await;

    let mut at = Vec::new();
    for _ in 0..4 {
        at.extend(times(&peer, began, "well?", 1).await);
        tokio::time::sleep(ms(400)).await;
        assert_eq!(peer.ask("time?").await, "time? noon");
        assert_eq!(peer.ask("and now?").await, "and now? noon");
    }
    assert_near(&at, &[0.0, 1.0, 3.0, 7.0]);
    assert_eq!(peer.ask("yes").await, "end");
    finished(server).await;
}

/// Encodes the same text as another datagram each time.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbered(Arc<AtomicU32>);

impl DatagramProtocol for Numbered {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(&format!("{packet} {}", self.0.fetch_add(1, Relaxed)), datagram)
    }
}

//
#[tokio::test(start_paused = true)]
async fn each_repetition_is_the_same_datagram() {
    let net = Net::memory();
    let handler = conversing!(|peer| {
        peer.recv().await?;
        peer.exchange(text("a")).await?;
        peer.exchange(text("b")).await?;
        Ok(())
    });
    let server = net.serve(Server::builder(Numbered::default(), handler)).await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("hello").await;

    times(&peer, Instant::now(), "a 0", 3).await;
    peer.send("next").await;
    times(&peer, Instant::now(), "b 1", 3).await;
    finished(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn each_number_can_be_set() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            let repeat = Repeat::default()
                .initial_timeout(ms(100))
                .min_timeout(ms(50))
                .max_timeout(ms(300))
                .total_timeout(10 * SECOND)
                .max_attempts(5);
            peer.recv().await?;
            let began = Instant::now();
            let error = peer.exchange_with(text("well?"), &repeat).await.unwrap_err();
            assert!(matches!(error, PeerExchangeError::TimedOut { attempts: 5, .. }), "{error:?}");
            assert_near(&[began.elapsed().as_secs_f64()], &[1.2]);

            let began = Instant::now();
            let repeat = repeat.total_timeout(ms(250));
            let error = peer.exchange_with(text("well?"), &repeat).await.unwrap_err();
            assert!(matches!(error, PeerExchangeError::TimedOut { attempts: 2, .. }), "{error:?}");
            assert_eq!(began.elapsed(), ms(250));
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;
    let began = Instant::now();

    peer.send("hello").await;

    assert_near(&times(&peer, began, "well?", 5).await, &[0.0, 0.1, 0.3, 0.6, 0.9]);
    times(&peer, began, "well?", 2).await;
    finished(server).await;
}

/// Receives "well?" `count` times, and answers the last one after `time`. Returns when the last one came.
async fn answer(peer: &Bytes, count: usize, time: Duration) -> f64 {
    let came = times(peer, Instant::now(), "well?", count).await;
    tokio::time::sleep(time).await;
    // No two packets in a row have the same bytes.
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    peer.send(format!("yes {}", COUNTER.fetch_add(1, Relaxed))).await;
    came[count - 1]
}

//
#[tokio::test(start_paused = true)]
async fn timers_follow_the_round_trip_time_of_the_conversation_alone() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            let mut packet = peer.recv().await?;
            while packet != "stop" {
                packet = peer.exchange(text("well?")).await?;
            }
            Ok(())
        }))
        .await;
    let (peer, other) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
    peer.send("hello").await;

    // SRTT 400 ms, RTTVAR 200 ms.
    answer(&peer, 1, ms(400)).await;
    assert_near(&[answer(&peer, 3, ms(0)).await], &[1.2 + 2.4]);
    // A repeated packet gives no sample. The last timer stays, until there is one.
    assert_near(&[answer(&peer, 2, ms(0)).await], &[4.8]);
    for _ in 0..100 {
        answer(&peer, 1, ms(10)).await;
    }
    assert_near(&[answer(&peer, 2, ms(0)).await], &[0.2]);

    // The next conversation of this peer begins anew, and so does that of another one.
    times(&peer, Instant::now(), "well?", 1).await;
    peer.send("stop").await;
    peer.send("hello").await;
    assert_near(&[answer(&peer, 2, ms(0)).await], &[1.0]);
    peer.send("stop").await;
    other.send("hello").await;
    assert_near(&[answer(&other, 2, ms(0)).await], &[1.0]);
    other.send("stop").await;
    finished(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn a_packet_that_was_there_before_or_is_no_answer_gives_no_sample() {
    let net = Net::memory();
    let server = net
        .serve_text(conversing!(|peer| {
            peer.recv().await?;
            tokio::time::sleep(SECOND).await;
            assert_eq!(peer.exchange(text("first")).await?, "early");
            let mut exchange = peer.begin_exchange(text("second"), &Repeat::default())?;
            assert_eq!(exchange.next().await?, "no answer");
            assert_eq!(exchange.next().await?, "answer");
            drop(exchange);
            peer.exchange(text("third")).await?;
            Ok(())
        }))
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("hello").await;
    peer.send("early").await;
    times(&peer, Instant::now(), "first", 1).await;
    times(&peer, Instant::now(), "second", 1).await;
    tokio::time::sleep(ms(1)).await;
    peer.send("no answer").await;
    tokio::time::sleep(ms(499)).await;
    peer.send("answer").await;

    // 500 ms + 4 · 250 ms
    assert_near(&times(&peer, Instant::now(), "third", 2).await, &[0.0, 1.5]);
    peer.send("yes").await;
    finished(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_is_woken_by_its_timers_only() {
    let (net, polls) = (Net::memory(), Arc::new(AtomicU32::new(0)));
    let server = net
        .serve_text(conversing!(
            [polls] | peer | {
                peer.recv().await?;
                let mut exchange = pin!(peer.exchange(text("well?")));
                let counted = poll_fn(|cx| {
                    polls.fetch_add(1, Relaxed);
                    exchange.as_mut().poll(cx)
                });
                assert!(counted.await.is_err());
                Ok(())
            }
        ))
        .await;
    let peer = net.peer_of(&server.handle).await;

    peer.send("hello").await;
    tokio::time::sleep(31 * SECOND).await;

    // 5 attempts and the end: the timer, and the round in which the socket is read once more.
    assert!((6..=14).contains(&polls.load(Relaxed)), "{polls:?}");
    finished(server).await;
}
