//! Several tasks on one client.

use std::pin::pin;

use tokio::task::JoinSet;

use super::*;

everywhere! {
    //
    async fn exchanges_of_several_tasks_get_their_own_answers(net) {
        let (client, peer) = client(&net);
        let mut tasks = JoinSet::new();
        for n in 0..8 {
            let client = client.clone();
            tasks.spawn(async move {
                let answer = client.exchange(n.to_string()).await.unwrap();
                assert_eq!(answer, format!("got {n}"));
            });
        }
        tasks.spawn(async move {
            for _ in 0..8 {
                let packet = peer.recv_text().await;
                // No other exchange has sent anything meanwhile.
                assert!(peer.hears_nothing().await);
                peer.send(format!("got {packet}")).await;
            }
        });

        within_deadline(tasks.join_all()).await;
    }

    // Q-15, C-10
    async fn a_recv_of_another_task_may_take_the_answer(net) {
        let (client, peer) = client(&net);
        let mut receiving = pin!(client.recv());
        waits(receiving.as_mut()).await;
        let mut exchange = pin!(client.exchange_with(text("well?"), &soon()));
        waits(exchange.as_mut()).await;

        peer.send("yes").await;
        assert_eq!(within_deadline(receiving).await.unwrap(), "yes");

        let answer = both(exchange, async {
            times(&peer, Instant::now(), "well?", 2).await;
            peer.send("yes, again").await;
        });
        assert_eq!(answer.await.unwrap(), "yes, again");
    }
}

//
#[tokio::test(start_paused = true)]
async fn an_exchange_waits_for_the_end_of_another_one_within_its_own_time() {
    let (client, peer) = client(&Net::memory());
    let mut first = client.begin_exchange(text("first"), &Repeat::default()).unwrap();
    both(async { first.next().await.unwrap() }, async {
        assert_eq!(peer.recv_text().await, "first");
        peer.send("no answer").await;
    })
    .await;

    let began = Instant::now();
    let error = client.exchange(text("second")).await.unwrap_err();
    assert!(
        matches!(error, ClientExchangeError::TimedOut { attempts: 0, elapsed, .. }
            if elapsed == 30 * SECOND),
        "{error:?}"
    );
    assert_eq!(began.elapsed(), 30 * SECOND);

    let mut third = pin!(client.exchange(text("third")));
    waits(third.as_mut()).await;
    assert!(peer.hears_nothing().await);
    drop(first);
    let answer = both(third, async {
        assert_eq!(peer.recv_text().await, "third");
        peer.send("got third").await;
    });
    assert_eq!(answer.await.unwrap(), "got third");
}
