//! Middleware of tower in front of a function: a time limit, and a limit of how many requests are served at once.
//!
//! ```sh
//! cargo run --example tower --features tower
//! ```

use datagrammar::{
    BoxError, DropReason, RequestClient, Server, Tagged, TaggedServer, Text, tagged,
    tower::{Request, service_with_addr},
};
use tokio::{
    sync::Notify,
    time::{Duration, sleep},
};
use tower::{ServiceBuilder, ServiceExt};

/// Ends the job "long".
static END: Notify = Notify::const_new();

/// Does a job, and says for whom.
async fn work(request: Request<String>) -> Result<String, BoxError> {
    let (job, addr) = request.into_parts();
    if job == "long" {
        END.notified().await;
    }
    let host = addr.ip().ok_or("a peer without an IP address")?;
    Ok(format!("{job} job for {host}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let stack = ServiceBuilder::new()
        .concurrency_limit(1)
        .timeout(Duration::from_secs(60))
        .service_fn(work);
    // Requests wait for a place for at most 20 ms. After that they are dropped.
    let handler = tagged(service_with_addr(stack).ready_timeout(Duration::from_millis(20)));
    let server = Server::bind("127.0.0.1:0", TaggedServer::new(Text), handler).await?;
    let (addr, handle) = (server.local_addr(), server.handle());
    server.spawn();

    // A client is a service too. It repeats what is not answered.
    let connect = || RequestClient::connect(addr.clone(), Tagged::new(Text));
    let (one, two) = (connect().await?, connect().await?);
    let one = ServiceBuilder::new().timeout(Duration::from_secs(60)).service(one);
    let long = tokio::spawn(one.oneshot("long".to_owned()));
    while handle.stats().delivered == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    let short = tokio::spawn(two.oneshot("short".to_owned()));
    while handle.stats().dropped(DropReason::Busy) == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    println!("the server is busy");
    END.notify_one();
    println!("{}", long.await??);
    println!("{}", short.await??);
    Ok(())
}
