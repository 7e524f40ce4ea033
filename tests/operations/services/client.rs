//! A request client as a service.

use std::{
    pin::pin,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    task::Waker,
    time::Duration,
};

use datagrammar::{
    BoxError, RequestClient, RequestError, Tagged, TaggedServer, tagged, tower::service,
};
use tokio::time::{Instant, sleep};
use tower::{ServiceBuilder, ServiceExt, retry::Policy, service_fn, timeout::error::Elapsed};

use super::*;

type Requests = RequestClient<Tagged<Text>>;

/// A server that works for the time that a request names, in milliseconds, and a client with such a window.
async fn requests(max_in_flight: usize) -> (Network, ServerHandle, Requests) {
    let network = Network::new(1, Conditions::default());
    let work = service_fn(async |text: String| {
        sleep(Duration::from_millis(text.parse()?)).await;
        Ok::<_, BoxError>(text)
    });
    let handler = datagrammar::concurrent(64, tagged(service(work)));
    let socket = network.bind(SERVER).unwrap();
    let server = Server::bind(socket, TaggedServer::new(Text), handler).await.unwrap();
    let handle = server.handle();
    server.spawn();
    let socket = network.connect("10.0.0.2:0", SERVER).unwrap();
    let client = RequestClient::builder(Tagged::new(Text))
        .max_in_flight(max_in_flight)
        .total_timeout(Duration::from_secs(10))
        .connect(socket)
        .await
        .unwrap();
    (network, handle, client)
}

fn is_ready(client: &mut Requests) -> bool {
    client.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready()
}

// O-46
#[tokio::test(start_paused = true)]
async fn it_is_ready_when_the_window_has_room_and_reserves_the_place() {
    let (_network, handle, client) = requests(1).await;
    let (mut one, mut two) = (client.clone(), client.clone());
    assert!(is_ready(&mut one) && is_ready(&mut one));
    assert!(!is_ready(&mut two));

    // The place is that of the call, so there is no other one to wait for.
    let response = one.call("50".to_owned());
    assert!(!is_ready(&mut two) && !is_ready(&mut one));
    assert_eq!(within_deadline(response).await.unwrap(), "50");

    // They have waited in a line.
    assert!(is_ready(&mut two) && !is_ready(&mut one));
    drop(two);
    within_deadline(one.ready()).await.unwrap();
    assert_eq!(within_deadline(one.call("1".to_owned())).await.unwrap(), "1");
    assert_eq!(handle.stats().delivered, 2);

    // A client that is dropped gives back the place that it has reserved.
    within_deadline(one.ready()).await.unwrap();
    let mut three = client.clone();
    assert!(!is_ready(&mut three));
    drop(one);
    assert!(is_ready(&mut three));
}

// O-46
#[tokio::test(start_paused = true)]
async fn the_one_that_waits_is_woken() {
    let (_network, _, client) = requests(1).await;
    let begun = Instant::now();

    let both = async {
        tokio::join!(
            client.clone().oneshot("500".to_owned()),
            client.clone().oneshot("1".to_owned()),
        )
    };
    let (one, two) = within_deadline(both).await;

    assert_eq!((one.unwrap(), two.unwrap()), ("500".to_owned(), "1".to_owned()));
    assert!(begun.elapsed() >= Duration::from_millis(501));
}

// O-46
#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_frees_its_place_and_a_call_without_one_waits() {
    let (_network, _, mut client) = requests(1).await;
    within_deadline(client.ready()).await.unwrap();
    let mut first = Box::pin(client.call("100000".to_owned()));
    let mut second = pin!(client.call("1".to_owned()));
    for _ in 0..3 {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
    }

    drop(first);

    assert_eq!(within_deadline(second).await.unwrap(), "1");
    assert!(is_ready(&mut client));
}

// O-46
#[tokio::test(start_paused = true)]
async fn a_client_that_is_closed_is_never_ready() {
    let (_network, _, client) = requests(1).await;
    let (mut one, mut two) = (client.clone(), client.clone());
    assert!(is_ready(&mut one));
    let waits = tokio::spawn(async move { two.ready().await.map(drop) });
    tokio::task::yield_now().await;

    client.close();

    let closed = within_deadline(waits).await.unwrap();
    assert!(matches!(closed, Err(RequestError::Closed)), "{closed:?}");
    let late = within_deadline(one.call("1".to_owned())).await;
    assert!(matches!(late, Err(RequestError::Closed)), "{late:?}");
    let again = within_deadline(one.ready()).await.map(drop);
    assert!(matches!(again, Err(RequestError::Closed)), "{again:?}");
}

// O-46
#[tokio::test(start_paused = true)]
async fn layers_of_tower_work_in_front_of_it() {
    /// Makes a new request after a timeout, up to three times.
    #[derive(Clone)]
    struct Again(u32);

    static REQUESTS: AtomicU32 = AtomicU32::new(0);

    impl Policy<String, String, RequestError> for Again {
        type Future = Ready<()>;

        fn retry(
            &mut self,
            request: &mut String,
            result: &mut Result<String, RequestError>,
        ) -> Option<Ready<()>> {
            let again = matches!(result, Err(RequestError::TimedOut { .. })) && self.0 > 0;
            self.0 = self.0.saturating_sub(1);
            if self.0 == 0 {
                "5".clone_into(request);
            }
            again.then(|| ready(()))
        }

        fn clone_request(&mut self, request: &String) -> Option<String> {
            REQUESTS.fetch_add(1, SeqCst);
            Some(request.clone())
        }
    }

    let (_network, _, client) = requests(8).await;
    let begun = Instant::now();
    let slow = ServiceBuilder::new()
        .timeout(Duration::from_secs(2))
        .service(client.clone())
        .oneshot("100000".to_owned());
    let error = within_deadline(slow).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert_eq!(begun.elapsed().as_secs(), 2);

    let stack = ServiceBuilder::new().buffer(4).retry(Again(3)).service(client.clone());
    let answer = within_deadline(stack.oneshot("100000".to_owned())).await.unwrap();
    assert_eq!((&*answer, REQUESTS.load(SeqCst)), ("5", 4));
    assert_eq!(begun.elapsed().as_secs(), 2 + 3 * 10);
    assert_eq!(client.stats().timed_out, 3);
}
