//! Section A of the contract: what protects a server from its peers, and others from the server.

mod amplification;
mod budget;
mod control;
mod envelope;
mod filter;
mod overload;
mod places;
mod rates;
mod replies;
mod sources;
mod stalls;
mod tokens;

use datagrammar::{Guard, Raw, Server, ServerBuilder, ServerHandle, testing::Network};

use crate::support::{Bytes, Net, Running, client_on};

/// A peer at this address of a network in memory.
fn peer_at(network: &Network, local: &str, server: &ServerHandle) -> Bytes {
    let addr = server.local_addrs().swap_remove(0).socket_addr().unwrap();
    Bytes(client_on(network.connect(local, addr).unwrap(), Raw).unwrap())
}

/// Serves on a new network in memory, with a guard.
async fn guarded<P>(builder: ServerBuilder<P>) -> (Network, Running) {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let network = network.clone();
    (network, net.serve(builder.guard(Guard::internet())).await)
}

/// Answers "12 and more" with 12 bytes.
fn lengths() -> ServerBuilder<datagrammar::Text> {
    Server::builder(datagrammar::Text, async |text: String| "x".repeat(wanted(&text)))
}

fn wanted(text: &str) -> usize {
    text.split(' ').next().unwrap().parse().unwrap()
}
