//! How many requests are answered beside a flood of datagrams that are no packets, with and without a kernel filter.
//!
//! A server on one thread echoes 20,000 requests a second. Beside them, other datagrams arrive at the same port. The
//! numbers are the share of requests that were answered, and how much of a core the server's thread has used, kernel
//! included. With `--test`, there is one short round.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use datagrammar::{Bytes, DatagramProtocol, DropReason, Prefix, Raw, Server, Udp};

const REQUESTS: f64 = 20_000.0; // a second
const JUNK: [f64; 2] = [200_000.0, 400_000.0]; // a second
/// How many sockets send each.
const SOCKETS: usize = 16;

fn main() {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let (rounds, time) = if is_test { (1, 50) } else { (9, 1_000) };
    let time = Duration::from_millis(time);
    let rates = [0.0, JUNK[0], JUNK[1]];
    let ways = [false, true].map(|filter| rates.map(|junk| (filter, junk))).concat();
    let mut measured = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for (rounds, (filter, junk)) in measured.iter_mut().zip(&ways) {
            rounds.push(round(*filter, *junk, time));
        }
    }
    println!(
        "kernel filter   other datagrams/s   really sent/s   answered: median, quartiles   of a core"
    );
    for ((filter, junk), rounds) in ways.iter().zip(measured) {
        let part = |of: fn(&Round) -> f64, quarters: usize| {
            let mut all: Vec<_> = rounds.iter().map(of).collect();
            all.sort_unstable_by(f64::total_cmp);
            all[(all.len() - 1) * quarters / 4]
        };
        let answered = |quarters| 100.0 * part(|round| round.answered, quarters);
        println!(
            "{:13}   {junk:17}   {:13.0}   {:.1} %, {:.1} to {:.1} %   {:.0} %",
            if *filter { "on" } else { "off" },
            part(|round| round.junk, 2),
            answered(2),
            answered(1),
            answered(3),
            100.0 * part(|round| round.busy, 2),
        );
    }
}

#[derive(Clone)]
struct Round {
    /// The share of requests that were answered.
    answered: f64,
    /// How many other datagrams were sent a second.
    junk: f64,
    /// The share of the time for which the thread of the server ran.
    busy: f64,
}

fn round(filter: bool, junk: f64, time: Duration) -> Round {
    let (send, started) = mpsc::channel();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let protocol = Raw.layer(Prefix::new(*b"QZ"));
            let builder = Server::builder(protocol, async |bytes: Bytes| bytes);
            let server = builder.kernel_filter(filter).bind(Udp::new("127.0.0.1:0")).await.unwrap();
            send.send((server.local_addr(), server.handle())).unwrap();
            server.serve().await.unwrap();
        });
        // Linux: the first number is the time that this thread has run, in nanoseconds.
        let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0.0)
    });
    let (addr, handle) = started.recv().unwrap();
    let (addr, serving) = (addr.socket_addr().unwrap(), Instant::now());

    let over = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU64::new(0));
    let flood = {
        let (over, sent) = (Arc::clone(&over), Arc::clone(&sent));
        thread::spawn(move || {
            let sockets = sockets(addr);
            let mut turns = sockets.iter().cycle();
            at_rate(
                junk,
                || over.load(Relaxed),
                || {
                    let _ = turns.next().unwrap().send(&[0xff; 64]);
                    sent.fetch_add(1, Relaxed);
                },
            );
        })
    };
    // Until the flood is steady.
    thread::sleep(time / 4);
    let (began, before) = (Instant::now(), sent.load(Relaxed));
    let sockets = sockets(addr);
    let (mut requests, mut answers) = (0, 0);
    let mut receive = || {
        for socket in &sockets {
            while let Ok(len) = socket.recv(&mut [0; 64]) {
                assert_eq!(len, 32);
                answers += 1;
            }
        }
    };
    let mut request = [7; 32];
    request[..2].copy_from_slice(b"QZ");
    let mut turns = sockets.iter().cycle();
    at_rate(
        REQUESTS,
        || began.elapsed() >= time,
        || {
            let _ = turns.next().unwrap().send(&request);
            requests += 1;
            if requests % 16 == 0 {
                receive();
            }
        },
    );
    let junk = (sent.load(Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    thread::sleep(Duration::from_millis(20));
    receive();
    over.store(true, Relaxed);
    flood.join().unwrap();

    let stats = handle.stats();
    assert!(!filter || stats.decode_errors == 0, "the filter lets junk in");
    assert!(junk == 0.0 || stats.decode_errors + stats.dropped(DropReason::Kernel) > 0);
    handle.begin_shutdown();
    let busy = server.join().unwrap() / serving.elapsed().as_nanos() as f64;
    Round { answered: f64::from(answers) / f64::from(requests), junk, busy }
}

fn sockets(to: SocketAddr) -> Vec<UdpSocket> {
    let socket = |_| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        socket.set_nonblocking(true).unwrap();
        let nothing = socket.recv(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        socket
    };
    (0..SOCKETS).map(socket).collect()
}

/// Calls `act` that often a second, until `is_over`.
fn at_rate(rate: f64, is_over: impl Fn() -> bool, mut act: impl FnMut()) {
    let began = Instant::now();
    let mut acted = 0.0;
    while !is_over() {
        let due = began.elapsed().as_secs_f64() * rate;
        // What is late by more than 5 ms is left out, so that there are no bursts.
        acted = f64::max(acted, due - rate / 200.0);
        while acted + 1.0 <= due {
            act();
            acted += 1.0;
        }
        thread::sleep(Duration::from_micros(100));
    }
}
