//! Round trips of a byte echo over loopback: this crate beside a bare tokio loop and beside
//! tokio-util's `UdpFramed`, each on a current-thread runtime of its own.
//!
//! A round sends 32 datagrams of 32 bytes and waits for the 32 answers, so a figure is the time of 32
//! requests, client included. The client costs the same in all three.

use std::{net::UdpSocket, sync::mpsc, thread, time::Duration};

use criterion::{Criterion, Throughput};
use datagrammar::{Raw, Server};
use futures_util::{SinkExt, StreamExt};
use tokio_util::{codec::BytesCodec, udp::UdpFramed};

const IN_FLIGHT: usize = 32;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("echo of 32 datagrams");
    group.throughput(Throughput::Elements(IN_FLIGHT as u64));
    for (name, server) in [
        ("datagrammar", datagrammar as fn(UdpSocket) -> Serving),
        ("bare tokio loop", bare_loop),
        ("UdpFramed", udp_framed),
    ] {
        let client = client_of(server);
        group.bench_function(name, |bencher| bencher.iter(|| round(&client)));
    }
    group.finish();
    criterion.final_summary();
}

type Serving = std::pin::Pin<Box<dyn Future<Output = ()>>>;

fn datagrammar(socket: UdpSocket) -> Serving {
    Box::pin(async move {
        let server = Server::bind(socket, Raw, async |bytes| bytes).await.unwrap();
        server.serve().await.unwrap();
    })
}

fn bare_loop(socket: UdpSocket) -> Serving {
    Box::pin(async move {
        let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
        let mut datagram = vec![0; 65_536];
        loop {
            let (len, from) = socket.recv_from(&mut datagram).await.unwrap();
            socket.send_to(&datagram[..len], from).await.unwrap();
        }
    })
}

fn udp_framed(socket: UdpSocket) -> Serving {
    Box::pin(async move {
        let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
        let mut framed = UdpFramed::new(socket, BytesCodec::new());
        while let Some(received) = framed.next().await {
            let (bytes, from) = received.unwrap();
            framed.send((bytes.freeze(), from)).await.unwrap();
        }
    })
}

/// Starts `server` in a thread, which lasts as long as the process, and connects to it.
fn client_of(server: fn(UdpSocket) -> Serving) -> UdpSocket {
    let (addr_to, addr_from) = mpsc::channel();
    thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        addr_to.send(socket.local_addr().unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(server(socket));
    });
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(addr_from.recv().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client
}

fn round(client: &UdpSocket) {
    let mut datagram = [7; 32];
    for _ in 0..IN_FLIGHT {
        client.send(&datagram).unwrap();
    }
    for _ in 0..IN_FLIGHT {
        client.recv(&mut datagram).unwrap();
    }
}
