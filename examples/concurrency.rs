//! Requests of one peer, served one after another and, with `concurrent`, at once.
//!
//! ```sh
//! cargo run --example concurrency
//! ```

use datagrammar::{BoxError, BoxHandler, Client, Json, Server, concurrent};
use tokio::time::{Duration, sleep};

/// The packet of both directions. Responses leave in any order, so each has the number of its request.
type Numbered = (u32, String);

/// Needs 50 ms, as a query of a database may.
async fn look_up((number, word): Numbered) -> Numbered {
    sleep(Duration::from_millis(50)).await;
    (number, word.to_uppercase())
}

/// Sends 20 requests at once, and returns how many answers come within 300 ms.
async fn answered(handler: BoxHandler<Numbered, Numbered>) -> Result<usize, BoxError> {
    let server = Server::bind("127.0.0.1:0", Json::new(), handler).await?;
    let client = Client::connect(server.local_addr(), Json::<Numbered>::new()).await?;
    client.send_all((0..20).map(|number| (number, "word".to_owned()))).await?;
    let (mut answers, mut count) = (client.packets().within(Duration::from_millis(300)), 0);
    let counting = async {
        while let Some(Ok(_)) = answers.next().await {
            count += 1;
        }
    };
    server.serve_until(counting).await?;
    Ok(count)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    println!("one after another: {} of 20", answered(BoxHandler::new(look_up)).await?);
    println!(
        "concurrent(8, _): {} of 20",
        answered(BoxHandler::new(concurrent(8, look_up))).await?
    );
    Ok(())
}
