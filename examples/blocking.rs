//! A server on a thread of its own and a client, in a program without async. The handler blocks its thread:
//!
//! ```sh
//! cargo run --example blocking --features blocking
//! ```

use std::{thread::sleep, time::Duration};

use datagrammar::{
    Addr, BoxError, Text,
    blocking::{self, Client, Server, ServerThread},
};

/// Looks a word up, which takes its time.
fn look_up(word: String) -> String {
    sleep(Duration::from_millis(20));
    let meaning = match word.as_str() {
        "datagram" => "the bytes that the network carries in one piece",
        "packet" => "the typed value that a datagram stands for",
        _ => "unknown",
    };
    word + ": " + meaning
}

fn serve() -> Result<ServerThread, BoxError> {
    let handler = blocking::handler(look_up).max_threads(4);
    let server = Server::bind("127.0.0.1:0", Text, handler)?;
    // It returns when the server serves.
    Ok(server.spawn()?)
}

fn ask(server: &Addr) -> Result<(), BoxError> {
    let client = Client::connect(server, Text)?;
    for word in ["datagram", "packet", "octet"] {
        client.send(word.to_owned())?;
        println!("{}", client.recv_timeout(Duration::from_secs(5))?);
    }
    Ok(())
}

fn main() -> Result<(), BoxError> {
    let mut serving = serve()?;
    ask(&serving.handle().local_addrs()[0])?;
    serving.join()?;
    println!("{} datagrams received", serving.handle().stats().received);
    Ok(())
}
