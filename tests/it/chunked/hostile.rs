//! Parts that a peer makes up.

use datagrammar::{
    Raw,
    testing::{Conditions, Network},
};

use super::*;
use crate::support::{Bytes, client_on};

/// A chunk: `kind` 1, or 2 if it asks.
fn chunk(kind: u8, id: u64, number: u32, index: u16, last: u16, bytes: &[u8]) -> Vec<u8> {
    let (index, last) = (index.to_be_bytes(), last.to_be_bytes());
    [&[kind], &id.to_be_bytes()[..], &number.to_be_bytes(), &index, &last, bytes].concat()
}

/// A list of chunks that are missing.
fn missing(id: u64, number: u32, ranges: &[(u16, u16)]) -> Vec<u8> {
    let ranges = ranges.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat());
    [&[3], &id.to_be_bytes()[..], &number.to_be_bytes()]
        .concat()
        .into_iter()
        .chain(ranges)
        .collect()
}

/// The packet of a request with the id 7, as `Tagged` encodes it.
fn packet(text: &str) -> Vec<u8> {
    [b"\0\0\0\0\x07", text.as_bytes()].concat()
}

struct Calls(Arc<AtomicUsize>);

async fn start(net: &Net) -> (Running, Bytes, Calls) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = async |calls: Arc<AtomicUsize>, request: String| {
        calls.fetch_add(1, Relaxed);
        wanted(&request)
    };
    let server = net.serve(server(tagged(with_state(Arc::clone(&calls), count)))).await;
    let peer = net.peer_of(&server.handle).await;
    (server, peer, Calls(calls))
}

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// How many datagrams were dropped as parts.
fn refused(server: &Running) -> u64 {
    server.handle.stats().dropped(DropReason::Chunk)
}

everywhere! {
    //
    async fn parts_that_are_malformed_or_lie_are_dropped_and_counted(net) {
        let (server, peer, calls) = start(&net).await;
        let long = [7; 600];
        let bad = [
            vec![1],
            vec![3; 13],
            chunk(1, 7, 1, 0, 0, &long),
            chunk(1, 7, 1, 5, 4, &long),
            chunk(1, 7, 1, 0, 4, &long[..511]),
            chunk(1, 7, 1, 4, 4, &[]),
            // 65,535 * 600 bytes.
            chunk(2, 7, 1, 0, u16::MAX, &long),
            missing(7, 1, &[(0, 0)]),
            missing(7, 1, &[(1, 0)]),
        ];
        for datagram in &bad {
            peer.send(datagram).await;
        }
        let all = bad.len() as u64;
        until(|| refused(&server) == all).await;

        // A request whose id is another one than that of its chunks.
        let request = packet(&text(1_000));
        peer.send(chunk(1, 8, 1, 0, 1, &request[..600])).await;
        peer.send(chunk(1, 8, 1, 1, 1, &request[600..])).await;
        until(|| refused(&server) == all + 1).await;

        assert_eq!((calls.count(), server.handle.stats().decode_errors), (0, 0));
        assert!(peer.hears_nothing().await);
        stop(server).await;
    }

    // the vectors of the page of `Chunked`, over every transport
    async fn a_peer_can_speak_the_format_by_hand(net) {
        let (server, peer, calls) = start(&net).await;
        let request = packet(&request(1_400, 1_300));
        let part = |kind, index: u16| {
            let at = 600 * usize::from(index);
            chunk(kind, 7, 9, index, 2, &request[at..request.len().min(at + 600)])
        };
        peer.send(part(2, 2)).await;
        assert_eq!(peer.recv().await, missing(7, 9, &[(0, 1)]));
        // The last chunk has 205 bytes more than its header, so its answer may have 52 ranges.
        peer.send(part(1, 0)).await;
        peer.send(part(2, 0)).await;
        assert_eq!(peer.recv().await, missing(7, 9, &[(1, 1)]));
        peer.send(part(1, 1)).await;

        let first = peer.recv().await;
        let second = peer.recv().await;
        assert_eq!((first.len(), second.len()), (1_200, 17 + 1_305 - CHUNK));
        assert_eq!((first[0], &first[1..9], &first[13..17]), (1, &7_u64.to_be_bytes()[..], &[0, 0, 0, 1][..]));
        let response = [&first[17..], &second[17..]].concat();
        assert_eq!(&response[..5], b"\x01\0\0\0\x07");
        assert_eq!(&response[5..], text(1_300).as_bytes());

        // A chunk again: the same reply, if it asks for that.
        peer.send(part(1, 1)).await;
        peer.send(part(2, 1)).await;
        assert_eq!((peer.recv().await, peer.recv().await), (first.clone(), second.clone()));
        let number = u32::from_be_bytes(first[9..13].try_into().unwrap());
        peer.send(missing(7, number, &[(1, u16::MAX)])).await;
        assert_eq!(peer.recv().await, second);
        assert_eq!(calls.count(), 1);
        until(|| server.handle.stats().dropped(DropReason::Duplicate) == 3).await;
        stop(server).await;
    }
}

// nobody can use a server to multiply traffic
#[tokio::test(start_paused = true)]
async fn a_list_is_never_longer_than_the_chunk_that_asks() {
    let net = Net::memory();
    let (server, peer, _) = start(&net).await;
    // Every second chunk of 100.
    for index in (0..100).step_by(2) {
        peer.send(chunk(1, 7, 1, index, 100, &[7; 600])).await;
    }
    let asking = chunk(2, 7, 1, 100, 100, &[7; 8]);
    peer.send(&asking).await;

    let list = peer.recv().await;

    assert!(list.len() <= asking.len());
    assert_eq!(list, missing(7, 1, &[(1, 1), (3, 3), (5, 5)]));
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn a_flood_of_first_chunks_takes_no_more_than_the_limits_and_others_are_served() {
    let network = Network::new(1, Conditions::default());
    let net = Net::Memory(network.clone());
    let (server, _, _) = start(&net).await;
    let client = connect(&net, &server.handle, options()).await;
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();

    for flood in 0..20 {
        for peer in 0..200_u8 {
            let local = format!("10.1.{flood}.{peer}:5000");
            let peer = Bytes(client_on(network.connect(local, addr).unwrap(), Raw).unwrap());
            peer.send(chunk(1, 7, 1, 0, 9, &[7; 600])).await;
        }
        let wanted = 5_000;
        assert_eq!(client.request(request(20_000, wanted)).await.unwrap(), text(wanted));
    }

    let stats = server.handle.stats();
    assert!(stats.incomplete >= 4_000 - 1_024, "{stats}");
    assert_eq!((client.stats().resumed, client.stats().retries), (0, 0));
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn chunks_that_nobody_waits_for_are_counted_and_cost_nothing() {
    let network = Network::new(1, Conditions::default());
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let server = Bytes(client_on(server, Raw).unwrap());
    let client = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = options().total_timeout(SECOND).connect(client).await.unwrap();

    for id in 0..10_000 {
        server.send(chunk(1, id, 1, 0, 1, &[7; 600])).await;
        if id % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    server.send(missing(7, 1, &[(0, 1)])).await;
    server.send(vec![1, 2, 3]).await;
    until(|| client.stats().unsolicited == 10_002).await;

    // A forged chunk with the id of a request does not end it, and neither does one that lies.
    let asking = client.request(text(10));
    let forge = async {
        let request = server.recv().await;
        let id = u32::from_be_bytes(request[2..6].try_into().unwrap()).into();
        server.send(chunk(1, id, 1, 0, 3, &[7; 600])).await;
        server.send(chunk(1, id, 1, 1, 4, &[7; 600])).await;
        server.send(chunk(1, id, 2, 0, 1, &[7; 600])).await;
        server.send(chunk(1, id, 2, 1, 1, &[7; 600])).await;
        let whole = [b"\0\x01", &request[2..6], b"right"].concat();
        server.send(whole).await;
    };
    let (response, ()) = tokio::join!(asking, forge);
    assert_eq!(response.unwrap(), "right");
}

//
#[tokio::test(start_paused = true)]
async fn a_reply_that_the_cache_has_forgotten_is_not_completed() {
    let net = Net::memory();
    let answer = tagged(async |request: String| wanted(&request));
    // Room for one of the longest replies.
    let cache = datagrammar::ReplyCache::default().max_bytes(LIMIT + 1_024);
    let server = net.serve(server(answer).reply_cache(cache)).await;
    let peer = net.peer_of(&server.handle).await;
    let mut lists = Vec::new();
    for id in [7, 8] {
        let request = [&[0, 0, 0, 0, 0, id], &b"150000 "[..]].concat();
        peer.send(request).await;
        let mut last = Vec::new();
        for _ in 0..10 {
            last = peer.recv().await;
        }
        if id == 7 {
            let list = [&[3], &last[1..13], &[0, 10, 0, 10]].concat();
            peer.send(&list).await;
            assert_eq!(peer.recv().await.len(), 1_200);
            lists.push(list);
        }
    }

    // The second reply has taken the place of the first one.
    peer.send(&lists[0]).await;

    until(|| refused(&server) == 1).await;
    assert!(peer.hears_nothing().await);
    assert_eq!(server.handle.stats().reply_cache_evictions, 1);
    stop(server).await;
}

//
#[tokio::test(start_paused = true)]
async fn an_incomplete_request_ends_although_nothing_else_arrives() {
    let net = Net::memory();
    let (server, peer, calls) = start(&net).await;
    let chunk = chunk(1, 7, 1, 0, 9, &[7; 600]);
    peer.send(&chunk).await;
    until(|| server.handle.stats().chunks == 1).await;

    tokio::time::sleep(Duration::from_millis(2_900)).await;
    assert_eq!(server.handle.stats().incomplete, 0);
    tokio::time::sleep(Duration::from_millis(200)).await;

    assert_eq!((server.handle.stats().incomplete, calls.count()), (1, 0));
    stop(server).await;
}

// a chunk of a lock-step request cannot be mistaken for one of the next request
#[tokio::test(start_paused = true)]
async fn chunks_of_the_last_response_do_not_become_the_next_one() {
    let network = Network::new(
        1,
        Conditions::default().delay(Duration::from_millis(20)..=Duration::from_millis(20)),
    );
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let server = Bytes(client_on(server, Raw).unwrap());
    let client = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let client = RequestClient::builder(datagrammar::LockStep::new(Text))
        .chunked(Chunked::with_limit(LIMIT))
        .connect(client)
        .await
        .unwrap();
    let part = |index, byte| chunk(1, 0, 1, index, 1, &[byte; 600]);

    let serve = async {
        assert_eq!(server.recv().await, b"\0first");
        for index in [0, 1] {
            server.send(part(index, b'a')).await;
        }
        // The same again, as if the network had duplicated them.
        for index in [0, 1] {
            server.send(part(index, b'a')).await;
        }
        assert_eq!(server.recv().await, b"\0second");
        server.send(b"\0right").await;
    };
    let ask = async {
        assert_eq!(client.request("first".to_owned()).await.unwrap(), "a".repeat(1_200));
        assert_eq!(client.request("second".to_owned()).await.unwrap(), "right");
    };
    tokio::join!(serve, ask);
}
