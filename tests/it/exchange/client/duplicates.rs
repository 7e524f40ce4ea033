//! Duplicates of the packet before.

use datagrammar::Duplicates;

use super::*;

everywhere! {
    //
    async fn duplicates_of_the_packet_before_are_skipped_and_cause_no_repetition(net) {
        let (client, peer) = client(&net);

        let answers = both(
            async {
                client.detect_duplicates();
                let hello = client.recv().await.unwrap();
                let one = client.exchange(text("one")).await.unwrap();
                let two = client.clone().exchange(text("two")).await.unwrap();
                [hello, one, two]
            },
            async {
                peer.send("hello").await;
                assert_eq!(peer.recv_text().await, "one");
                for _ in 0..3 {
                    peer.send("hello").await;
                }
                peer.send("got one").await;
                assert_eq!(peer.recv_text().await, "two");
                for _ in 0..3 {
                    peer.send("got one").await;
                }
                peer.send("got two").await;
            },
        ).await;

        assert_eq!(answers, ["hello", "got one", "got two"]);
        assert_eq!((client.stats().sent, client.stats().received), (2, 9));
    }
}

//
#[tokio::test(start_paused = true)]
async fn without_detect_duplicates_the_first_exchange_does_not_know_the_packet_before() {
    let (client, peer) = client(&Net::memory());
    for _ in 0..3 {
        peer.send("hello").await;
    }

    assert_eq!(client.recv().await.unwrap(), "hello");
    assert_eq!(client.exchange(text("one")).await.unwrap(), "hello");

    let answer = both(client.exchange(text("two")), async {
        assert_eq!(peer.recv_text().await, "one");
        assert_eq!(peer.recv_text().await, "two");
        peer.send("got two").await;
    });
    assert_eq!(answer.await.unwrap(), "got two");
}

//
#[tokio::test(start_paused = true)]
async fn duplicates_are_answered_if_that_was_asked_for() {
    let (client, peer) = client(&Net::memory());
    let repeat = Repeat::default().duplicates(Duplicates::Answer).max_attempts(2);
    client.detect_duplicates();
    peer.send("hello").await;
    client.recv().await.unwrap();

    let answer = both(client.exchange_with(text("one"), &repeat), async {
        let began = Instant::now();
        for n in 0..3 {
            assert_eq!(times(&peer, began, "one", 1).await, [f64::from(n) / 10.0]);
            tokio::time::sleep(ms(100)).await;
            peer.send(if n < 2 { "hello" } else { "got one" }).await;
        }
    });
    assert_eq!(answer.await.unwrap(), "got one");

    // There was no sample, so the first timer is still 1 s. The answer to a duplicate does not change it.
    let error = both(client.exchange_with(text("two"), &repeat), async {
        let began = Instant::now();
        times(&peer, began, "two", 1).await;
        tokio::time::sleep(ms(500)).await;
        peer.send("got one").await;
        assert_near(&times(&peer, began, "two", 2).await, &[0.5, 1.0]);
    });
    let error = error.await.unwrap_err();
    assert!(matches!(error, ClientExchangeError::TimedOut { attempts: 3, .. }), "{error:?}");
}

//
#[tokio::test(start_paused = true)]
async fn equal_packets_are_accepted_if_that_was_asked_for() {
    let (client, peer) = client(&Net::memory());
    let repeat = Repeat::default().duplicates(Duplicates::Accept);

    for packet in ["one", "two"] {
        let answer = both(client.exchange_with(text(packet), &repeat), async {
            assert_eq!(peer.recv_text().await, packet);
            peer.send("yes").await;
        });
        assert_eq!(answer.await.unwrap(), "yes");
    }
}
