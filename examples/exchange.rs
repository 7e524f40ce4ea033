//! A server that sends a poem line by line, and repeats each line until the client has it.
//!
//! ```sh
//! cargo run --example exchange
//! ```

use datagrammar::{BoxError, Client, Handler, Peer, Repeat, Server, Text};
use tokio::time::Duration;

struct Poem;

impl Handler<String, String> for Poem {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        peer.detect_duplicates();
        peer.recv().await?;
        let repeat = Repeat::default().initial_timeout(Duration::from_millis(100));
        for (n, line) in
            ["Roses are red,", "packets get lost,", "send them again."].iter().enumerate()
        {
            let answer = peer.exchange_with(format!("{n} {line}"), &repeat).await?;
            println!("server: {answer}");
        }
        // Not repeated, so it may be lost.
        Ok(peer.send("end".to_owned()).await?)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let server = Server::bind("127.0.0.1:0", Text, Poem).await?;
    let client = Client::connect(server.local_addr(), Text).await?;
    server.spawn();
    client.send("a poem, please".to_owned()).await?;
    // The client does not answer, as if the line was lost. The server sends it again.
    println!("client: ignores {}", client.recv().await?);
    while let line = client.recv().await?
        && line != "end"
    {
        println!("client: {line}");
        client.send(format!("got {}", &line[..1])).await?;
    }
    Ok(())
}
