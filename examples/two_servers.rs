//! A client of two servers: when one is stopped, its requests go to the other one.
//!
//! ```sh
//! cargo run --example two_servers
//! ```
//!
//! It prints:
//!
//! ```text
//! the first server greets Ada
//! the second server greets Grace
//! the second server greets Joan
//! ```

use datagrammar::{
    Addr, BoxError, Json, RequestClient, Server, ServerHandle, Tagged, TaggedServer, tagged,
    with_state,
};
use tokio::time::Duration;

/// Starts a server that answers with its name.
async fn start(name: &'static str) -> Result<(Addr, ServerHandle), BoxError> {
    let greet = async |name: &'static str, guest: String| format!("{name} greets {guest}");
    let protocol = TaggedServer::new(Json::<String>::new());
    let server = Server::bind("127.0.0.1:0", protocol, tagged(with_state(name, greet))).await?;
    let (addr, handle) = (server.local_addr().clone(), server.handle());
    server.spawn();
    handle.ready().await;
    Ok((addr, handle))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (first_addr, first) = start("the first server").await?;
    let (second_addr, _second) = start("the second server").await?;
    let client = RequestClient::builder(Tagged::new(Json::<String>::new()))
        // A server that does not answer costs this time. Here the kernel reports that its port is closed, so the other
        // server is asked at once.
        .initial_timeout(Duration::from_millis(100))
        .fallback(second_addr)
        .connect(first_addr)
        .await?;

    println!("{}", client.request("Ada".to_owned()).await?);
    first.shutdown().await;
    println!("{}", client.request("Grace".to_owned()).await?);
    println!("{}", client.request("Joan".to_owned()).await?);
    Ok(())
}
