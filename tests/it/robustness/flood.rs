//! Row 7: a flood from forged addresses, 60,000 a second, beside requests of honest peers. The clock is paused, so the
//! rates do not depend on the machine.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use datagrammar::{
    BoxError, DropReason, Guard, Handler, Limits, Peer, Raw, Server, ServerStats, Text,
    testing::Network,
};
use tokio::time::{Instant, sleep, sleep_until};

use super::times;
use crate::{
    alone::{Memory, alone, paused},
    support::{Bytes, Net, client_on, within_deadline},
};

/// How many addresses are forged in each ms.
const PER_MS: u64 = 60;
/// The honest peers begin after so many, when all places are taken.
const FIRST: u64 = 18_000;
const HONEST: usize = 100;

/// Answers each packet twice, after this time, and waits for the next one.
#[derive(Clone, Copy, Debug)]
struct Twice(Duration);

impl Handler<String, String> for Twice {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        loop {
            let text = peer.recv().await?;
            if !self.0.is_zero() {
                sleep(self.0).await;
            }
            peer.send(&text).await?;
            peer.send(&text).await?;
        }
    }
}

/// What a flood did.
#[derive(Debug)]
struct Outcome {
    requests: u64,
    answered: u64,
    /// The most memory that was allocated at a time, in bytes.
    memory: isize,
    stats: ServerStats,
}

impl Outcome {
    fn print(&self, what: &str) {
        let Self { requests, answered, memory, stats } = self;
        let factor = stats.sent_bytes as f64 / stats.received_bytes as f64;
        let rss = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let rss = rss.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
        println!(
            "{what}: {answered} of {requests} answered, {} received, {} KiB allocated, {rss}, \
             {factor:.2} bytes sent for each one received, {} evicted",
            stats.received,
            memory / 1024,
            stats.evicted,
        );
    }
}

fn connect(network: &Network, addr: impl Into<SocketAddr>, server: SocketAddr) -> Bytes {
    Bytes(client_on(network.connect(addr.into(), server).unwrap(), Raw).unwrap())
}

/// Floods a server from `sources` addresses, and asks it once for each 500 of them.
async fn flood(sources: u64, handler: Twice, guard: Option<Guard>) -> Outcome {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let builder = Server::builder(Text, handler);
    let server = match guard {
        Some(guard) => net.serve(builder.guard(guard)).await,
        None => net.serve(builder).await,
    };
    let addr = server.handle.local_addrs().swap_remove(0).socket_addr().unwrap();
    let honest: Vec<_> =
        (0..HONEST).map(|n| connect(network, ([10, 0, 1, n as u8 + 1], 5_000), addr)).collect();
    let (memory, start) = (Memory::now(), Instant::now());

    let mut requests = 0;
    for n in 0..FIRST + sources {
        // Spread over all networks, as forged addresses are.
        let ip = Ipv4Addr::from((n as u32).wrapping_mul(0x9e37_79b1) & 0x1fff_ffff | 0x4000_0000);
        connect(network, (ip, 5_000), addr).send("let me in").await;
        if n % PER_MS == PER_MS - 1 {
            sleep_until(start + Duration::from_millis(n / PER_MS + 1)).await;
        }
        if n >= FIRST && n % 500 == 0 {
            honest[requests as usize % HONEST].send(format!("request {requests}")).await;
            requests += 1;
        }
    }
    sleep(Duration::from_secs(2)).await;

    let mut answered = 0;
    for peer in &honest {
        while let Ok(reply) = peer.0.recv_timeout(Duration::ZERO).await {
            assert!(reply.starts_with(b"request "));
            answered += 1;
        }
    }
    let outcome = Outcome {
        requests,
        answered: answered / 2,
        memory: memory.most_growth(),
        stats: server.handle.stats(),
    };
    within_deadline(server.handle.shutdown()).await;
    outcome
}

/// Runs a flood in a process of its own.
macro_rules! floods {
    ($($(#[$attr:meta])* $name:ident: $work:expr, $guard:expr, $check:expr;)+) => {$(
        $(#[$attr])*
        #[test]
        fn $name() {
            alone(|| paused(async {
                let sources = times("DATAGRAMMAR_SOURCES", 25_000);
                let outcome = flood(sources, Twice($work), $guard).await;
                outcome.print(stringify!($name));
                let check: fn(&Outcome) = $check;
                check(&outcome);
                // What a conversation takes, about 0.7 KiB, and what the future of its handler takes. Without
                // optimization, that is more.
                let places = Limits::default().get_max_conversations() as isize;
                assert!(outcome.memory < 4 * (places << 10), "{outcome:?}");
                assert!(outcome.stats.sent_bytes <= 3 * outcome.stats.received_bytes);
            }));
        }
    )+};
}

floods! {
    // G-4: what the guard is for
    without_a_guard_the_places_are_taken: Duration::ZERO, None, |outcome| {
        assert_eq!(outcome.answered, 0, "{outcome:?}");
        assert!(outcome.stats.dropped(DropReason::ConversationLimit) > 0);
    };
    //
    with_a_guard_each_request_is_answered: Duration::ZERO, Some(Guard::internet()), |outcome| {
        assert_eq!(outcome.answered, outcome.requests, "{outcome:?}");
        assert!(outcome.stats.evicted > 0);
    };
    // handlers that work keep their places, so not everybody finds one
    a_handler_that_works_keeps_its_place_with_a_guard_too: Duration::from_secs(1), Some(Guard::internet()), |outcome| {
        assert!(outcome.answered < outcome.requests, "{outcome:?}");
        assert!(outcome.stats.dropped(DropReason::ConversationLimit) > 0);
    };
}
