//! How many requests are answered in time, when a server gets more than it can answer.
//!
//! A server works for 1 ms on each request, on its own thread or on another one, so it can answer 1,000 a second. Clients
//! at 512 addresses send more, at a steady rate. An answer counts if it comes within a second, since a client does not wait
//! longer. The numbers are answers in time, as a share of what the server can answer. With `--test`, there is one short
//! round.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use datagrammar::{Bytes, DropReason, Limits, Raw, Server, Udp, blocking};

const WORK: Duration = Duration::from_millis(1);
const CAPACITY: f64 = 1_000.0; // requests a second
const PATIENCE: Duration = Duration::from_secs(1);
const SOCKETS: usize = 512;
const RATES: [f64; 3] = [0.9, 2.0, 10.0]; // of the capacity
const LARGE: usize = 16 << 20;

/// What a server does with requests that have waited.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    max_queue_time: Option<Duration>,
    /// Whether the handler is a `blocking::handler` with one thread. Otherwise it blocks the server.
    thread: bool,
    /// The receive buffer that is asked for, in bytes; `None` for the default of the system.
    buffer: Option<usize>,
}

const LIMIT: Option<Duration> = Some(PATIENCE);

const WAYS: [Way; 6] = [
    Way { name: "no limit", max_queue_time: None, thread: false, buffer: None },
    Way { name: "no limit, 16 MiB", max_queue_time: None, thread: false, buffer: Some(LARGE) },
    Way { name: "max_queue_time(1 s)", max_queue_time: LIMIT, thread: false, buffer: None },
    Way {
        name: "max_queue_time(1 s), 16 MiB",
        max_queue_time: LIMIT,
        thread: false,
        buffer: Some(LARGE),
    },
    Way { name: "no limit, thread", max_queue_time: None, thread: true, buffer: None },
    Way { name: "max_queue_time(1 s), thread", max_queue_time: LIMIT, thread: true, buffer: None },
];

fn main() {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let (rounds, time) = if is_test { (1, 50) } else { (3, 3_000) };
    println!(
        "{:30}  {:>9}  in time: median, quartiles   wait of these  late  kernel",
        "", "offered"
    );
    for rate in RATES {
        let mut measured = vec![Vec::new(); WAYS.len()];
        for _ in 0..rounds {
            for (rounds, way) in measured.iter_mut().zip(WAYS) {
                rounds.push(round(way, rate * CAPACITY, Duration::from_millis(time)));
            }
        }
        for (way, mut rounds) in WAYS.iter().zip(measured) {
            rounds.sort_unstable_by(|a, b| a.in_time.total_cmp(&b.in_time));
            let at = |quarters: usize| rounds[(rounds.len() - 1) * quarters / 4];
            let percent = |quarters| 100.0 * at(quarters).in_time / CAPACITY;
            let Round { wait, late, kernel, .. } = at(2);
            println!(
                "{:30}  {rate:6.1} ×   {:5.1} %, {:5.1} to {:5.1} %   {:8.1} ms  {late:5}  {kernel:5}",
                way.name,
                percent(2),
                percent(1),
                percent(3),
                1_000.0 * wait.as_secs_f64(),
            );
        }
    }
}

#[derive(Clone, Copy)]
struct Round {
    /// Answers in time per second.
    in_time: f64,
    /// The median time until they came.
    wait: Duration,
    late: u64,
    kernel: u64,
}

/// Takes 1 ms.
fn work(bytes: Bytes) -> Bytes {
    let begun = Instant::now();
    while begun.elapsed() < WORK {
        std::hint::spin_loop();
    }
    bytes
}

fn round(way: Way, rate: f64, time: Duration) -> Round {
    let (send, started) = mpsc::channel();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut udp = Udp::new("127.0.0.1:0");
            if let Some(bytes) = way.buffer {
                udp = udp.recv_buffer_size(bytes);
            }
            let limits = Limits::default().max_queue_time(way.max_queue_time);
            let server = if way.thread {
                let works = blocking::handler(work).max_threads(1);
                Server::builder(Raw, works).limits(limits).bind(udp).await
            } else {
                let works = async |bytes| work(bytes);
                Server::builder(Raw, works).limits(limits).bind(udp).await
            };
            let server = server.unwrap();
            send.send((server.local_addr(), server.handle())).unwrap();
            server.serve().await.unwrap();
        });
    });
    let (addr, handle) = started.recv().unwrap();
    let addr = addr.socket_addr().unwrap();
    let sockets: Vec<_> = (0..SOCKETS)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(addr).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .collect();

    // The first two seconds are not counted: until then, the queue grows.
    let (begun, warm) = (Instant::now(), (2 * PATIENCE).min(time));
    let mut waits = Vec::new();
    let mut hear = |all: &[UdpSocket]| {
        for socket in all {
            let mut bytes = [0; 8];
            match socket.recv(&mut bytes) {
                Ok(_) => {
                    let sent = Duration::from_nanos(u64::from_ne_bytes(bytes));
                    let (now, window) = (begun.elapsed(), warm..warm + time);
                    if window.contains(&now) && now - sent <= PATIENCE {
                        waits.push(now - sent);
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    };
    let (mut sent, mut turn) = (0_u64, 0);
    while begun.elapsed() < warm + time {
        while (sent as f64) < rate * begun.elapsed().as_secs_f64() {
            let socket = &sockets[turn % SOCKETS];
            turn += 1;
            sent += 1;
            let now = begun.elapsed().as_nanos() as u64;
            let _ = socket.send(&now.to_ne_bytes());
        }
        hear(&sockets);
        thread::sleep(Duration::from_micros(500));
    }
    let stats = handle.stats();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(handle.shutdown());
    server.join().unwrap();
    waits.sort_unstable();
    Round {
        in_time: waits.len() as f64 / time.as_secs_f64(),
        wait: waits.get(waits.len() / 2).copied().unwrap_or_default(),
        late: stats.dropped(DropReason::Late),
        kernel: stats.dropped(DropReason::Kernel),
    }
}
