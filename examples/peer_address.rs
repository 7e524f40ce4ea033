//! The address of the peer in a function: its second argument.
//!
//! ```sh
//! cargo run --example peer_address
//! ```

use datagrammar::{Addr, BoxError, Client, Server, Text};
use tokio::time::Duration;

/// Returns the address that the request came from, as a STUN server does.
async fn what_is_my_address(_question: String, peer: Addr) -> String {
    format!("your address is {peer}")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let server = Server::bind("127.0.0.1:0", Text, what_is_my_address).await?;
    let (addr, handle) = (server.local_addr(), server.handle());
    let serving = server.spawn();

    let client = Client::connect(addr, Text).await?;
    client.send("what is my address?".to_owned()).await?;
    println!("client: bound to {}", client.local_addr());
    println!("server: {}", client.recv_timeout(Duration::from_secs(5)).await?);

    handle.shutdown().await;
    Ok(serving.await??)
}
