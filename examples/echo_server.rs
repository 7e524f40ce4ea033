//! A server that sends back whatever JSON it receives, and says so when it is not JSON:
//!
//! ```sh
//! cargo run --release --example echo_server
//! cargo run --release --example echo_server -- --bind 127.0.0.1:0
//! ```
//!
//! Talk to it with the example `echo_client`. It is for trying things out: on the open internet, a
//! server that answers everything can be made to talk to another one for ever, by a request that
//! claims to come from there.

use std::{env, net::IpAddr, process::exit};

use datagrammar::{BoxError, Handler, Json, Peer, RecvError, Server};
use serde_json::{Value, json};

const HELP: &str = "\
usage: echo_server [--bind ADDR[:PORT]] [--port N]

  --bind ADDR[:PORT]  the address to listen on (default: [::], all addresses, IPv4 too)
  --port N            the port, if ADDR has none (default: 9000; 0: one that is free)
  --help              this text";

struct Echo;

impl Handler<Value, Value> for Echo {
    async fn handle(&self, peer: &mut Peer<Value, Value>) -> Result<(), BoxError> {
        let response = match peer.recv().await {
            Ok(request) => {
                println!("{} sent {request}", peer.addr());
                request
            }
            Err(RecvError::Decode(_)) => json!({"error": "Invalid JSON", "code": "parse_error"}),
            Err(error) => return Err(error.into()),
        };
        peer.send(&response).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    if let Err(error) = serve(&addr()).await {
        eprintln!("echo_server: {error}");
        exit(1);
    }
}

async fn serve(addr: &str) -> Result<(), BoxError> {
    let server = Server::builder(Json::new(), Echo).bind(addr).await?;
    let handle = server.handle();
    println!("listening on {}", handle.local_addrs()[0]);
    server.serve_until_signal().await?;
    println!("stopped, {} datagrams received", handle.stats().received);
    Ok(())
}

/// Reads the address to listen on from the command line.
fn addr() -> String {
    let (mut addr, mut port) = ("::".to_owned(), 9000);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--help", _) => {
                println!("{HELP}");
                exit(0);
            }
            ("--bind", Some(value)) => addr = value,
            ("--port", Some(value)) => {
                port = value.parse().unwrap_or_else(|_| usage("a port is a number up to 65535"));
            }
            ("--bind" | "--port", None) => usage(&format!("{arg} has no value")),
            _ => usage(&format!("{arg} is not an option")),
        }
    }
    match addr.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        Err(_) if addr.contains(':') => addr,
        Ok(IpAddr::V4(_)) | Err(_) => format!("{addr}:{port}"),
    }
}

fn usage(problem: &str) -> ! {
    eprintln!("echo_server: {problem}\n\n{HELP}");
    exit(2);
}
