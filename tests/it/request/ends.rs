//! Requests that cannot be sent, and clients that are closed.

use datagrammar::RequestError;
use tokio::task::yield_now;

use super::*;
use crate::support::{everywhere, until};

everywhere! {
    //
    async fn closing_ends_requests_and_notifications(net) {
        let server = net.serve(Server::builder(TaggedServer::new(Text), tagged(async |text: String| {
            std::future::pending::<()>().await;
            text
        }))).await;
        let client = client_of(&net, &server.handle).await;
        let asking = tokio::spawn({
            let client = client.clone();
            async move { client.request(text("hello")).await }
        });
        until(|| server.handle.stats().delivered == 1).await;

        client.close();

        let error = within_deadline(asking).await.unwrap().unwrap_err();
        assert!(matches!(error, RequestError::Closed), "{error:?}");
        let closed = [client.request(text("hello")).await.map(drop), client.notify(text("bye")).await];
        assert!(closed.iter().all(|closed| matches!(closed, Err(RequestError::Closed))), "{closed:?}");
        assert!(client.is_closed() && client.server_addrs().is_empty() && client.local_addrs().is_empty());
        drop(server);
    }
}

//
#[tokio::test(start_paused = true)]
async fn the_socket_is_closed_with_the_last_clone() {
    let network = Network::new(1, Conditions::default());
    let connect = || network.connect("10.0.0.2:9000", "10.0.0.1:9000");
    let client = options().connect(connect().unwrap()).await.unwrap();
    let clone = client.clone();
    drop(client);
    yield_now().await;
    assert!(connect().is_err());

    drop(clone);
    yield_now().await;

    assert!(connect().is_ok());
}

//
#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_long_is_not_sent() {
    let (client, server) = alone(options()).await;

    let error = client.request("x".repeat(65_503)).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLarge { len: 65_508, max: 65_507, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the request is 65508 bytes long, the limit is 65507");
    let error = client.notify("x".repeat(65_503)).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLarge { .. }), "{error:?}");

    assert!(server.try_recv().is_none());
    assert_eq!(client.stats().requests, 0);
}

//
#[tokio::test(start_paused = true)]
async fn a_response_that_is_too_long_is_counted_and_lost() {
    let options = options().max_datagram_size(20).total_timeout(SECOND);
    let (client, server) = alone(options).await;
    let long = async {
        let (tag, _) = request_at(&server).await;
        answer(&server, &tag, &"x".repeat(100)).await;
    };

    let (error, ()) = tokio::join!(client.request(text("hello")), long);

    assert!(matches!(error, Err(RequestError::TimedOut { attempts: 1, .. })), "{error:?}");
    assert_eq!(client.stats().too_large, 1);
}

//
#[tokio::test(start_paused = true)]
async fn the_timer_begins_when_there_was_room_to_send() {
    let network = Network::new(1, Conditions::default());
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let server = Client::connect(server, Raw).await.unwrap();
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = options().connect(socket).await.unwrap();
    network.hold_sends(addr("10.0.0.2:9000"), true);
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.request(text("hello")).await }
    });
    tokio::time::sleep(5 * SECOND).await;

    network.hold_sends(addr("10.0.0.2:9000"), false);

    let (tag, _) = request_at(&server).await;
    tokio::time::sleep(SECOND / 2).await;
    assert!(server.try_recv().is_none());
    answer(&server, &tag, "yes").await;
    assert_eq!(asking.await.unwrap().unwrap(), "yes");
    assert_eq!(client.round_trip_times(), [Some(SECOND / 2)]);
    assert_eq!((client.stats().attempts, client.in_flight_limit()), (1, 64));
}

// a server that answers with as much as a datagram holds
#[tokio::test(start_paused = true)]
async fn the_longest_responses_arrive() {
    let (client, server) = alone(options()).await;
    let long = "x".repeat(65_502);
    let serve = async {
        for _ in 0..100 {
            let (tag, _) = request_at(&server).await;
            answer(&server, &tag, &long).await;
        }
    };
    let ask = async {
        for _ in 0..100 {
            assert_eq!(client.request(text("hello")).await.unwrap().len(), 65_502);
        }
    };

    tokio::join!(ask, serve);

    assert_eq!(client.stats().answered, 100);
}
