//! A CoAP server (RFC 7252). Clients read, write and delete resources, observe them (RFC 7641), and transfer large ones
//! in blocks (RFC 7959).
//!
//! ```sh
//! cargo run --example coap -- 127.0.0.1:5683
//! coap-client-notls -m put -e hello coap://127.0.0.1/greeting   # in another terminal
//! coap-client-notls -s 10 coap://127.0.0.1/time                 # observes it for 10 s
//! ```
//!
//! `message.rs` is the protocol. `service.rs` receives requests and sends notifications, and `answer.rs` makes the
//! answers. `session.rs` has what the server remembers of a client, and `resources.rs` what all clients share.

mod answer;
mod message;
mod resources;
mod service;
mod session;

use std::env;

use datagrammar::{BoxError, Limits, ReplyCache, Server};
use message::Coap;
use service::Service;
use tokio::time::Duration;

/// How long a message may be repeated or delayed (RFC 7252, section 4.8.2).
const EXCHANGE_LIFETIME: Duration = Duration::from_secs(247);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let addr = env::args().nth(1).ok_or("usage: coap ADDR:PORT")?;
    let server = Server::builder(Coap, Service::new())
        // A conversation takes up to 128 KiB, for an upload.
        .limits(Limits::default().max_conversations(1_024))
        // A repeated request gets the same bytes again.
        .reply_cache(ReplyCache::default().ttl(EXCHANGE_LIFETIME))
        .bind(addr)
        .await?;
    println!("listening on {}", server.local_addr());
    server.serve_until(tokio::signal::ctrl_c()).await?;
    Ok(())
}
