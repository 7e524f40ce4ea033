//! When a client repeats a packet.

use std::{future::poll_fn, pin::pin};

use super::*;
use crate::exchange::timers::Numbered;

//
#[tokio::test(start_paused = true)]
async fn a_packet_without_an_answer_is_sent_at_0_1_3_7_and_15_seconds_and_ends_at_30() {
    let (client, peer) = client(&Net::memory());
    let began = Instant::now();

    // With another jitter, a sixth attempt may just be in time.
    let repeat = Repeat::default().seed(7);
    let (error, came) =
        tokio::join!(client.exchange_with(text("well?"), &repeat), times(&peer, began, "well?", 5));

    assert_near(&came, &[0.0, 1.0, 3.0, 7.0, 15.0]);
    let error = error.unwrap_err();
    let ClientExchangeError::TimedOut { attempts: 5, elapsed, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((elapsed, began.elapsed()), (30 * SECOND, 30 * SECOND));
    assert_eq!(error.to_string(), "the peer did not answer in 30.0s, datagrams sent: 5");
    tokio::time::sleep(31 * SECOND).await;
    assert!(peer.hears_nothing().await);
}

//
#[tokio::test(start_paused = true)]
async fn each_repetition_is_the_same_datagram() {
    let (client, peer) = client_of(&Net::memory(), Numbered::default());

    for (packet, datagram) in [("a", "a 0"), ("b", "b 1")] {
        let answer = both(client.exchange(text(packet)), async {
            times(&peer, Instant::now(), datagram, 3).await;
            peer.send(format!("{packet}!")).await;
        });
        assert_eq!(answer.await.unwrap(), format!("{packet}!"));
    }
}

//
#[tokio::test(start_paused = true)]
async fn each_number_can_be_set() {
    let (client, peer) = client(&Net::memory());
    let repeat = Repeat::default()
        .initial_timeout(ms(100))
        .min_timeout(ms(50))
        .max_timeout(ms(300))
        .total_timeout(10 * SECOND)
        .max_attempts(5);

    let began = Instant::now();
    let error = client.exchange_with(text("well?"), &repeat).await.unwrap_err();
    assert!(matches!(error, ClientExchangeError::TimedOut { attempts: 5, .. }), "{error:?}");
    assert_near(&[began.elapsed().as_secs_f64()], &[1.2]);

    let began = Instant::now();
    let repeat = repeat.total_timeout(ms(250));
    let error = client.exchange_with(text("well?"), &repeat).await.unwrap_err();
    assert!(matches!(error, ClientExchangeError::TimedOut { attempts: 2, .. }), "{error:?}");
    assert_eq!(began.elapsed(), ms(250));
    for _ in 0..7 {
        assert_eq!(peer.recv_text().await, "well?");
    }
    assert!(peer.hears_nothing().await);
}

//
#[tokio::test(start_paused = true)]
async fn timers_follow_the_round_trip_time_of_the_client_and_its_clones() {
    let net = Net::memory();
    let (client, peer) = client(&net);
    let exchange = async |count: usize, time: Duration| {
        let client = client.clone();
        let came = async {
            let packet = format!("yes {}", client.stats().received);
            tokio::join!(client.exchange(text("well?")), answer(&peer, count, time, &packet))
        };
        let (answered, came) = within_deadline(came).await;
        answered.unwrap();
        came
    };

    // SRTT 400 ms, RTTVAR 200 ms.
    exchange(1, ms(400)).await;
    assert_near(&[exchange(3, ms(0)).await], &[1.2 + 2.4]);
    // A repeated packet gives no sample. The last timer stays, until there is one.
    assert_near(&[exchange(2, ms(0)).await], &[4.8]);
    for _ in 0..100 {
        exchange(1, ms(10)).await;
    }
    assert_near(&[exchange(2, ms(0)).await], &[0.2]);
}

//
#[tokio::test(start_paused = true)]
async fn a_packet_that_was_there_before_or_is_no_answer_gives_no_sample() {
    let (client, peer) = client(&Net::memory());
    peer.send("early").await;

    assert_eq!(client.exchange(text("first")).await.unwrap(), "early");
    let mut exchange = client.begin_exchange(text("second"), &Repeat::default()).unwrap();
    let answer = both(
        async {
            assert_eq!(exchange.next().await.unwrap(), "no answer");
            exchange.next().await.unwrap()
        },
        async {
            times(&peer, Instant::now(), "first", 1).await;
            times(&peer, Instant::now(), "second", 1).await;
            tokio::time::sleep(ms(1)).await;
            peer.send("no answer").await;
            tokio::time::sleep(ms(499)).await;
            peer.send("answer").await;
        },
    );
    assert_eq!(answer.await, "answer");
    drop(exchange);

    let answer = both(client.exchange(text("third")), async {
        // 500 ms + 4 · 250 ms
        assert_near(&times(&peer, Instant::now(), "third", 2).await, &[0.0, 1.5]);
        peer.send("yes").await;
    });
    assert_eq!(answer.await.unwrap(), "yes");
}

//
#[tokio::test(start_paused = true)]
async fn an_exchange_that_waits_is_woken_by_its_timers_only() {
    let (client, _peer) = client(&Net::memory());
    let mut exchange = pin!(client.exchange(text("well?")));
    let mut polls = 0;

    let error = poll_fn(|cx| {
        polls += 1;
        exchange.as_mut().poll(cx)
    })
    .await;

    assert!(error.is_err());
    // 5 attempts and the end.
    assert!((6..=8).contains(&polls), "{polls}");
}
