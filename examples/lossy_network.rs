//! A handler under loss, delay and reordering, in memory. Under tokio's paused clock nothing really waits.
//!
//! ```sh
//! cargo run --example lossy_network --features testing
//! ```

use datagrammar::{
    BoxError, Client, Server, Text,
    testing::{Conditions, Network},
};
use tokio::time::{Duration, Instant};

async fn shout(text: String) -> String {
    text.to_uppercase()
}

// In a test: `#[tokio::test(start_paused = true)]`.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), BoxError> {
    let delay = Duration::from_millis(20)..=Duration::from_millis(80);
    let network = Network::new(7, Conditions::default().loss(0.3).reorder(0.1).delay(delay));
    let server = Server::bind(network.bind("10.0.0.1:9000")?, Text, shout).await?;
    server.spawn();
    let socket = network.connect("10.0.0.2:0", "10.0.0.1:9000")?;
    let client = Client::connect(socket, Text).await?;

    let begun = Instant::now();
    for number in 0..1_000 {
        let request = format!("request {number}");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            client.send(&request).await?;
            match client.recv_timeout(Duration::from_secs(1)).await {
                Ok(answer) if answer == request.to_uppercase() => break,
                _ => assert!(Instant::now() < deadline, "no answer to {request}"),
            }
        }
    }
    println!("1000 answers in {:?} of the paused clock", begun.elapsed());
    println!("{} of {} datagrams lost", network.lost(), network.sent());
    Ok(())
}
