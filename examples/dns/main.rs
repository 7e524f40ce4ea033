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
//! `query.rs` reads queries, and `response.rs` writes responses. `protocol.rs` makes both a protocol, and its cookies the address
//! tokens of the server. `zone.rs` finds what the zone has for a question.

pub(crate) mod protocol;
pub(crate) mod query;
pub(crate) mod response;
pub(crate) mod zone;

use std::{env, fs, time::SystemTime};

use datagrammar::{
    AddressTokens, BoxError, Guard, Handler, Peer, RecvError, SendError, Server, TokenSecret,
};
use protocol::{Dns, cookie};
use query::Query;
use response::Response;
use zone::{Answer, Zone};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (addr, file, tokens) = match &args[..] {
        [addr, file] => (addr, file, AddressTokens::new(TokenSecret::generate()?)),
        [addr, file, secret, rest @ ..] if ["", "required"].contains(&&*rest.concat()) => {
            let tokens = AddressTokens::new(secret.parse::<TokenSecret>()?);
            (addr, file, tokens.required(!rest.is_empty()))
        }
        _ => return Err("usage: dns ADDR:PORT ZONE-FILE [SECRET [required]]".into()),
    };
    let zone = Zone::read(&fs::read(file)?)?;
    // For clients without a valid cookie. The others are validated, so the guard does not limit them.
    let guard = Guard::internet()
        // A referral with its addresses, or a TXT record with a key, is up to 8 times as long as its query. An answer that is
        // longer is replaced by an empty one with TC, which always fits.
        .reply_factor(8)
        // To each address, as in Knot DNS: a resolver with more questions has cookies. Queries from port 53 are dropped, as by
        // default: other servers listen there, and clients use random ports (RFC 5452).
        .reply_rate(50)
        .reply_burst(125);
    let server = Server::builder(Dns, Service { zone, tokens: tokens.clone() })
        .address_tokens(tokens)
        .guard(guard)
        .bind(addr)
        .await?;
    println!("listening on {}", server.local_addr());
    Ok(server.serve_until(tokio::signal::ctrl_c()).await?)
}

pub(crate) struct Service {
    zone: Zone,
    tokens: AddressTokens,
}

impl Handler<Query, Response> for Service {
    /// Answers one query. So each query is a conversation, and a client takes no place afterwards.
    async fn handle(&self, peer: &mut Peer<Query, Response>) -> Result<(), BoxError> {
        let query = match peer.recv().await {
            Ok(query) => query,
            Err(RecvError::Decode(_)) => {
                if let Some(refusal) = peer.undecoded().and_then(Response::refusal) {
                    peer.send(refusal).await?;
                }
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let addr = peer.addr().socket_addr().ok_or("not an IP address")?;
        let cookie = &cookie(&query, &self.tokens.for_peer(addr, SystemTime::now()));
        let from_zone = || self.zone.answer(&query.question);
        let answer = query.error().map_or_else(from_zone, Answer::empty);
        match peer.send(Response::new(&query, &answer, cookie.as_ref())?).await {
            // The client asks again, by TCP or with the cookie.
            Err(SendError::OverBudget { .. }) => {
                peer.send(Response::new(&query, &answer.truncated(), cookie.as_ref())?).await?;
            }
            sent => sent?,
        }
        Ok(())
    }
}
