//! Packets of every length.

use std::sync::Mutex;

use datagrammar::{BoxError, ErrorKind, Handler, LockStep, Peer, RequestError, SendError};

use super::*;

/// Answers each request with what it asks for, and remembers the peers in conversations.
struct Conversation;

impl Handler<TaggedRequest<String>, TaggedResponse<String>> for Conversation {
    async fn handle(
        &self,
        peer: &mut Peer<TaggedRequest<String>, TaggedResponse<String>>,
    ) -> Result<(), BoxError> {
        loop {
            let request = peer.recv().await?;
            peer.send(request.respond(wanted(&request))).await?;
        }
    }
}

/// Requests and responses at the borders, and much longer ones.
const LENGTHS: [usize; 9] =
    [20, SHORT, SHORT + 1, 2 * CHUNK - 5, 2 * CHUNK - 4, 11 * CHUNK - 5, 12_000, 73_000, LIMIT - 5];

async fn ask_for_all(client: &TextClient) {
    for len in LENGTHS {
        for length in [20, SHORT + 1, len] {
            for (request, wanted) in [(request(len, length), length), (request(length, len), len)] {
                let response = within_deadline(client.request(&request)).await.unwrap();
                assert_eq!(response, text(wanted), "{} bytes ask for {wanted}", request.len());
            }
        }
    }
}

everywhere! {
    //
    async fn functions_receive_and_send_packets_of_every_length(net) {
        let answer = tagged(async |request: String| wanted(&request));
        let server = net.serve(server(answer)).await;
        let client = connect(&net, &server.handle, options()).await;

        ask_for_all(&client).await;

        let stats = client.stats();
        assert_eq!((stats.answered, stats.unsolicited), (6 * LENGTHS.len() as u64, 0), "{stats}");
        assert_eq!(server.handle.stats().incomplete, 0);
        stop(server).await;
    }

    //
    async fn conversations_receive_and_send_packets_of_every_length(net) {
        let server = net.serve(server(Conversation)).await;
        let client = connect(&net, &server.handle, options()).await;

        ask_for_all(&client).await;

        assert_eq!(client.stats().answered, 6 * LENGTHS.len() as u64);
        assert!(server.handle.stats().delivered >= 6 * LENGTHS.len() as u64);
        stop(server).await;
    }

    //
    async fn requests_in_flight_get_their_own_long_responses(net) {
        let answer = tagged(async |request: String| wanted(&request));
        let server = net.serve(server(answer)).await;
        let client = connect(&net, &server.handle, options().max_in_flight(8)).await;

        let ask = |n: usize| {
            let client = client.clone();
            tokio::spawn(async move {
                let wanted = 1_000 * (n + 1);
                let request = request(20_000 - 200 * n, wanted);
                assert_eq!(within_deadline(client.request(request)).await.unwrap(), text(wanted));
            })
        };
        for asking in (0..40).map(ask).collect::<Vec<_>>() {
            asking.await.unwrap();
        }

        stop(server).await;
    }
}

/// Answers with a packet that is one byte too long, and then with a short one.
struct TooLong(Arc<Mutex<Option<SendError>>>);

impl Handler<TaggedRequest<String>, TaggedResponse<String>> for TooLong {
    async fn handle(
        &self,
        peer: &mut Peer<TaggedRequest<String>, TaggedResponse<String>>,
    ) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        let error = peer.send(request.respond(text(LIMIT - 4))).await.unwrap_err();
        *self.0.lock().unwrap() = Some(error);
        peer.send(request.respond("shorter".to_owned())).await?;
        Ok(())
    }
}

// Q-13, S-6
#[tokio::test(start_paused = true)]
async fn a_packet_that_is_longer_than_the_limit_is_an_error_with_both_numbers() {
    let net = Net::memory();
    let errors = Arc::default();
    let server = net.serve(server(TooLong(Arc::clone(&errors)))).await;
    let client = connect(&net, &server.handle, options()).await;

    let error = client.request(text(LIMIT - 4)).await.unwrap_err();
    assert!(
        matches!(error, RequestError::TooLarge { len, max, .. } if (len, max) == (LIMIT + 1, LIMIT)),
        "{error:?}"
    );

    assert_eq!(client.request(text(LIMIT - 5)).await.unwrap(), "shorter");
    let error = errors.lock().unwrap().take().unwrap();
    assert!(
        matches!(error, SendError::TooLarge { len, max, .. } if (len, max) == (LIMIT + 1, LIMIT)),
        "{error:?}"
    );
    stop(server).await;
}

/// Pushes a long packet after the reply.
struct Twice(Arc<Mutex<Option<SendError>>>);

impl Handler<TaggedRequest<String>, TaggedResponse<String>> for Twice {
    async fn handle(
        &self,
        peer: &mut Peer<TaggedRequest<String>, TaggedResponse<String>>,
    ) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        peer.send(request.respond(text(10_000))).await?;
        let error = peer.send(request.respond(text(SHORT + 1))).await.unwrap_err();
        *self.0.lock().unwrap() = Some(error);
        peer.send(request.respond(text(SHORT))).await?;
        Ok(())
    }
}

//
#[tokio::test(start_paused = true)]
async fn only_the_first_reply_to_a_request_is_sent_in_chunks() {
    let (net, error) = (Net::memory(), Arc::default());
    let server = net.serve(server(Twice(Arc::clone(&error)))).await;
    let client = connect(&net, &server.handle, options()).await;

    assert_eq!(client.request(text(10)).await.unwrap(), text(10_000));

    let error = error.lock().unwrap().take().unwrap();
    assert!(
        matches!(error, SendError::TooLarge { len, max, .. } if (len, max) == (SHORT + 6, 1_199)),
        "{error:?}"
    );
    until(|| client.stats().late == 1).await;
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn a_long_one_way_packet_is_one_datagram() {
    let (net, lengths) = (Net::memory(), Arc::new(AtomicUsize::new(0)));
    let count = async |lengths: Arc<AtomicUsize>, text: String| {
        lengths.store(text.len(), Relaxed);
        text
    };
    let server = net.serve(server(tagged(with_state(Arc::clone(&lengths), count)))).await;
    let client = connect(&net, &server.handle, options()).await;

    client.notify(text(60_000)).await.unwrap();
    until(|| lengths.load(Relaxed) == 60_000).await;

    let error = client.notify(text(65_502)).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLarge { len: 65_507, max: 65_506, .. }), "{error:?}");
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn both_sides_must_use_it() {
    let net = Net::memory();
    let answer = || tagged(async |request: String| wanted(&request));
    let plain = net.serve(Server::builder(TaggedServer::new(Text), answer())).await;
    let client = connect(&net, &plain.handle, options().total_timeout(SECOND)).await;
    assert!(matches!(client.request(text(5_000)).await, Err(RequestError::TimedOut { .. })));
    assert!(plain.handle.stats().decode_errors > 0);
    plain.stop().await;

    let net = Net::memory();
    let chunked = net.serve(server(answer())).await;
    let plain = RequestClient::builder(Tagged::new(Text)).total_timeout(SECOND);
    let client = connect(&net, &chunked.handle, plain).await;
    assert!(matches!(client.request(request(20, 20)).await, Err(RequestError::TimedOut { .. })));
    assert!(chunked.handle.stats().decode_errors > 0);
    stop(chunked).await;
}

// a response that does not decode ends its request
#[tokio::test(start_paused = true)]
async fn a_long_response_that_does_not_decode_is_an_error() {
    let net = Net::memory();
    let bytes = tagged(async |_: String| datagrammar::Bytes::from(vec![0xff; 5_000]));
    let protocol = TaggedServer::new(datagrammar::Split::new(Text, datagrammar::Raw));
    let server = Server::builder(protocol, bytes).chunked(Chunked::with_limit(LIMIT));
    let server = net.serve(server).await;
    let client = connect(&net, &server.handle, options()).await;

    let error = client.request(text(10)).await.unwrap_err();

    assert!(
        matches!(&error, RequestError::Reply(error) if error.kind() == ErrorKind::Codec),
        "{error:?}"
    );
    stop(server).await;
}

// without ids, the bytes tell requests apart
#[tokio::test(start_paused = true)]
async fn long_requests_with_the_same_id_are_others() {
    let (net, calls) = (Net::memory(), Arc::new(AtomicUsize::new(0)));
    let count = async |calls: Arc<AtomicUsize>, request: String| {
        calls.fetch_add(1, Relaxed);
        wanted(&request)
    };
    let server = Server::builder(LockStep::new(Text), with_state(Arc::clone(&calls), count));
    let server = net.serve(server.chunked(Chunked::with_limit(LIMIT))).await;
    let Net::Memory(network) = &net else { unreachable!() };
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    let client = RequestClient::builder(LockStep::new(Text)).chunked(Chunked::with_limit(LIMIT));
    let client = client.connect(network.connect("10.0.0.3:0", addr).unwrap()).await.unwrap();

    for (n, wanted) in [30_000, 20, 40_000, 5_000].into_iter().enumerate() {
        let response = client.request(request(20_000 + n, wanted)).await.unwrap();
        assert_eq!(response, text(wanted));
    }

    assert_eq!(calls.load(Relaxed), 4);
    stop(server).await;
}

everywhere! {
    // no loss, so no timer
    async fn without_loss_no_timer_is_needed(net) {
        let answer = tagged(async |request: String| wanted(&request));
        let server = net.serve(server(answer)).await;
        let client = connect(&net, &server.handle, options().min_timeout(5 * SECOND)).await;

        for _ in 0..3 {
            let request = request(100_000, 100_000);
            assert_eq!(within_deadline(client.request(&request)).await.unwrap(), text(100_000));
        }

        // The kernel may drop datagrams of a flight on loopback.
        if matches!(net, Net::Memory(_)) || !net.loses() {
            let stats = client.stats();
            assert_eq!((stats.resumed, stats.retries), (0, 0), "{stats}");
        }
        stop(server).await;
    }

    // many long requests of one client
    async fn long_requests_of_one_client_do_not_push_each_other_out(net) {
        let answer = tagged(async |request: String| wanted(&request));
        let server = net.serve(server(answer)).await;
        let client = connect(&net, &server.handle, options()).await;

        let ask = |n: usize| {
            let client = client.clone();
            tokio::spawn(async move {
                let request = request(LIMIT - 100 - n, 100 + n);
                assert_eq!(within_deadline(client.request(request)).await.unwrap(), text(100 + n));
            })
        };
        for asking in (0..20).map(ask).collect::<Vec<_>>() {
            asking.await.unwrap();
        }

        assert_eq!(server.handle.stats().incomplete, 0);
        stop(server).await;
    }
}

/// Begins an exchange with a packet that would be sent in chunks.
struct Asks;

impl Handler<TaggedRequest<String>, TaggedResponse<String>> for Asks {
    async fn handle(
        &self,
        peer: &mut Peer<TaggedRequest<String>, TaggedResponse<String>>,
    ) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        let error = peer.exchange(request.respond(text(SHORT + 1))).await.unwrap_err();
        peer.send(request.respond(error.to_string())).await?;
        Ok(())
    }
}

//
#[tokio::test(start_paused = true)]
async fn the_packet_of_an_exchange_must_fit_into_one_datagram() {
    let net = Net::memory();
    let server = net.serve(server(Asks)).await;
    let client = connect(&net, &server.handle, options()).await;

    let error = client.request(text(10)).await.unwrap();

    assert!(error.contains("1200") && error.contains("1199"), "{error}");
    stop(server).await;
}
