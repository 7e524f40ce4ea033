//! Finds programs on the local network: a seeker asks a multicast group, and every node of the group answers
//! it directly. Both sides are servers, since each talks to many peers from one socket. Run it over the
//! loopback:
//!
//! ```sh
//! cargo run --example discovery
//! ```
//!
//! In a program of your own the nodes run on several hosts, and bind a port that all of them know.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use datagrammar::{Addr, BoxError, Interface, Json, Server, ServerHandle, Udp, with_state};
use serde::{Deserialize, Serialize};
use socket2::SockRef;
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 77);
const LOOPBACK: Interface = Interface::Addr(Ipv4Addr::LOCALHOST);

/// One packet for both directions, as every socket receives both.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Packet {
    WhoIsThere,
    Here { name: String },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // The nodes share the port, so that each of them receives what is sent to the group.
    let first = node("printer", 0).await?;
    let port = first.local_addrs()[0].port().ok_or("the node has no port")?;
    let second = node("scanner", port).await?;

    let names = seek((GROUP, port)).await?;

    println!("found: {}", names.into_iter().collect::<Vec<_>>().join(", "));
    first.shutdown().await;
    second.shutdown().await;
    Ok(())
}

/// Starts a node that answers to seekers.
async fn node(name: &str, port: u16) -> Result<ServerHandle, BoxError> {
    let here = Packet::Here { name: name.to_owned() };
    let udp = Udp::new((Ipv4Addr::UNSPECIFIED, port)).reuse_port(true).multicast(GROUP, LOOPBACK);
    start(Server::bind(udp, Json::<Packet>::new(), with_state(here, answer)).await?).await
}

async fn answer(here: Packet, packet: Packet) -> Option<Packet> {
    (packet == Packet::WhoIsThere).then_some(here)
}

/// Asks the group once, and returns the names of those that answer within a moment.
async fn seek(group: (Ipv4Addr, u16)) -> Result<BTreeSet<String>, BoxError> {
    let (found, mut names) = unbounded_channel();
    let server =
        Server::bind((Ipv4Addr::UNSPECIFIED, 0), Json::<Packet>::new(), with_state(found, collect))
            .await?;
    for socket in server.sockets() {
        // On a real network, leave this to the routes.
        SockRef::from(&socket).set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
    }
    let seeker = start(server).await?;

    let group = Addr::from(std::net::SocketAddr::from(group));
    seeker.sender(group)?.send(Packet::WhoIsThere).await?;

    let mut all = BTreeSet::new();
    while let Ok(Some(name)) = timeout(Duration::from_millis(500), names.recv()).await {
        all.insert(name);
    }
    seeker.shutdown().await;
    Ok(all)
}

/// Notes who has answered. A seeker answers nobody.
async fn collect(found: UnboundedSender<String>, packet: Packet, from: Addr) -> Option<Packet> {
    if let Packet::Here { name } = packet {
        println!("{from} is the {name}");
        // The receiver is gone when the time is over.
        let _ = found.send(name);
    }
    None
}

async fn start(server: Server) -> Result<ServerHandle, BoxError> {
    let handle = server.handle();
    server.spawn();
    if !handle.ready().await {
        return Err("the server has ended before it served".into());
    }
    Ok(handle)
}
