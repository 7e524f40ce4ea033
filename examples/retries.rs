//! A client that repeats a request until the answer with its number comes.
//!
//! ```sh
//! cargo run --example retries
//! ```

use datagrammar::{BoxError, Client, ClientSendError, Json, Server};
use tokio::time::{Duration, sleep};

type Numbered = (u32, String);

async fn call(client: &Client<Json<Numbered>>, request: Numbered) -> Result<String, BoxError> {
    for attempt in 1..=50 {
        match client.send(&request).await {
            // The server is not up. Wait, as after any other loss.
            Err(ClientSendError::Io(error)) => println!("attempt {attempt}: {error}"),
            sent => sent?,
        }
        let mut answers = client.packets().within(Duration::from_millis(100));
        while let Some(answer) = answers.next().await {
            match answer? {
                (number, word) if number == request.0 => return Ok(word),
                (number, _) => println!("late: an answer to request {number}"),
            }
        }
    }
    Err("no answer".into())
}

async fn shout((number, word): Numbered) -> Numbered {
    sleep(Duration::from_millis(150)).await;
    (number, word.to_uppercase())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let addr = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?; // closed again
    tokio::spawn(async move {
        sleep(Duration::from_millis(50)).await;
        Ok::<_, BoxError>(Server::bind(addr, Json::new(), shout).await?.serve().await?)
    });
    let client = Client::connect(addr, Json::new()).await?;
    println!("{}", call(&client, (1, "hello".to_owned())).await?);
    println!("{}", call(&client, (2, "world".to_owned())).await?);
    Ok(())
}
