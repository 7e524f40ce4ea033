//! Requests of one peer, served one after another and, with `concurrent`, at once.
//!
//! ```sh
//! cargo run --example concurrency
//! ```

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use datagrammar::{BoxError, BoxHandler, Client, Json, Server, concurrent};
use tokio::time::{Duration, sleep};

/// The packet of both directions. Responses leave in any order, so each has the number of its request.
type Numbered = (u32, String);

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Needs 20 ms, as a query of a database may. Counts how many calls run at once.
async fn look_up((number, word): Numbered) -> Numbered {
    MOST.fetch_max(RUNNING.fetch_add(1, SeqCst) + 1, SeqCst);
    sleep(Duration::from_millis(20)).await;
    RUNNING.fetch_sub(1, SeqCst);
    (number, word.to_uppercase())
}

/// Sends 20 requests at once, and says how many were answered and how many were served at once.
async fn answered(handler: BoxHandler<Numbered, Numbered>) -> Result<String, BoxError> {
    let server = Server::bind("127.0.0.1:0", Json::new(), handler).await?;
    let client = Client::connect(server.local_addr(), Json::<Numbered>::new()).await?;
    client.send_all((0..20).map(|number| (number, "word".to_owned()))).await?;
    server.spawn();
    for _ in 0..20 {
        client.recv().await?;
    }
    Ok(format!("20 answers, {} at once", MOST.swap(0, SeqCst)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    println!("one after another: {}", answered(BoxHandler::new(look_up)).await?);
    println!("concurrent(8, _): {}", answered(BoxHandler::new(concurrent(8, look_up))).await?);
    Ok(())
}
