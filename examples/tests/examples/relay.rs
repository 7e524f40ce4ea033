//! A relay that loses 30 % of the datagrams in each direction, and duplicates 20 % of the others.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{net::UdpSocket, task::JoinHandle};

/// A relay before a server. Each client has a port of its own towards the server.
pub(crate) struct Relay {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// Starts a relay to `server`. What it loses depends on `seed`.
    pub(crate) async fn start(server: SocketAddr, seed: u64) -> Self {
        let inside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let addr = inside.local_addr().unwrap();
        let fate = Arc::new(Mutex::new(seed));
        let task = tokio::spawn(async move {
            let mut flows: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let mut buffer = vec![0; 65_536];
            loop {
                let Ok((len, client)) = inside.recv_from(&mut buffer).await else { continue };
                let outside = match flows.get(&client) {
                    Some(outside) => Arc::clone(outside),
                    None => {
                        let outside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                        outside.connect(server).await.unwrap();
                        let (inside, fate) = (Arc::clone(&inside), Arc::clone(&fate));
                        tokio::spawn(back(Arc::clone(&outside), inside, client, fate));
                        flows.insert(client, Arc::clone(&outside));
                        outside
                    }
                };
                for _ in 0..copies(&fate) {
                    let _ = outside.send(&buffer[..len]).await;
                }
            }
        });
        Self { addr, task }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Relays the responses of one flow.
async fn back(
    outside: Arc<UdpSocket>,
    inside: Arc<UdpSocket>,
    client: SocketAddr,
    fate: Arc<Mutex<u64>>,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok(len) = outside.recv(&mut buffer).await else { continue };
        for _ in 0..copies(&fate) {
            let _ = inside.send_to(&buffer[..len], client).await;
        }
    }
}

/// How many copies of the next datagram are sent.
fn copies(fate: &Mutex<u64>) -> usize {
    let mut state = fate.lock().unwrap();
    let mut draw = || {
        // xorshift64*
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    };
    let percent = |draw: u64| (draw * 100) >> 32;
    match (percent(draw()), percent(draw())) {
        (0..30, _) => 0,
        (_, 0..20) => 2,
        _ => 1,
    }
}
