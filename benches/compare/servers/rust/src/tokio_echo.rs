//! Servers on tokio that echo bytes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::Interest,
    net::UdpSocket,
    sync::mpsc::{self, error::TrySendError},
};
use tokio_util::{codec::BytesCodec, udp::UdpFramed};

use crate::{
    mmsg::{Received, Sender},
    options::Options,
};

/// `recv_from` and `send_to`.
pub async fn one_by_one(socket: UdpSocket, _: Options) {
    let mut buffer = vec![0; 65_536];
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..len], from).await;
        }
    }
}

/// `readable`, then `try_recv_from` and `try_send_to` until nothing is left, 64 times at most.
pub async fn until_empty(socket: UdpSocket, _: Options) {
    let mut buffer = vec![0; 65_536];
    loop {
        let _ = socket.readable().await;
        for _ in 0..64 {
            let Ok((len, from)) = socket.try_recv_from(&mut buffer) else { break };
            if socket.try_send_to(&buffer[..len], from).is_err() {
                let _ = socket.send_to(&buffer[..len], from).await;
            }
        }
    }
}

/// A task and an allocation for each datagram.
pub async fn task_per_datagram(socket: UdpSocket, _: Options) {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; 65_536];
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let datagram = buffer[..len].to_vec();
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                let _ = socket.send_to(&datagram, from).await;
            });
        }
    }
}

/// A task for each client, with a channel of `depth` (16) datagrams.
pub async fn task_per_client(socket: UdpSocket, options: Options) {
    let socket = Arc::new(socket);
    let depth = options.number("depth", 16);
    let mut clients: HashMap<SocketAddr, mpsc::Sender<Bytes>> = HashMap::new();
    let mut buffer = BytesMut::with_capacity(1 << 20);
    loop {
        buffer.reserve(65_536);
        let Ok((_, from)) = socket.recv_buf_from(&mut buffer).await else { continue };
        let datagram = buffer.split().freeze();
        let client = clients.entry(from).or_insert_with(|| {
            let (sender, mut receiver) = mpsc::channel::<Bytes>(depth);
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                while let Some(datagram) = receiver.recv().await {
                    let _ = socket.send_to(&datagram, from).await;
                }
            });
            sender
        });
        if let Err(TrySendError::Full(datagram)) = client.try_send(datagram) {
            let _ = client.send(datagram).await;
        }
    }
}

/// `UdpFramed` of tokio-util with its `BytesCodec`.
pub async fn framed(socket: UdpSocket, _: Options) {
    let mut framed = UdpFramed::new(socket, BytesCodec::new());
    while let Some(next) = framed.next().await {
        if let Ok((datagram, from)) = next {
            let _ = framed.send((datagram.freeze(), from)).await;
        }
    }
}

/// `recvmmsg` and `sendmmsg` when the socket is ready. `sessions=std` and `sessions=ahash` add a
/// table of clients, with that hash function.
pub async fn batches(socket: UdpSocket, options: Options) {
    if options.is("sessions", "std") {
        batches_with(socket, options, Some(Table::<RandomState>::default())).await;
    } else if options.is("sessions", "ahash") {
        batches_with(socket, options, Some(Table::<ahash::RandomState>::default())).await;
    } else {
        batches_with(socket, options, None::<Table<RandomState>>).await;
    }
}

type Table<H> = HashMap<SocketAddrV4, Session, H>;

/// The least that a framework would keep for each client.
#[derive(Default)]
struct Session {
    requests: u64,
    last_batch: u64,
}

async fn batches_with<H: BuildHasher>(
    socket: UdpSocket,
    options: Options,
    mut table: Option<Table<H>>,
) {
    let mut received = Received::new(options.batch(), options.number("each", 9216), false);
    let mut sender = Sender::new(options.batch());
    let mut batch = 0;
    loop {
        let receive = || received.receive(&socket, libc::MSG_DONTWAIT);
        let Ok(count) = socket.async_io(Interest::READABLE, receive).await else { continue };
        batch += 1;
        if let Some(table) = &mut table {
            for name in &received.names[..count] {
                let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
                let session =
                    table.entry(SocketAddrV4::new(ip, u16::from_be(name.sin_port))).or_default();
                session.requests += 1;
                session.last_batch = batch;
            }
        }
        sender.send(&socket, received.messages(count));
    }
}
