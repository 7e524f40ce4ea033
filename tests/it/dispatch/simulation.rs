//! Simulations on a bad network, with handlers of every kind. A seed determines each simulation.

use std::{
    collections::HashSet,
    panic::resume_unwind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{
    Addr, BoxError, Handler, Limits, Peer, Raw, RecvError, Server, ServerStats, Text,
    testing::{Conditions, Network},
};
use fastrand::Rng;
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, sleep},
};

use crate::{
    robustness::times,
    support::{BindNow, Bytes, Running, client_on, everywhere, until, within_deadline},
};

const CLIENTS: usize = 5;
const REQUESTS: usize = 30;

/// One event of a simulation.
#[derive(Debug, PartialEq)]
enum Event {
    Heard { at: Instant, peer: Addr, packet: String },
    Answered { at: Instant, client: usize, packet: String },
}

/// All results of a simulation.
#[derive(Debug, PartialEq)]
struct Course {
    /// Each event with its time since the start.
    events: Vec<(Duration, String)>,
    stats: ServerStats,
    sent: u64,
    lost: u64,
}

/// A handler that chooses at random among all ways to handle a conversation.
#[derive(Clone)]
struct Moody {
    rng: Arc<Mutex<Rng>>,
    talking: Arc<Mutex<HashSet<Addr>>>,
    /// Whether a peer ever had two conversations. The handler must not panic instead, because panics of the
    /// handler are expected here.
    twice: Arc<AtomicBool>,
    events: Arc<Mutex<Vec<Event>>>,
}

/// Marks a peer as in conversation until it is dropped.
struct Talk<'a> {
    moody: &'a Moody,
    peer: Addr,
}

impl Moody {
    fn new(seed: u64) -> Self {
        Self {
            rng: Arc::new(Mutex::new(Rng::with_seed(seed))),
            talking: Arc::default(),
            twice: Arc::default(),
            events: Arc::default(),
        }
    }

    fn chance(&self, sides: u8) -> u8 {
        self.rng.lock().unwrap().u8(..sides)
    }

    fn tell(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    fn talk(&self, peer: &Addr) -> Talk<'_> {
        if !self.talking.lock().unwrap().insert(peer.clone()) {
            self.twice.store(true, Relaxed);
        }
        Talk { moody: self, peer: peer.clone() }
    }

    async fn dawdle(&self) {
        match self.chance(8) {
            0 => sleep(Duration::from_millis(u64::from(self.chance(40)))).await,
            1 => sleep(Duration::from_millis(1)).await,
            2 => yield_now().await,
            _ => {}
        }
    }

    async fn receive(&self, peer: &mut Peer<String, String>) -> Result<String, RecvError> {
        let packet = match self.chance(5) {
            0 => peer.recv_timeout(Duration::ZERO).await,
            1 => peer.recv_timeout(Duration::from_millis(u64::from(self.chance(20)))).await,
            // Drops `recv` at its await point, and calls it again.
            2 => tokio::select! {
                packet = peer.recv() => packet,
                () = sleep(Duration::from_millis(5)) => peer.recv().await,
            },
            _ => peer.recv().await,
        }?;
        let (at, addr) = (Instant::now(), peer.addr().clone());
        self.tell(Event::Heard { at, peer: addr, packet: packet.clone() });
        Ok(packet)
    }
}

impl Handler<String, String> for Moody {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let _talk = self.talk(&peer.addr().clone());
        self.dawdle().await;
        if self.chance(20) == 0 {
            return Ok(());
        }
        loop {
            let packet = self.receive(peer).await?;
            self.dawdle().await;
            peer.send(&packet).await?;
            match self.chance(16) {
                0 => return Err("a bad day".into()),
                // Unlike `panic!` this prints nothing.
                1 => resume_unwind(Box::new("a very bad day")),
                2..8 => return Ok(()),
                8 => self.dawdle().await,
                _ => {}
            }
        }
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        self.moody.talking.lock().unwrap().remove(&self.peer);
    }
}

/// Chooses the network conditions and the limits at random.
fn circumstances(rng: &mut Rng, in_order: bool) -> (Conditions, Limits) {
    let ms = Duration::from_millis;
    let conditions = Conditions::default().loss(rng.f64() * 0.3).duplicate(rng.f64() * 0.3);
    let conditions = if in_order {
        conditions
    } else {
        conditions.reorder(rng.f64()).delay(ms(0)..=ms(rng.u64(..20)))
    };
    let limits = Limits::default()
        .max_queue_len(rng.usize(1..10))
        .max_queue_bytes(rng.usize(10..100))
        .max_total_queue_bytes(rng.usize(300..2_000))
        .max_conversations(rng.usize(1..=CLIENTS))
        .max_datagram_size(rng.usize(6..10))
        .idle_timeout(Duration::from_secs(5));
    (conditions, limits)
}

/// Serves; after each of these times it shuts down and serves again.
async fn serve(server: Server, restarts: Vec<Duration>) -> Running {
    let (handle, again) = (server.handle(), server.handle());
    let serving = tokio::spawn(async move {
        for (n, time) in restarts.into_iter().enumerate() {
            let ending = async {
                sleep(time).await;
                match n % 2 {
                    0 => drop(again.graceful_shutdown(Duration::from_millis(50)).await),
                    _ => again.shutdown().await,
                }
            };
            tokio::join!(server.serve(), ending).0?;
        }
        server.serve().await
    });
    assert!(within_deadline(handle.ready()).await);
    Running { handle, serving }
}

/// One simulation: the requests with `restarts` in between, then a pause of `rest`, then the end of serving.
async fn course(
    seed: u64,
    in_order: bool,
    restarts: u8,
    rest: Duration,
) -> (Course, Vec<(Addr, String)>) {
    let mut rng = Rng::with_seed(seed);
    let (conditions, limits) = circumstances(&mut rng, in_order);
    let (network, moody) = (Network::new(rng.u64(..), conditions), Moody::new(rng.u64(..)));
    let server = Server::builder(Text, moody.clone()).limits(limits);
    let socket = network.bind("10.0.0.1:9000").unwrap();
    let times = (0..restarts).map(|_| Duration::from_millis(rng.u64(..60))).collect();
    let server = serve(server.bind_now(socket).unwrap(), times).await;
    let start = Instant::now();

    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let socket = network.connect(("10.0.0.2", 1 + client as u16), "10.0.0.1:9000").unwrap();
        let peer = Bytes(client_on(socket, Raw).unwrap());
        let (rng, moody) = (rng.fork(), moody.clone());
        clients.spawn(request(client, peer, rng, moody));
    }
    let clients = clients.join_all().await;
    sleep(rest).await;

    if rest > Duration::from_secs(60) {
        at_rest(&server.handle.stats());
    }
    let handle = server.handle.clone();
    server.stop().await;
    at_rest(&handle.stats());
    assert!(!moody.twice.load(Relaxed) && moody.talking.lock().unwrap().is_empty());
    drop(clients);
    let events = moody.events.lock().unwrap();
    let heard: Vec<_> = events.iter().filter_map(heard).collect();
    assert_eq!(handle.stats().delivered, heard.len() as u64 + handle.stats().decode_errors);
    let course = Course {
        events: events.iter().map(|event| told(event, start)).collect(),
        stats: handle.stats(),
        sent: network.sent(),
        lost: network.lost(),
    };
    (course, heard)
}

/// Sends requests at random times, and records the answers.
async fn request(client: usize, peer: Bytes, mut rng: Rng, moody: Moody) -> Bytes {
    let answers = peer.clone();
    let listening = tokio::spawn(async move {
        while let Ok(datagram) = answers.0.recv_timeout(Duration::from_secs(100)).await {
            let packet = String::from_utf8(datagram.to_vec()).unwrap();
            moody.tell(Event::Answered { at: Instant::now(), client, packet });
        }
    });
    for n in 0..REQUESTS {
        match rng.u8(..4) {
            0 => sleep(Duration::from_millis(rng.u64(..30))).await,
            1 => yield_now().await,
            _ => {}
        }
        match rng.u8(..20) {
            0 => peer.send(b"\xe9").await,
            1 => peer.send("too long for some").await,
            _ => peer.send(format!("{n:02}{}", &"......"[..rng.usize(..6)])).await,
        }
    }
    listening.await.unwrap();
    peer
}

/// G-9: the stats balance, and no conversation is left.
fn at_rest(stats: &ServerStats) {
    assert_eq!(stats.received, stats.delivered + stats.total_dropped(), "{stats:?}");
    assert_eq!((stats.active_conversations, stats.queued_bytes), (0, 0), "{stats:?}");
}

fn heard(event: &Event) -> Option<(Addr, String)> {
    match event {
        Event::Heard { peer, packet, .. } => Some((peer.clone(), packet.clone())),
        Event::Answered { .. } => None,
    }
}

fn told(event: &Event, start: Instant) -> (Duration, String) {
    match event {
        Event::Heard { at, peer, packet } => (*at - start, format!("{peer} asks {packet}")),
        Event::Answered { at, client, packet } => (*at - start, format!("{client} hears {packet}")),
    }
}

/// The seeds of one of the tests below.
fn seeds(test: u64) -> std::ops::Range<u64> {
    test * 1_000_000..test * 1_000_000 + times("DATAGRAMMAR_SEEDS", 200)
}

fn simulate(
    seed: u64,
    in_order: bool,
    restarts: u8,
    rest: Duration,
) -> (Course, Vec<(Addr, String)>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(course(seed, in_order, restarts, rest))
}

everywhere! {
    // D-8, D-12, H-4, G-9
    async fn after_a_storm_of_requests_nothing_is_left(net) {
        let moody = Moody::new(99);
        let limits = Limits::default().max_queue_len(8).max_conversations(4).idle_timeout(Duration::from_millis(200));
        let server = net.serve_text_within(limits, moody.clone()).await;

        let mut peers = JoinSet::new();
        for n in 0..8 {
            let peer = net.peer_of(&server.handle).await;
            let mut rng = Rng::with_seed(n);
            peers.spawn(async move {
                for n in 0..100 {
                    peer.send(n.to_string()).await;
                    if rng.u8(..8) == 0 {
                        sleep(Duration::from_millis(rng.u64(..5))).await;
                    }
                }
                peer
            });
        }
        let peers = peers.join_all().await;

        until(|| {
            let ServerStats { received, delivered, active_conversations, queued_bytes, .. } = server.handle.stats();
            let dropped = server.handle.stats().total_dropped();
            (received, active_conversations, queued_bytes) == (delivered + dropped, 0, 0)
        })
        .await;
        assert!(!moody.twice.load(Relaxed) && moody.talking.lock().unwrap().is_empty());
        drop(peers);
        server.stop().await;
    }
}

// D-8, D-12, D-21, H-4, G-9, G-12
#[test]
fn each_simulation_ends_with_balanced_stats_and_can_be_repeated() {
    let rest = Duration::from_secs(200);

    for seed in seeds(0) {
        let (first, _) = simulate(seed, false, 0, rest);
        let (again, _) = simulate(seed, false, 0, rest);

        assert_eq!(first, again, "seed {seed}");
    }
}

// D-8: the order of arrival
#[test]
fn on_a_network_that_keeps_the_order_each_peer_is_received_in_order() {
    for seed in seeds(1) {
        let (_, heard) = simulate(seed, true, 0, Duration::from_secs(200));

        for client in heard.iter().map(|(peer, _)| peer).collect::<HashSet<_>>() {
            let numbers =
                heard.iter().filter(|(peer, _)| peer == client).map(|(_, text)| &text[..2]);
            assert!(numbers.is_sorted(), "seed {seed}");
        }
    }
}

// L-12, G-9
#[test]
fn serving_may_end_in_the_middle_of_any_simulation() {
    for seed in seeds(2) {
        simulate(seed, false, 0, Duration::from_millis(seed % 100));
    }
}

// D-8, D-12, L-16, L-27, L-28, G-9
#[test]
fn a_server_may_restart_in_the_middle_of_any_simulation() {
    let rest = Duration::from_secs(200);

    for seed in seeds(3) {
        let restarts = 1 + (seed % 3) as u8;
        let (first, _) = simulate(seed, false, restarts, rest);
        let (again, _) = simulate(seed, false, restarts, rest);

        assert_eq!(first, again, "seed {seed}");
    }
}
