//! State that all calls of a function share: an `Arc` and `with_state`.
//!
//! ```sh
//! cargo run --example shared_state
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use datagrammar::{BoxError, Client, Server, Text, with_state};
use tokio::time::Duration;

/// Gets a clone of the state with each request: of the `Arc`, not of the counter.
async fn welcome(visitors: Arc<AtomicU64>, name: String) -> String {
    format!("Welcome, {name}, you are visitor {}.", visitors.fetch_add(1, Relaxed) + 1)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let visitors = Arc::new(AtomicU64::new(0));
    let handler = with_state(Arc::clone(&visitors), welcome);
    let server = Server::bind("127.0.0.1:0", Text, handler).await?;
    let (addr, handle) = (server.local_addr(), server.handle());
    // Not `tokio::spawn(server.serve())`: that borrows the server, and does not compile (E0597).
    let serving = server.spawn();

    let client = Client::connect(addr, Text).await?;
    for name in ["Ada", "Bob"] {
        client.send(name.to_owned()).await?;
        println!("{}", client.recv_timeout(Duration::from_secs(5)).await?);
    }
    handle.shutdown().await;
    serving.await??;
    println!("{} visitors in all", visitors.load(Relaxed));
    Ok(())
}
