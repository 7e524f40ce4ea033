//! One round trip of a client without async over loopback: `blocking::Client` beside a `std::net::UdpSocket`,
//! with the same echo thread. With `--test`, criterion calls each once.
//!
//! Criterion measures one after the other. Then both are measured in turn, round by round, and the medians
//! and the median of the ratios are printed: compare these numbers.

use std::{
    hint::black_box,
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;
use datagrammar::{Bytes, Raw, blocking::Client};
use datagrammar_benches::quartiles;

const PAYLOAD: [u8; 32] = [7; 32];
/// How many rounds there are, and how many round trips of each client in one round.
const ROUNDS: usize = 101;
const TRIPS: u32 = 1_000;

fn main() {
    let addr = echo();
    let plain = UdpSocket::bind("127.0.0.1:0").unwrap();
    plain.connect(addr).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let client = Client::connect(addr, Raw).unwrap();
    let mut buffer = [0; 65_536];
    let mut by_plain = || {
        plain.send(&PAYLOAD).unwrap();
        black_box(plain.recv(&mut buffer).unwrap());
    };
    let packet = Bytes::from_static(&PAYLOAD);
    let by_client = || {
        client.send(&packet).unwrap();
        black_box(client.recv_timeout(Duration::from_secs(5)).unwrap());
    };

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("round trip");
    group.bench_function("std::net::UdpSocket", |bencher| bencher.iter(&mut by_plain));
    group.bench_function("blocking::Client", |bencher| bencher.iter(by_client));
    group.finish();
    criterion.final_summary();
    if !std::env::args().any(|arg| arg == "--test") {
        compare(by_plain, by_client);
    }
}

/// Measures both in turn.
fn compare(mut by_plain: impl FnMut(), mut by_client: impl FnMut()) {
    let [mut plain, mut client, mut ratios] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let (one, other) = (trips(&mut by_plain), trips(&mut by_client));
        plain.push(one);
        client.push(other);
        ratios.push(other / one);
    }
    let [[_, plain, _], [_, client, _], [low, ratio, high]] =
        [plain, client, ratios].map(quartiles);
    println!("{ROUNDS} rounds in turn, medians: std {plain:.2} µs, client {client:.2} µs");
    println!("client ÷ std: {ratio:.3} [{low:.3}–{high:.3}]");
}

/// Returns the time of one trip, in microseconds.
fn trips(trip: &mut impl FnMut()) -> f64 {
    let begun = Instant::now();
    (0..TRIPS).for_each(|_| trip());
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(TRIPS)
}

/// Starts an echo server on a thread, which lasts as long as the process.
fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut datagram = [0; 65_536];
        loop {
            let (len, from) = socket.recv_from(&mut datagram).unwrap();
            socket.send_to(&datagram[..len], from).unwrap();
        }
    });
    addr
}
