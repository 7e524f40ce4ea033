//! A counter that nobody moves without the key, and nobody by sending a recorded datagram again:
//!
//! ```sh
//! cargo run --example signed_counter --features signed
//! ```
//!
//! A signature tells who wrote a datagram, not when. So each conversation has a number that the
//! server draws, the client counts its packets, and both numbers are signed. The [`ReplayWindow`] lives
//! as long as the conversation; what was recorded in another one has another number.
//!
//! Without such a number a window would have to outlive its conversation, or a recorded datagram
//! would open the next one. It would lie in the handler then, by something that is signed (never by
//! the address, which is not), and for as many as the handler knows, not for as many as ask.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use datagrammar::{
    Addr, BoxError, Client, ClientRecvError, DatagramProtocol, Handler, Json, Peer, Raw, RecvError,
    ReplayWindow, Server, Signed, SigningKey,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
enum Request {
    Hello,
    Add { conversation: u64, sequence: u64, amount: u64 },
}

#[derive(Deserialize, Serialize)]
enum Response {
    Welcome { conversation: u64 },
    Total(u64),
}

struct Counter(AtomicU64);

impl Handler<Request, Response> for Counter {
    async fn handle(&self, peer: &mut Peer<Request, Response>) -> Result<(), BoxError> {
        let Ok(Request::Hello) = peer.recv().await else {
            println!("server: refused, not a signed hello");
            return Ok(());
        };
        let drawn = getrandom::u64()?;
        peer.send(&Response::Welcome { conversation: drawn }).await?;
        let mut window = ReplayWindow::new();
        loop {
            match peer.recv_timeout(Duration::from_secs(60)).await {
                Ok(Request::Add { conversation, sequence, amount }) => {
                    if conversation != drawn || !window.accept(sequence) {
                        println!("server: refused, a recorded datagram");
                        continue;
                    }
                    let total = self.0.fetch_add(amount, Relaxed).wrapping_add(amount);
                    peer.send(&Response::Total(total)).await?;
                }
                // Our welcome was lost.
                Ok(Request::Hello) => {
                    peer.send(&Response::Welcome { conversation: drawn }).await?;
                }
                Err(RecvError::Decode(error)) => println!("server: refused, {error}"),
                Err(RecvError::TimedOut) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let key = SigningKey::generate()?; // a real one is stored, see docs/keys.md
    let server = Server::builder(Json::new().layer(Signed::new(&key)), Counter(AtomicU64::new(0)))
        .bind("127.0.0.1:0")
        .await?;
    let addr = server.local_addr();
    let mut counted = Ok(());
    server.serve_until(async { counted = count(addr, &key).await }).await?;
    counted
}

async fn count(server: Addr, key: &SigningKey) -> Result<(), BoxError> {
    let protocol = Json::<Response, Request>::new().layer(Signed::new(key));
    let client = Client::connect(&server, &protocol).await?;
    let thief = Client::connect(server, Raw).await?;

    client.send(&Request::Hello).await?;
    let Response::Welcome { conversation } = hear(&client).await? else {
        return Err("the server did not welcome the client".into());
    };

    let first = Request::Add { conversation, sequence: 1, amount: 40 };
    client.send(&first).await?;
    print_total(&hear(&client).await?);

    // The same bytes again: from the address of the client, as a thief would make it look like, and
    // from another one. And something that nobody has signed.
    client.send(&first).await?;
    let mut recorded = Vec::new();
    protocol.encode(&first, &mut recorded)?;
    thief.send(&recorded.into()).await?;
    thief.send(&r#"{"Add":{"conversation":1,"sequence":2,"amount":1000}}"#.into()).await?;

    client.send(&Request::Add { conversation, sequence: 2, amount: 2 }).await?;
    print_total(&hear(&client).await?);
    Ok(())
}

async fn hear<P: DatagramProtocol>(client: &Client<P>) -> Result<P::Incoming, ClientRecvError> {
    client.recv_timeout(Duration::from_secs(5)).await
}

fn print_total(response: &Response) {
    if let Response::Total(total) = response {
        println!("client: the total is {total}");
    }
}
