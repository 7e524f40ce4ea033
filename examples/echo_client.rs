//! A client that sends its words as JSON to an echo server, and prints the answer:
//!
//! ```sh
//! cargo run --release --example echo_client -- Hello world
//! cargo run --release --example echo_client -- --to 192.0.2.7:9000 Hello world
//! ```

use std::{env, process::exit, time::Duration};

use datagrammar::{BoxError, Client, Json};
use serde::Serialize;
use serde_json::Value;

const HELP: &str = "\
usage: echo_client [--to ADDR:PORT] [WORD]...

  --to ADDR:PORT  the server (default: 127.0.0.1:9000)
  --help          this text";

#[derive(Serialize)]
struct Arguments {
    #[serde(rename = "command-line arguments")]
    words: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let mut server = "127.0.0.1:9000".to_owned();
    match words.first().map(String::as_str) {
        Some("--help") => return println!("{HELP}"),
        Some("--to") if words.len() > 1 => server = words.drain(..2).nth(1).unwrap_or_default(),
        Some(option) if option.starts_with("--") => {
            eprintln!("echo_client: {option} cannot be understood\n\n{HELP}");
            exit(2);
        }
        _ => {}
    }
    if let Err(error) = ask(&server, &Arguments { words }).await {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        eprintln!("echo_client: {server}: {error}{cause}");
        exit(1);
    }
}

async fn ask(server: &str, request: &Arguments) -> Result<(), BoxError> {
    // What is sent is known; what a server may answer is not.
    let client = Client::connect(server, Json::<Value, Arguments>::new()).await?;
    client.send(request).await?;
    println!("sent: {}", serde_json::to_string(request)?);
    println!("received: {}", client.recv_timeout(Duration::from_secs(3)).await?);
    Ok(())
}
