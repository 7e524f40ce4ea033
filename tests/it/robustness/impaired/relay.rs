//! A relay between clients and a server that loses, duplicates and delays datagrams. It is a program as others: kernels
//! without `netem` cannot do it.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use tokio::{
    net::UdpSocket,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// What happens to datagrams, in both directions.
#[derive(Clone, Debug)]
pub struct Impairment {
    pub loss: f64,
    pub duplicates: f64,
    /// In milliseconds. Datagrams with different delays overtake each other.
    pub delay: Range<u64>,
}

/// It ends when it is dropped.
pub struct Relay {
    pub addr: SocketAddr,
    running: JoinHandle<()>,
}

impl Relay {
    pub async fn start(server: SocketAddr, impairment: Impairment, seed: u64) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = front.local_addr().unwrap();
        let path = Path { impairment, rng: Arc::new(Mutex::new(Rng::with_seed(seed))) };
        Self { addr, running: tokio::spawn(relay(Arc::new(front), server, path)) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.running.abort();
    }
}

#[derive(Clone)]
struct Path {
    impairment: Impairment,
    rng: Arc<Mutex<Rng>>,
}

impl Path {
    /// The delays of the copies of one datagram that arrive.
    fn copies(&self) -> Vec<Duration> {
        let Impairment { loss, duplicates, delay } = &self.impairment;
        let mut rng = self.rng.lock().unwrap();
        let copies = if rng.f64() < *duplicates { 2 } else { 1 };
        let mut delays = Vec::new();
        for _ in 0..copies {
            if rng.f64() >= *loss {
                delays.push(Duration::from_millis(rng.u64(delay.clone())));
            }
        }
        delays
    }
}

/// Each client has a socket of its own towards the server, as behind a NAT.
async fn relay(front: Arc<UdpSocket>, server: SocketAddr, path: Path) {
    let mut backs: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    // They end with this task.
    let (mut answers, mut delayed) = (JoinSet::new(), JoinSet::new());
    let mut buf = vec![0; 65_536];
    loop {
        let Ok((len, client)) = front.recv_from(&mut buf).await else { continue };
        if let Entry::Vacant(entry) = backs.entry(client) {
            let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            back.connect(server).await.unwrap();
            entry.insert(Arc::clone(&back));
            answers.spawn(relay_answers(back, Arc::clone(&front), client, path.clone()));
        }
        while delayed.try_join_next().is_some() {}
        for delay in path.copies() {
            let (back, datagram) = (Arc::clone(&backs[&client]), buf[..len].to_vec());
            delayed.spawn(async move {
                sleep(delay).await;
                let _ = back.send(&datagram).await;
            });
        }
    }
}

async fn relay_answers(
    back: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    client: SocketAddr,
    path: Path,
) {
    let mut delayed = JoinSet::new();
    let mut buf = vec![0; 65_536];
    loop {
        let Ok(len) = back.recv(&mut buf).await else { continue };
        while delayed.try_join_next().is_some() {}
        for delay in path.copies() {
            let (front, datagram) = (Arc::clone(&front), buf[..len].to_vec());
            delayed.spawn(async move {
                sleep(delay).await;
                let _ = front.send_to(&datagram, client).await;
            });
        }
    }
}
