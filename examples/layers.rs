//! One function that makes the protocol of both sides: JSON, compressed, signed.
//!
//! ```sh
//! cargo run --example layers --features signed,zlib
//! ```

use datagrammar::{BoxError, Client, DatagramProtocol, Json, Server, Signed, SigningKey, Zlib};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Duration;

/// The protocol of a side that receives `I` and sends `O`. `use<I, O>` says that it does not borrow the key.
fn protocol<I, O>(key: &SigningKey) -> impl DatagramProtocol<Incoming = I, Outgoing = O> + use<I, O>
where
    I: DeserializeOwned,
    O: Serialize,
{
    Json::<I, O>::new().layer(Zlib::with_limit(16_384)).layer(Signed::new(key))
}

async fn count(text: String) -> usize {
    text.len()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let key = SigningKey::generate()?; // a real one is stored, see docs/keys.md
    let server = Server::bind("127.0.0.1:0", protocol(&key), count).await?;
    let (addr, handle) = (server.local_addr(), server.handle());
    server.spawn();

    let client = Client::connect(&addr, protocol::<usize, String>(&key)).await?;
    client.send("word ".repeat(100)).await?;
    println!("answer: {}", client.recv_timeout(Duration::from_secs(5)).await?);

    let stranger =
        Client::connect(&addr, protocol::<usize, String>(&SigningKey::generate()?)).await?;
    stranger.send("word".to_owned()).await?;
    println!("stranger: {:?}", stranger.recv_timeout(Duration::from_millis(100)).await);
    while handle.stats().decode_errors == 0 {
        tokio::task::yield_now().await;
    }
    println!("refused by the server: {}", handle.stats().decode_errors);
    Ok(())
}
