//! How much memory peers can make a server hold. Other tests allocate too, so it is counted in a process where no
//! other test runs.

mod counting;
mod requests;

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
    time::Duration,
};

pub use counting::Memory;
use counting::{KIB, MIB};
use datagrammar::{
    BoxError, Client, ClientBuilder, DatagramProtocol, DropReason, Handler, IntoHandler, Peer, Raw,
    Server, ServerHandle, Udp,
    testing::{Conditions, Network},
};
use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{sleep, timeout},
};

use super::alone;

type Bytes = <Raw as DatagramProtocol>::Incoming;

const SERVER: &str = "10.0.0.1:9000";

// G-5
#[test]
fn a_flood_from_one_sender_is_not_kept() {
    /// Takes a second for each packet, so that next to none is done in time.
    struct Busy;

    impl Handler<Bytes, Bytes> for Busy {
        async fn handle(&self, peer: &mut Peer<Bytes, Bytes>) -> Result<(), BoxError> {
            loop {
                peer.recv().await?;
                sleep(Duration::from_secs(1)).await;
            }
        }
    }

    alone(|| {
        paused(async {
            let (network, handle) = serve(Busy).await;
            let flooder = source(&network, 1).await;
            let flood = vec![0; 1_400].into();
            let memory = Memory::now();

            for n in 1..=500_000_u64 {
                flooder.send(&flood).await.unwrap();
                pause(&handle, n).await;
            }

            let stats = handle.stats();
            assert_eq!((stats.received, stats.active_conversations), (500_000, 1));
            assert!(stats.dropped(DropReason::QueueFull) > 499_000);
            assert!(memory.most_growth() < 16 * MIB, "{} KiB", memory.most_growth() / KIB);
            within_deadline(handle.shutdown()).await;
        });
    });
}

// G-6
#[test]
fn a_flood_from_many_sources_fills_the_places_and_no_more() {
    alone(|| {
        paused(async {
            let function = async |packet: Bytes| {
                pending::<()>().await;
                packet
            };
            let (network, handle) = serve(function.into_handler()).await;
            let memory = Memory::now();

            for n in 1..=164_000 {
                source(&network, n).await.send(&"let me in".into()).await.unwrap();
                pause(&handle, n).await;
            }

            let stats = handle.stats();
            assert_eq!((stats.received, stats.active_conversations), (164_000, 16_384));
            assert_eq!(stats.dropped(DropReason::ConversationLimit), 164_000 - 16_384);
            assert!(memory.most_growth() < 128 * MIB, "{} KiB", memory.most_growth() / KIB);
            within_deadline(handle.shutdown()).await;
        });
    });
}

// G-7
#[test]
fn a_peer_that_was_answered_takes_no_memory() {
    // A fifth of the million, and of the 16 MiB, so that it stays quick without optimization. Half of
    // them are answered by a task.
    const SOURCES: u64 = 200_000;
    const BOUND: isize = 16 * MIB / 5;

    alone(|| {
        paused(async {
            let function = async |packet: Bytes| {
                if packet == "task" {
                    yield_now().await;
                }
                packet
            };
            let (network, handle) = serve(function.into_handler()).await;
            let mut memory = Memory::now();

            for n in 1..=SOURCES {
                let packet = if n % 2 == 0 { "task" } else { "inline" };
                source(&network, n).await.send(&packet.into()).await.unwrap();
                pause(&handle, n).await;
                if n == 1_000 {
                    memory = Memory::now();
                }
            }
            until(|| handle.stats().sent == SOURCES).await;
            until(|| handle.stats().active_conversations == 0).await;

            assert!(memory.growth() < BOUND, "{} KiB", memory.growth() / KIB);
            within_deadline(handle.shutdown()).await;
        });
    });
}

// G-6: what a conversation costs while it waits for its peer, beyond what its handler keeps
#[test]
fn a_conversation_that_waits_costs_a_few_hundred_bytes() {
    const PEERS: u64 = 14_000; // as many as a table of 16,384 holds before it grows

    /// Keeps so many bytes while it waits for the second packet of its peer.
    struct Waiting<const KEPT: usize>;

    impl<const KEPT: usize> Handler<Bytes, Bytes> for Waiting<KEPT> {
        async fn handle(&self, peer: &mut Peer<Bytes, Bytes>) -> Result<(), BoxError> {
            let kept = [peer.recv().await?.len() as u8; KEPT];
            let packet = peer.recv().await?;
            Ok(peer.send(&vec![kept[packet.len()]].into()).await?)
        }
    }

    /// How many bytes each of the conversations takes.
    fn bytes<const KEPT: usize>() -> isize {
        let mut bytes = 0;
        paused(async {
            let (network, handle) = serve(Waiting::<KEPT>).await;
            let memory = Memory::now();
            for n in 1..=PEERS {
                source(&network, n).await.send(&"hello".into()).await.unwrap();
                pause(&handle, n).await;
            }
            until(|| handle.stats().active_conversations == PEERS as usize).await;
            bytes = memory.growth() / PEERS as isize;
            within_deadline(handle.shutdown()).await;
        });
        bytes
    }

    alone(|| {
        let (little, much) = (bytes::<8>(), bytes::<1_008>());
        assert!(little < 1_024, "{little} bytes");
        assert!((990..1_100).contains(&(much - little)), "{little} and {much} bytes");
    });
}

// G-8
#[test]
fn small_datagrams_that_wait_pin_no_large_buffers() {
    alone(|| {
        paused(async {
            let function = async |packet: Bytes| {
                pending::<()>().await;
                packet
            };
            let (network, handle) = serve(function.into_handler()).await;
            let small = vec![0; 32].into();
            let memory = Memory::now();

            for n in 0..200 {
                let source = source(&network, n).await;
                for _ in 0..51 {
                    source.send(&small).await.unwrap();
                }
                until(|| handle.stats().received == (n + 1) * 51).await;
            }

            until(|| handle.stats().queued_bytes == 10_000 * (32 + 160)).await;
            assert_eq!(handle.stats().total_dropped(), 0);
            assert!(memory.growth() < 8 * MIB, "{} KiB", memory.growth() / KIB);
            within_deadline(handle.shutdown()).await;
        });
    });
}

// G-8
#[test]
fn small_packets_that_handlers_keep_pin_no_large_buffers() {
    #[derive(Clone, Default)]
    struct Hoarder(Arc<Mutex<Vec<Bytes>>>);

    impl Handler<Bytes, Bytes> for Hoarder {
        async fn handle(&self, peer: &mut Peer<Bytes, Bytes>) -> Result<(), BoxError> {
            let packet = peer.recv().await?;
            self.0.lock().unwrap().push(packet);
            Ok(())
        }
    }

    alone(|| {
        paused(async {
            let hoarder = Hoarder::default();
            let (network, handle) = serve(hoarder.clone()).await;
            let source = source(&network, 1).await;
            let memory = Memory::now();

            for n in 1..=10_000 {
                source.send(&vec![0; 32].into()).await.unwrap();
                pause(&handle, n).await;
            }

            assert_eq!(hoarder.0.lock().unwrap().len(), 10_000);
            assert!(memory.growth() < 8 * MIB, "{} KiB", memory.growth() / KIB);
            within_deadline(handle.shutdown()).await;
        });
    });
}

// G-5
#[test]
fn a_client_holds_as_much_as_its_datagrams_may_be_long() {
    /// How much a client allocates that receives one datagram after the other.
    async fn memory(builder: ClientBuilder<Raw>, options: fn(Udp) -> Udp) -> isize {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let memory = Memory::now();
        let udp = options(Udp::new(peer.local_addr().unwrap()));
        let client = builder.connect(udp).await.unwrap();
        for _ in 0..3 {
            peer.send_to(b"hello", client.local_addr().socket_addr().unwrap()).unwrap();
            assert_eq!(client.recv().await.unwrap(), "hello");
        }
        memory.growth()
    }

    alone(|| {
        real_time(async {
            let small = || Client::builder(Raw).max_datagram_size(512);
            memory(small(), |udp| udp).await; // the runtime allocates some memory once

            let merged = memory(Client::builder(Raw), |udp| udp).await;
            let singly = memory(small(), |udp| udp.segmentation_offload(false)).await;
            let portable = memory(small(), |udp| udp.batch_io(false)).await;

            assert!(merged < 320 * KIB, "{} KiB", merged / KIB);
            assert!(singly < 32 * KIB, "{} KiB", singly / KIB);
            assert!(portable < 32 * KIB, "{} KiB", portable / KIB);
        });
    });
}

/// Runs a test on a current-thread runtime with a paused clock.
pub fn paused(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

/// Runs a test on a runtime whose clock is that of the system.
fn real_time(test: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Serves bytes on a network that keeps almost nothing itself.
async fn serve(handler: impl Handler<Bytes, Bytes>) -> (Network, ServerHandle) {
    let network = Network::new(1, Conditions::default().buffer(100));
    let server = Server::bind(network.bind(SERVER).unwrap(), Raw, handler).await.unwrap();
    let handle = server.handle();
    tokio::spawn(async move { server.serve().await });
    assert!(handle.ready().await);
    (network, handle)
}

/// A peer with an address of its own.
async fn source(network: &Network, n: u64) -> Client<Raw> {
    let ip = Ipv4Addr::from(0x0b00_0000 + u32::try_from(n).unwrap());
    let socket = network.connect(SocketAddr::from((ip, 5_000)), SERVER).unwrap();
    Client::connect(socket, Raw).await.unwrap()
}

/// Waits, after each 50 datagrams, until the server has read all of the `sent` ones.
async fn pause(handle: &ServerHandle, sent: u64) {
    if sent.is_multiple_of(50) {
        until(|| handle.stats().received == sent).await;
    }
}

async fn until(condition: impl Fn() -> bool) {
    within_deadline(async {
        while !condition() {
            yield_now().await;
        }
    })
    .await;
}

async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("the effect comes within the deadline")
}
