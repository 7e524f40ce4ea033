//! A whole server on a network in memory: what arrives, when, and what its handler does is drawn from the input.

use std::{
    cell::Cell,
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use datagrammar::{
    AddressTokens, BindError, BoxError, Chunked, Client, Guard, Handler, Limits, Overflow, Peer,
    RateLimit, Raw, RecvError, ReplyCache, Server, ServerHandle, TaggedServer, TokenSecret, tagged,
    testing::{Conditions, MemorySocket, Network},
};
use tokio::time::sleep;

const PEERS: usize = 6;
const SECRET: [u8; 16] = [7; 16];

/// Serves what the input describes. The first two bytes choose the server. Then come events: two bytes, and the bytes of a
/// datagram.
///
/// # Panics
///
/// Panics if something is not counted, or stays behind.
pub(crate) fn run(input: &[u8]) {
    let Some(([options, more], events)) = input.split_first_chunk() else { return };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made").block_on(course(*options, *more, events));
}

async fn course(options: u8, more: u8, mut events: &[u8]) {
    let network = Network::new(1, Conditions::default());
    let socket = network.bind("10.0.0.1:9000").expect("the address is free");
    let server = server(options, more, socket).await.expect("the options fit");
    let handle = server.handle();
    let is_over = Cell::new(false);
    let serving = async {
        while !is_over.get() {
            server.serve().await.expect("nothing ends it but the end");
        }
    };
    let happening = async {
        assert!(handle.ready().await);
        let mut peers = Vec::new();
        for n in 0..PEERS {
            let address = format!("10.0.0.{}:{}", 2 + n, 5_000 + n);
            let socket = network.connect(&*address, "10.0.0.1:9000").expect("the address is free");
            peers.push(Client::connect(socket, Raw).await.expect("memory can be connected"));
        }
        while let Some(([what, how], rest)) = events.split_first_chunk() {
            let datagram = &rest[..rest.len().min(usize::from(how & 31))];
            events = &rest[datagram.len()..];
            match usize::from(what & 7) {
                peer if peer < PEERS => {
                    // A client of ours reads a few datagrams; the queue of the others fills.
                    while peer < PEERS / 2 && peers[peer].try_recv().is_some() {}
                    let _ = peers[peer].send(Bytes::copy_from_slice(datagram)).await;
                }
                6 => reload(&handle, what >> 3),
                _ => end(&handle, what >> 3).await,
            }
            sleep(Duration::from_millis(
                [0, 0, 1, 7, 40, 300, 2_000, 70_000][usize::from(how >> 5)],
            ))
            .await;
        }
        is_over.set(true);
        handle.shutdown().await;
    };
    tokio::join!(serving, happening);
    let stats = handle.stats();
    assert_eq!(stats.received, stats.delivered + stats.chunks + stats.total_dropped(), "{stats}");
    assert_eq!((stats.active_conversations, stats.queued_bytes), (0, 0), "{stats}");
}

async fn server(options: u8, more: u8, socket: MemorySocket) -> Result<Server, BindError> {
    let has = |bit: u8| options & 1 << bit != 0;
    let limits = Limits::default()
        .max_queue_len(1 + usize::from(more & 7))
        .max_queue_bytes(if has(4) && has(5) { 2_001 } else { 40 })
        .max_total_queue_bytes(4_500)
        .max_conversations(1 + usize::from(more >> 3 & 3))
        .max_queue_time(has(2).then_some(Duration::from_millis(20)))
        .overflow(if has(3) { Overflow::DropOldest } else { Overflow::DropNewest });
    if has(4) {
        let function = tagged(async |packet: Bytes| {
            act(packet.first().copied().unwrap_or(0) >> 4).await;
            packet
        });
        let cache = ReplyCache::default().ttl(Duration::from_secs(1)).max_bytes(3_000);
        let mut builder =
            Server::builder(TaggedServer::new(Raw), function).limits(limits).reply_cache(cache);
        if has(5) {
            builder =
                builder.chunked(Chunked::with_limit(2_000).max_packets(2).max_packets_per_peer(1));
        }
        if has(0) {
            builder = builder.guard(Guard::internet());
        }
        return builder.bind(socket).await;
    }
    let mut builder = Server::builder(Raw, Scripted::default()).limits(limits);
    if has(0) {
        builder = builder.guard(Guard::internet());
    }
    if has(1) {
        builder = builder.rate_limit(RateLimit::per_second(20).burst(5));
    }
    if has(6) {
        let tokens = AddressTokens::new(TokenSecret::from(SECRET)).required(has(7));
        builder = builder.address_token_envelope(tokens);
    }
    builder.bind(socket).await
}

/// Changes what can be changed while the server serves.
fn reload(handle: &ServerHandle, how: u8) {
    let guard = (how & 1 != 0).then(Guard::internet);
    handle.set_guard(guard).expect("it is a valid guard");
    let time = (how & 2 != 0).then_some(Duration::from_millis(30));
    let limits =
        handle.limits().max_conversations(1 + usize::from(how >> 2 & 3)).max_queue_time(time);
    handle.set_limits(limits).expect("they are valid limits");
}

/// Ends the serving; another one follows.
async fn end(handle: &ServerHandle, how: u8) {
    let within = Duration::from_millis(u64::from(how >> 2) * 50);
    match how & 3 {
        0 => handle.shutdown().await,
        1 => drop(handle.drain(within).await),
        2 => drop(handle.graceful_shutdown(within).await),
        // An end that another one overtakes.
        _ => drop(tokio::join!(handle.drain(within), handle.graceful_shutdown(within / 2))),
    }
    assert!(handle.ready().await);
}

/// A handler that does what each byte of a packet says.
#[derive(Default)]
struct Scripted {
    put_back: AtomicUsize,
}

impl Handler<Bytes, Bytes> for Scripted {
    async fn handle(&self, peer: &mut Peer<Bytes, Bytes>) -> Result<(), BoxError> {
        loop {
            let packet = match peer.recv().await {
                Ok(packet) => packet,
                Err(RecvError::Decode(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            for act_of in packet.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
                match act_of {
                    0 => return Ok(()),
                    // Without an end, the handler would never wait.
                    1 if self.put_back.fetch_add(1, Relaxed) < 50 => peer.put_back(packet.clone()),
                    2 => peer.validate(),
                    3 | 4 => drop(peer.send(&packet).await),
                    5 => drop(peer.send(Bytes::from_static(&[0; 50])).await),
                    6 => drop(peer.recv_timeout(Duration::from_millis(10)).await),
                    7 => drop(peer.try_recv()),
                    8 => {
                        let (sender, packet) = (peer.sender(), packet.clone());
                        let sending = async move {
                            sleep(Duration::from_millis(30)).await;
                            sender.send(packet).await.map_err(Into::into)
                        };
                        let _ = peer.spawn(sending);
                    }
                    act_of => act(act_of).await,
                }
            }
        }
    }
}

/// What both handlers can do.
async fn act(act_of: u8) {
    match act_of {
        // Unlike `panic!` this is no finding.
        9 => resume_unwind(Box::new("as the input says")),
        10 => sleep(Duration::from_millis(3)).await,
        11 => sleep(Duration::from_millis(900)).await,
        12 => tokio::task::yield_now().await,
        _ => {}
    }
}
