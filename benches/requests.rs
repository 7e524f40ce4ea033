//! Requests over loopback: `RequestClient` beside a loop of `send` and `recv` with a timeout on a socket of tokio,
//! with the same echo thread. The loop has no ids and no repetitions.
//!
//! Both are measured in turn, round by round. The medians and the median of the ratios are printed, for one request
//! at a time and for 16 at a time. Then the same for responses of 73 kB: in chunks, beside a thread that answers with
//! the same number of datagrams at once. With `--test`, each runs once.

use std::{
    future::Future,
    hint::black_box,
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use datagrammar::{Bytes, Chunked, Raw, RequestClient, Server, Tagged, TaggedServer, tagged};
use datagrammar_benches::quartiles;
use tokio::{task::JoinSet, time::timeout};

const PAYLOAD: [u8; 32] = [7; 32];
const ROUNDS: usize = 101;
const REQUESTS: usize = 1_600;
const AT_ONCE: usize = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = if std::env::args().any(|arg| arg == "--test") { 1 } else { ROUNDS };
    let addr = echo();
    let plain = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    plain.connect(addr).await.unwrap();
    let client = RequestClient::connect(addr, Tagged::new(Raw)).await.unwrap();

    for at_once in [1, AT_ONCE] {
        let [mut loops, mut clients, mut ratios] = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            let one = per_request(by_loop(&plain, at_once)).await;
            let other = per_request(by_client(&client, at_once)).await;
            loops.push(one);
            clients.push(other);
            ratios.push(other / one);
        }
        let [[_, one, _], [_, other, _], [low, ratio, high]] =
            [loops, clients, ratios].map(quartiles);
        println!("{at_once} at a time: loop {one:.2} µs, client {other:.2} µs");
        println!("client ÷ loop: {ratio:.3} [{low:.3}–{high:.3}]");
    }
    long_responses(rounds).await;
}

/// The length of a long response, and how many datagrams it takes.
const LONG: usize = 73_000;
const DATAGRAMS: usize = 62;
const LONG_REQUESTS: usize = 50;

/// Measures responses of 73 kB.
async fn long_responses(rounds: usize) {
    let plain = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    plain.connect(many()).await.unwrap();
    let chunked = Chunked::with_limit(500_000);
    let client = RequestClient::builder(Tagged::new(Raw)).chunked(chunked);
    let client = client.connect(long().await).await.unwrap();
    let packet = Bytes::from_static(&PAYLOAD);
    let [mut loops, mut clients, mut ratios] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let begun = Instant::now();
        let mut buffer = [0; 65_536];
        for _ in 0..LONG_REQUESTS {
            plain.send(&PAYLOAD).await.unwrap();
            for _ in 0..DATAGRAMS {
                let received = timeout(Duration::from_secs(1), plain.recv(&mut buffer)).await;
                black_box(received.unwrap().unwrap());
            }
        }
        let one = begun.elapsed().as_secs_f64() * 1e6 / LONG_REQUESTS as f64;
        let begun = Instant::now();
        for _ in 0..LONG_REQUESTS {
            assert_eq!(client.request(&packet).await.unwrap().len(), LONG);
        }
        let other = begun.elapsed().as_secs_f64() * 1e6 / LONG_REQUESTS as f64;
        loops.push(one);
        clients.push(other);
        ratios.push(other / one);
    }
    let [[_, one, _], [_, other, _], [low, ratio, high]] = [loops, clients, ratios].map(quartiles);
    println!("73 kB: {DATAGRAMS} datagrams at once {one:.0} µs, in chunks {other:.0} µs");
    println!("in chunks ÷ at once: {ratio:.2} [{low:.2}–{high:.2}]");
}

/// Starts a thread that answers each datagram with many.
fn many() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        loop {
            let (_, from) = socket.recv_from(&mut buffer).unwrap();
            for _ in 0..DATAGRAMS {
                socket.send_to(&buffer[..1_200], from).unwrap();
            }
        }
    });
    addr
}

/// Starts a server on a thread, which answers each request with 73 kB in chunks.
async fn long() -> SocketAddr {
    let (tell, told) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let response = Bytes::from(vec![7; LONG]);
            let answer = tagged(move |_: Bytes| std::future::ready(response.clone()));
            let server = Server::builder(TaggedServer::new(Raw), answer);
            let server = server.chunked(Chunked::with_limit(500_000));
            let server = server.bind("127.0.0.1:0").await.unwrap();
            tell.send(server.local_addr().socket_addr().unwrap()).unwrap();
            server.serve().await.unwrap();
        });
    });
    told.await.unwrap()
}

/// Sends `at_once` datagrams and receives as many, again and again.
async fn by_loop(socket: &tokio::net::UdpSocket, at_once: usize) {
    let mut datagram = vec![0; 5];
    datagram.extend(PAYLOAD);
    let mut buffer = [0; 65_536];
    for _ in 0..REQUESTS / at_once {
        for _ in 0..at_once {
            socket.send(&datagram).await.unwrap();
        }
        for _ in 0..at_once {
            let received = timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await;
            black_box(received.unwrap().unwrap());
        }
    }
}

/// Has `at_once` requests in flight, each in a task if there are several.
async fn by_client(client: &RequestClient<Tagged<Raw>>, at_once: usize) {
    let packet = Bytes::from_static(&PAYLOAD);
    if at_once == 1 {
        for _ in 0..REQUESTS {
            black_box(client.request(&packet).await.unwrap());
        }
        return;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (client, packet) = (client.clone(), packet.clone());
        tasks.spawn(async move {
            for _ in 0..REQUESTS / at_once {
                black_box(client.request(&packet).await.unwrap());
            }
        });
    }
    tasks.join_all().await;
}

/// The time of one request, in microseconds.
async fn per_request(requests: impl Future<Output = ()>) -> f64 {
    let begun = Instant::now();
    requests.await;
    begun.elapsed().as_secs_f64() * 1e6 / REQUESTS as f64
}

/// Starts a server on a thread, which lasts as long as the process. It answers each tagged request with the same
/// bytes.
fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).unwrap();
            buffer[0] = 1; // the kind of a response
            socket.send_to(&buffer[..len], from).unwrap();
        }
    });
    addr
}
