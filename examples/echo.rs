//! A JSON server and a client in one program. The server sends back what it receives; the client
//! sends the words that it is given and prints the answer:
//!
//! ```sh
//! cargo run --release --example echo -- Hello world
//! ```

use std::{env, fmt, time::Duration};

use datagrammar::{Addr, BoxError, Client, Handler, Json, Peer, Server};
use serde::{Deserialize, Serialize};

/// The packet, both ways. One datagram is `{"command-line arguments":["Hello","world"]}`.
#[derive(Deserialize, Serialize)]
struct Arguments {
    #[serde(rename = "command-line arguments")]
    words: Vec<String>,
}

/// Serves each peer: this is all that is particular to our server.
struct Echo;

impl Handler<Arguments, Arguments> for Echo {
    async fn handle(&self, peer: &mut Peer<Arguments, Arguments>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        println!("server received from {}: {request}", peer.addr());
        peer.send(&request).await?;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let server = Server::builder(Json::new(), Echo).bind("127.0.0.1:0").await?;
    let addr = server.local_addr();
    let mut asked = Ok(());
    server.serve_until(async { asked = ask(addr).await }).await?;
    asked
}

async fn ask(server: Addr) -> Result<(), BoxError> {
    let client = Client::connect(server, Json::<Arguments>::new()).await?;
    let request = Arguments { words: env::args().skip(1).collect() };
    client.send(&request).await?;
    println!("sent: {request}");
    // A datagram may be lost on its way, so wait no longer than an answer can take.
    let answer = client.recv_timeout(Duration::from_secs(5)).await?;
    println!("received: {answer}");
    Ok(())
}

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
