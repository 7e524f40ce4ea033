//! When a request is repeated.

use datagrammar::{RequestError, RetryBudget};
use tokio::time::{Instant, sleep};

use super::*;

/// Receives the attempts of one request; returns the times since `began`, and asserts that all are equal.
async fn attempts(server: &Client<Raw>, began: Instant, count: usize) -> Vec<f64> {
    let mut times = Vec::new();
    let first = within_long(server.recv()).await;
    times.push(began.elapsed().as_secs_f64());
    for _ in 1..count {
        assert_eq!(within_long(server.recv()).await, first);
        times.push(began.elapsed().as_secs_f64());
    }
    times
}

async fn within_long<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    tokio::time::timeout(600 * SECOND, future).await.unwrap().unwrap()
}

/// Asserts that the time from each number to the next is what is expected, within a tenth.
fn assert_near(times: &[f64], expected: &[f64]) {
    assert_eq!(times.len(), expected.len(), "{times:?}");
    let (mut time, mut due) = (0.0, 0.0);
    for (next, next_due) in times.iter().zip(expected) {
        assert!(
            (next - time - (next_due - due)).abs() <= 0.1 * (next_due - due) + 0.01,
            "{times:?}"
        );
        (time, due) = (*next, *next_due);
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_sent_at_0_1_3_7_and_15_seconds_and_ends_at_30() {
    let (client, server) = alone(options()).await;
    let began = Instant::now();

    let (error, times) = tokio::join!(client.request(text("hello")), attempts(&server, began, 5));

    assert_near(&times, &[0.0, 1.0, 3.0, 7.0, 15.0]);
    let Err(RequestError::TimedOut { attempts: 5, elapsed, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((elapsed, began.elapsed()), (30 * SECOND, 30 * SECOND));
    assert!(server.try_recv().is_none());
    let stats = client.stats();
    assert_eq!((stats.requests, stats.attempts, stats.retries, stats.timed_out), (1, 5, 4, 1));
    assert_eq!(stats.round_trips.count(), 0);
}

//
#[tokio::test(start_paused = true)]
async fn timers_follow_the_round_trip_time_and_repeated_requests_give_no_sample() {
    let (client, server) = alone(options()).await;
    let after = async |time: Duration, count: usize| {
        let mut tag = Vec::new();
        for _ in 0..count {
            (tag, _) = request_at(&server).await;
        }
        sleep(time).await;
        answer(&server, &tag, "yes").await;
    };
    let ask = async |time, count| {
        let (response, ()) = tokio::join!(client.request(text("hello")), after(time, count));
        assert_eq!(response.unwrap(), "yes");
        client.round_trip_times()[0].unwrap()
    };

    // SRTT 400 ms, RTTVAR 200 ms.
    assert_eq!(ask(Duration::from_millis(400), 1).await, Duration::from_millis(400));
    let began = Instant::now();
    assert_eq!(ask(Duration::ZERO, 3).await, Duration::from_millis(400));
    assert_near(&[began.elapsed().as_secs_f64()], &[1.2 + 2.4]);
    assert_eq!(client.stats().round_trips.count(), 1);
    // The last timer stays, until there is a sample.
    let began = Instant::now();
    ask(Duration::ZERO, 2).await;
    assert_near(&[began.elapsed().as_secs_f64()], &[4.8]);
    ask(Duration::from_millis(10), 1).await;
    assert_eq!(client.stats().round_trips.count(), 2);
    for _ in 0..100 {
        ask(Duration::from_millis(10), 1).await;
    }
    let began = Instant::now();
    ask(Duration::ZERO, 2).await;
    assert_near(&[began.elapsed().as_secs_f64()], &[0.2]);
}

//
#[tokio::test(start_paused = true)]
async fn each_number_can_be_set() {
    let options = options()
        .initial_timeout(Duration::from_millis(100))
        .min_timeout(Duration::from_millis(50))
        .max_timeout(Duration::from_millis(300))
        .total_timeout(10 * SECOND)
        .max_attempts(5);
    let (client, server) = alone(options).await;
    let began = Instant::now();

    let (error, times) = tokio::join!(client.request(text("hello")), attempts(&server, began, 5));

    assert_near(&times, &[0.0, 0.1, 0.3, 0.6, 0.9]);
    assert!(matches!(error, Err(RequestError::TimedOut { attempts: 5, .. })), "{error:?}");
    assert!(began.elapsed() < 2 * SECOND);

    let began = Instant::now();
    let error = client.request_timeout(text("hello"), Duration::from_millis(250)).await;
    assert!(matches!(error, Err(RequestError::TimedOut { attempts: 2, .. })), "{error:?}");
    assert_eq!(began.elapsed(), Duration::from_millis(250));
}

//
#[tokio::test(start_paused = true)]
async fn the_jitter_of_two_clients_differs_and_that_of_one_seed_does_not() {
    let mut times = Vec::new();
    for seed in [1, 2, 1] {
        let (client, server) = alone(options().seed(seed)).await;
        let began = Instant::now();
        let (_, attempts) =
            tokio::join!(client.request(text("hello")), attempts(&server, began, 5));
        times.push(attempts);
    }

    assert_eq!(times[0], times[2]);
    assert!(times[0][2..].iter().zip(&times[1][2..]).all(|(one, other)| one != other));
}

//
#[tokio::test(start_paused = true)]
async fn an_empty_budget_ends_a_request_instead_of_a_repetition() {
    let (client, server) = alone(options().retry_budget(RetryBudget::new(0.5, 0.0))).await;
    // Two requests pay for one repetition.
    for n in 0..2 {
        let error = client.request(text("hello")).await.unwrap_err();
        let RequestError::RetryBudgetExhausted { attempts, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(attempts, 1 + n);
    }

    assert_eq!(client.stats().retry_budget_exhausted, 2);
    assert_eq!((client.stats().attempts, client.stats().retries), (3, 1));
    drop(server);
}
