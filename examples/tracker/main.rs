//! A tracker of BitTorrent over UDP (BEP 15): it tells the peers of a torrent about each other.
//!
//! ```sh
//! cargo run --example tracker --features tracker -- 127.0.0.1:6969
//! aria2c --bt-tracker=udp://127.0.0.1:6969/announce file.torrent
//! ```
//!
//! A second argument sets how many connect requests a second each address may make; the default is 500.
//!
//! `packet.rs` has the packets and the connection id, which proves the address of a client. `swarms.rs` has the peers.

pub(crate) mod packet;
pub(crate) mod swarms;

use std::{
    env,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use datagrammar::{Addr, AddressTokens, BoxError, Guard, Server, TokenSecret, with_state};
use packet::{Request, RequestBody, Response, ResponseBody, Tracker};
use swarms::{INTERVAL, Swarms};

/// A peer takes about 50 bytes, or 370 if it is alone in its torrent: 185 MB at most.
const MAX_PEERS: usize = 500_000;
const MAX_PEERS_OF_SWARM: usize = 10_000;

/// Answers a request of a client that has connected.
async fn answer(
    swarms: Arc<Mutex<Swarms>>,
    Request { transaction, body }: Request,
    from: Addr,
) -> Option<Response> {
    let ip = from.ip()?; // a socket with a path has none
    let mut swarms = swarms.lock().unwrap();
    let body = match body {
        RequestBody::Announce(announce) => match swarms.announce(&announce, ip, Instant::now()) {
            Ok((counts, peers)) => {
                ResponseBody::Announce { interval: INTERVAL.as_secs() as u32, counts, peers }
            }
            Err(error) => ResponseBody::Error(error),
        },
        RequestBody::Scrape(hashes) => {
            ResponseBody::Scrape(hashes.into_iter().map(|hash| swarms.scrape(hash, ip)).collect())
        }
    };
    Some(Response { transaction, body })
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (addr, connects) = match &args[..] {
        [addr] => (addr, 500),
        [addr, connects] => (addr, connects.parse()?),
        _ => return Err("usage: tracker ADDR:PORT [CONNECTS]".into()),
    };
    let swarms = Swarms::new(MAX_PEERS, MAX_PEERS_OF_SWARM, Instant::now());
    // Clients use an id for one minute, and a tracker accepts it for two. Without one, nobody opens a conversation.
    let tokens = AddressTokens::new(TokenSecret::generate()?)
        .lifetime(Duration::from_secs(120))
        .required(true);
    // Only connection ids go to addresses that are not proven, and they are as long as what asks for them. So they may be many:
    // the users of a mobile network share a few addresses.
    let guard = Guard::internet().reply_rate(connects).reply_burst(connects.saturating_mul(4));
    let server = Server::builder(Tracker, with_state(Arc::new(Mutex::new(swarms)), answer))
        .address_tokens(tokens)
        .guard(guard)
        .bind(addr)
        .await?;
    println!("listening on {}", server.local_addr());
    Ok(server.serve_until_signal().await?)
}
