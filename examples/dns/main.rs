//! An authoritative DNS server for the zone of one file (RFC 1035), with EDNS (RFC 6891) and cookies (RFC 7873, RFC 9018).
//!
//! ```sh
//! cargo run --example dns --features dns -- 127.0.0.1:5353 examples/dns/example.zone
//! dig @127.0.0.1 -p 5353 www.example.test A                    # in another terminal
//! ```
//!
//! After the file, the secret of the cookies can follow as 32 hexadecimal digits, the same for all servers of the zone. After
//! that, `required` makes the server answer only clients with cookies.
//!
//! Behind a load balancer such as dnsdist, `--trust-proxy 10.0.0.0/8` before the address names its network. The server then learns
//! the addresses of the clients by the PROXY protocol.
//!
//! `query.rs` reads queries, and `response.rs` writes responses. `protocol.rs` makes both a protocol, and its cookies the address
//! tokens of the server. `zone.rs` finds what the zone has for a question.

pub(crate) mod protocol;
pub(crate) mod query;
pub(crate) mod response;
pub(crate) mod zone;

use std::{env, fs, time::SystemTime};

use datagrammar::{
    AddressTokens, BoxError, Guard, Handler, IpNetwork, Peer, RecvError, SendError, Server,
    TokenSecret,
};
use protocol::{Dns, cookie};
use query::Query;
use response::Response;
use zone::Zone;

const USAGE: &str = "usage: dns [--trust-proxy NETWORK]... ADDR:PORT ZONE-FILE [SECRET [required]]";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut args = env::args().skip(1).peekable();
    let mut proxies: Vec<IpNetwork> = Vec::new();
    while args.next_if(|arg| arg == "--trust-proxy").is_some() {
        proxies.push(args.next().ok_or(USAGE)?.parse()?);
    }
    let (Some(addr), Some(file)) = (args.next(), args.next()) else { return Err(USAGE.into()) };
    let secret = args.next().map_or_else(TokenSecret::generate, |secret| secret.parse())?;
    let is_required = args.next().as_deref() == Some("required");
    let tokens = AddressTokens::new(secret).required(is_required);
    let zone = Zone::read(&fs::read(file)?)?;
    // For clients without a valid cookie. The others are validated, so the guard does not limit them.
    // - A referral with its addresses, or a TXT record with a key, is up to 8 times as long as its query. An answer that is longer is
    //   replaced by an empty one with TC, which always fits.
    // - The rate is to each address, as in Knot DNS: a resolver with more questions has cookies.
    // - Queries from port 53 are dropped, as by default: other servers listen there, and clients use random ports (RFC 5452).
    let guard = Guard::internet().reply_factor(8).reply_rate(50).reply_burst(125);
    let mut server = Server::builder(Dns, Service { zone, tokens: tokens.clone() })
        .address_tokens(tokens)
        .guard(guard);
    if !proxies.is_empty() {
        server = server.trust_proxy(proxies);
    }
    let server = server.bind(addr).await?;
    println!("listening on {}", server.local_addr());
    Ok(server.serve_until_signal().await?)
}

pub(crate) struct Service {
    zone: Zone,
    tokens: AddressTokens,
}

impl Handler<Query, Response> for Service {
    /// Answers one query. So each query is a conversation, and a client takes no place afterwards.
    async fn handle(&self, peer: &mut Peer<Query, Response>) -> Result<(), BoxError> {
        let mut query = match peer.recv().await {
            Err(RecvError::Decode(_)) => match peer.undecoded().and_then(Response::refusal) {
                Some(refusal) => return Ok(peer.send(refusal).await?),
                None => return Ok(()),
            },
            query => query?,
        };
        let addr = peer.addr().socket_addr().ok_or("not an IP address")?;
        query.cookie = cookie(&query, &self.tokens.for_peer(addr, SystemTime::now()));
        let answer = |max_len| Response::new(&query, &self.zone, max_len);
        match peer.send(answer(query.max_len())?).await {
            // It gets an empty one, and asks again, by TCP or with the cookie.
            Err(SendError::OverBudget { .. }) => Ok(peer.send(answer(0)?).await?),
            sent => Ok(sent?),
        }
    }
}
