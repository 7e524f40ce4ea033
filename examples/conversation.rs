//! A conversation of several requests, with a timeout: guess the number, over plain text.
//!
//! What the server knows of a peer are the variables of one `async fn`, from its first datagram to
//! its last. The program plays twice against its own server, and falls silent in the second game:
//!
//! ```sh
//! cargo run --example conversation
//! cargo run --example conversation -- 77
//! ```

use std::{cmp::Ordering, env, time::Duration};

use datagrammar::{
    Addr, BoxError, Client, ClientRecvError, Handler, Peer, RecvError, Server, Text,
};

struct GuessTheNumber {
    secret: u8,
    patience: Duration,
}

impl Handler<String, String> for GuessTheNumber {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let name = peer.recv().await?;
        peer.send(&format!("Hello, {name}. Guess a number from 1 to 100.")).await?;
        for guesses in 1.. {
            let guess = match peer.recv_timeout(self.patience).await {
                Ok(text) => text.parse::<u8>().ok(),
                Err(RecvError::Decode(_)) => None,
                Err(RecvError::TimedOut) => {
                    peer.send(&format!("You have gone quiet, {name}. Goodbye.")).await?;
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let answer = match guess.map(|guess| guess.cmp(&self.secret)) {
                None => "That is no such number.".to_owned(),
                Some(Ordering::Less) => "Higher.".to_owned(),
                Some(Ordering::Greater) => "Lower.".to_owned(),
                Some(Ordering::Equal) => format!("Right, after {guesses} guesses!"),
            };
            peer.send(&answer).await?;
            if guess == Some(self.secret) {
                break;
            }
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let secret = match env::args().nth(1).map(|arg| arg.parse()) {
        None => 42,
        Some(Ok(secret @ 1..=100)) => secret,
        Some(_) => return Err("the secret is not a number from 1 to 100".into()),
    };
    let handler = GuessTheNumber { secret, patience: Duration::from_secs(1) };
    let server = Server::builder(Text, handler).bind("127.0.0.1:0").await?;
    let addr = server.local_addr();
    let mut played = Ok(());
    server.serve_until(async { played = play_twice(addr).await }).await?;
    played
}

async fn play_twice(server: Addr) -> Result<(), BoxError> {
    let client = Client::connect(server, Text).await?;
    say(&client, "Ada").await?;
    say(&client, "fifty").await?;
    let (mut low, mut high) = (1, 100);
    loop {
        let guess = low + (high - low) / 2;
        match say(&client, &guess.to_string()).await?.as_str() {
            "Higher." => low = guess + 1,
            "Lower." => high = guess - 1,
            _ => break,
        }
    }
    say(&client, "Bob").await?;
    println!("server: {}", hear(&client).await?);
    Ok(())
}

/// Says `text` to the server and returns what it answers.
async fn say(client: &Client<Text>, text: &str) -> Result<String, BoxError> {
    println!("client: {text}");
    client.send(&text.to_owned()).await?;
    let answer = hear(client).await?;
    println!("server: {answer}");
    Ok(answer)
}

async fn hear(client: &Client<Text>) -> Result<String, ClientRecvError> {
    client.recv_timeout(Duration::from_secs(5)).await
}
