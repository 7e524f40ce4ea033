//! Each response finds its request, and nothing else does.

use datagrammar::{
    Correlated, DatagramProtocol, LockStep, RequestClient, RequestError, Server, TaggedServer,
    Text, concurrent, tagged,
};
use tokio::time::{Instant, sleep};

use super::*;
use crate::support::{everywhere, until};

everywhere! {
    //
    async fn each_caller_gets_its_own_response(net) {
        // Later requests of a peer are answered earlier.
        let slow = concurrent(64, tagged(async |text: String| {
            let number: u64 = text.parse().unwrap();
            sleep(Duration::from_millis(30 - number % 30)).await;
            text
        }));
        let server = net.serve(Server::builder(TaggedServer::new(Text), slow)).await;
        let client = client_of(&net, &server.handle).await;

        let ask = |n: u64| {
            let client = client.clone();
            tokio::spawn(async move {
                let number = n.to_string();
                assert_eq!(within_deadline(client.request(&number)).await.unwrap(), number);
            })
        };
        for asking in (0..100).map(ask).collect::<Vec<_>>() {
            asking.await.unwrap();
        }

        let stats = client.stats();
        assert_eq!((stats.requests, stats.answered, stats.unsolicited), (100, 100, 0));
        assert!(stats.round_trips.count() > 0 && client.round_trip_times()[0].is_some());
        server.stop().await;
    }

    //
    async fn a_notification_reaches_the_handler_and_gets_no_response(net) {
        let server = echo(&net).await;
        let client = client_of(&net, &server.handle).await;

        client.notify(text("bye")).await.unwrap();

        assert_eq!(client.request(text("hello")).await.unwrap(), "hello");
        let stats = client.stats();
        assert_eq!((stats.notifications, stats.unsolicited, stats.late), (1, 0, 0));
        assert_eq!(server.handle.stats().delivered, 2);
        server.stop().await;
    }
}

//
#[tokio::test(start_paused = true)]
async fn a_late_response_answers_no_other_request() {
    let (client, server) = alone(options().total_timeout(SECOND)).await;
    let asking = client.request(text("first"));
    let (error, (first, _)) = tokio::join!(asking, request_at(&server));
    assert!(matches!(error, Err(RequestError::TimedOut { attempts: 1, .. })), "{error:?}");

    let second = async {
        let (second, _) = request_at(&server).await;
        assert_ne!(first, second);
        answer(&server, &first, "to the first").await;
        answer(&server, &second, "to the second").await;
        answer(&server, &second, "again").await;
    };
    let (response, ()) = tokio::join!(client.request(text("second")), second);

    assert_eq!(response.unwrap(), "to the second");
    until(|| client.stats().late == 2).await;
    assert_eq!(client.stats().unsolicited, 0);
}

//
#[tokio::test(start_paused = true)]
async fn what_answers_no_request_is_dropped_and_counted() {
    let (client, server) = alone(options()).await;
    let forge = async {
        let (tag, _) = request_at(&server).await;
        let mut other = tag.clone();
        other[4] ^= 1;
        answer(&server, &other, "forged").await;
        // The request itself, a one-way packet, and a datagram without a tag.
        server.send(&tag.clone().into()).await.unwrap();
        server.send(&[&[2], &tag[1..]].concat().into()).await.unwrap();
        server.send(&vec![1].into()).await.unwrap();
        answer(&server, &tag, "real").await;
    };

    let (response, ()) = tokio::join!(client.request(text("hello")), forge);

    assert_eq!(response.unwrap(), "real");
    assert_eq!((client.stats().unsolicited, client.stats().late), (4, 0));
}

//
#[tokio::test(start_paused = true)]
async fn a_response_that_does_not_decode_and_a_refusal_end_the_request() {
    let (client, server) = alone(options()).await;
    let spoil = async {
        let (tag, _) = request_at(&server).await;
        server.send(&[&[1], &tag[1..], b"\xff"].concat().into()).await.unwrap();
    };
    let (error, ()) = tokio::join!(client.request(text("hello")), spoil);
    assert!(matches!(error, Err(RequestError::Reply(_))), "{error:?}");

    let refuse = async {
        let (tag, _) = request_at(&server).await;
        server.send(&[&[3], &tag[1..]].concat().into()).await.unwrap();
    };
    let (error, ()) = tokio::join!(client.request(text("hello")), refuse);
    assert!(matches!(error, Err(RequestError::Refused)), "{error:?}");

    let stats = client.stats();
    assert_eq!((stats.decode_errors, stats.refused, stats.answered), (1, 1, 0));
}

// each forged response costs no memory
#[tokio::test(start_paused = true)]
async fn a_million_forged_responses_answer_nothing() {
    const FORGED: u32 = 1_000_000;

    let (client, server) = alone(
        options()
            .initial_timeout(1_000 * SECOND)
            .total_timeout(1_000 * SECOND)
            .max_timeout(1_000 * SECOND),
    )
    .await;
    let forge = async {
        let (tag, _) = request_at(&server).await;
        let own = u32::from_be_bytes(tag[1..].try_into().unwrap());
        for n in (0..FORGED).filter(|n| *n != own) {
            answer(&server, &[&[0][..], &n.to_be_bytes()].concat(), "forged").await;
            if n % 256 == 0 {
                tokio::task::yield_now().await;
            }
        }
        answer(&server, &tag, "real").await;
    };

    let (response, ()) = tokio::join!(client.request(text("hello")), forge);

    assert_eq!(response.unwrap(), "real");
    assert!(client.stats().unsolicited >= u64::from(FORGED) - 1);
}

//
#[tokio::test(start_paused = true)]
async fn when_all_ids_are_in_use_a_request_waits() {
    let network = Network::new(1, Conditions::default());
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let server = Client::connect(server, Raw).await.unwrap();
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = RequestClient::builder(FourIds).connect(socket).await.unwrap();
    let echo = tokio::spawn(async move {
        while let Ok(datagram) = server.recv().await {
            server.send(&datagram).await.unwrap();
        }
    });

    let began = Instant::now();
    for n in 0..4 {
        assert_eq!(client.request(vec![0, n]).await.unwrap()[1], n);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    sleep(20 * SECOND).await;
    for n in 4..8 {
        assert_eq!(client.request(vec![0, n]).await.unwrap()[1], n);
    }

    // The total time and the longest timer, in steps of a 64th.
    let waited = began.elapsed();
    assert!(waited >= 46 * SECOND && waited < 47 * SECOND, "{waited:?}");
    // A request that cannot get an id in time fails.
    let error = client.request_timeout(vec![0, 9], SECOND).await.unwrap_err();
    assert!(matches!(error, RequestError::TimedOut { attempts: 0, .. }), "{error:?}");
    echo.abort();
}

/// Bytes, of which the first is an id from 0 to 3. The response repeats the others.
struct FourIds;

impl DatagramProtocol for FourIds {
    type Incoming = Vec<u8>;
    type Outgoing = Vec<u8>;

    fn decode(&self, datagram: &[u8]) -> Result<Vec<u8>, datagrammar::DecodeError> {
        Ok(datagram.to_vec())
    }

    fn encode(
        &self,
        packet: &Vec<u8>,
        datagram: &mut Vec<u8>,
    ) -> Result<(), datagrammar::EncodeError> {
        datagram.extend(packet);
        Ok(())
    }
}

impl Correlated for FourIds {
    fn max_id(&self) -> u64 {
        3
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        assert_ne!(datagram.get(1), Some(&0xff), "a bug of the user's");
        Some(datagram.first().copied()?.into())
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        request[0] = id as u8;
    }

    fn is_answer(&self, request: &[u8], datagram: &[u8]) -> bool {
        assert_eq!(request[0], datagram[0]);
        assert_ne!(datagram[1], 0xee, "a bug of the user's");
        datagram[1..] == request[1..]
    }
}

// Q-5, H-3
#[tokio::test(start_paused = true)]
async fn a_panic_while_an_id_is_read_stops_nothing() {
    let network = Network::new(1, Conditions::default());
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let server = Client::connect(server, Raw).await.unwrap();
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = RequestClient::connect(socket, FourIds).await.unwrap();
    let answer = async {
        let request = server.recv().await.unwrap();
        server.send(&vec![request[0], 0xff].into()).await.unwrap();
        server.send(&request).await.unwrap();
    };

    let (response, ()) = tokio::join!(client.request(vec![0, 1]), answer);

    assert_eq!(response.unwrap()[1], 1);
    assert_eq!(client.stats().unsolicited, 1);
}

// Q-5, H-3
#[tokio::test(start_paused = true)]
async fn a_datagram_that_only_has_the_id_is_no_response() {
    let network = Network::new(1, Conditions::default());
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let server = Client::connect(server, Raw).await.unwrap();
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = RequestClient::connect(socket, FourIds).await.unwrap();
    let answer = async {
        let request = server.recv().await.unwrap();
        for second in [1, 0xee, request[1]] {
            server.send(&vec![request[0], second].into()).await.unwrap();
        }
    };

    let (response, ()) = tokio::join!(client.request(vec![0, 7]), answer);

    assert_eq!(response.unwrap()[1], 7);
    assert_eq!((client.stats().unsolicited, client.stats().late), (2, 0));
}

//
#[tokio::test(start_paused = true)]
async fn lock_step_has_one_request_in_flight_and_waits_after_a_loss() {
    let network = Network::new(1, Conditions::default());
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let server = Client::connect(server, Text).await.unwrap();
    let socket = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = RequestClient::connect(socket, LockStep::new(Text)).await.unwrap();
    assert_eq!(client.in_flight_limit(), 1);
    let (one, two) = (client.request(text("one")), client.request(text("two")));
    let serve = async {
        for expected in ["one", "two"] {
            assert_eq!(server.recv().await.unwrap(), expected);
            assert!(server.try_recv().is_none());
            server.send(text(expected)).await.unwrap();
        }
    };
    let began = Instant::now();
    let (one, two, ()) = tokio::join!(one, two, serve);
    assert_eq!((one.unwrap().as_str(), two.unwrap().as_str()), ("one", "two"));
    assert_eq!(began.elapsed(), Duration::ZERO);

    // The first attempt is lost. Its response may come late, so the next request waits for as long as its timer.
    let lose = async {
        server.recv().await.unwrap();
        server.recv().await.unwrap();
        server.send(text("three")).await.unwrap();
    };
    let (three, ()) = tokio::join!(client.request(text("three")), lose);
    assert_eq!(three.unwrap(), "three");
    let began = Instant::now();
    let answer = async {
        server.recv().await.unwrap();
        server.send(text("four")).await.unwrap();
    };
    let (four, ()) = tokio::join!(client.request(text("four")), answer);

    assert_eq!(four.unwrap(), "four");
    assert!(began.elapsed() >= Duration::from_millis(360), "{:?}", began.elapsed());

    // The server answers a notification too, since it cannot know better.
    assert!(server.try_recv().is_none(), "it was sent once");
    let late = client.stats().late;
    client.notify(text("five")).await.unwrap();
    let answer = async {
        assert_eq!(server.recv().await.unwrap(), "five");
        server.send(text("five")).await.unwrap();
        assert_eq!(server.recv().await.unwrap(), "six");
        server.send(text("six")).await.unwrap();
    };
    let (six, ()) = tokio::join!(client.request(text("six")), answer);
    assert_eq!((six.unwrap().as_str(), client.stats().late), ("six", late + 1));
}
