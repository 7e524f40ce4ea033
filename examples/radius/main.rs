//! A RADIUS server and a client. The server checks passwords (RFC 2865) and prints accounting records (RFC 2866), one
//! line of JSON each. A request that a client repeats runs the handler once (RFC 5080).
//!
//! ```sh
//! cargo run --example radius --features radius -- 127.0.0.1:1812 secret nemo=arctangent
//! cargo run --example radius --features radius -- ask 127.0.0.1:1812 secret nemo=arctangent
//! echo 'User-Name=nemo,User-Password=arctangent,Message-Authenticator=0x00' |
//!     radclient 127.0.0.1:1812 auth secret
//! ```
//!
//! `protocol.rs` turns datagrams into the `Packet`s of `packet.rs`, and says which response belongs to which
//! request. So a `RequestClient` speaks it too.

mod packet;
mod protocol;

use std::{collections::HashMap, env, sync::Arc};

use datagrammar::{Addr, BoxError, ReplyCache, RequestClient, Server, with_state};
use packet::{
    ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE,
    ACCT_SESSION_ID, ACCT_STATUS_TYPE, Packet, REPLY_MESSAGE, USER_NAME, USER_PASSWORD,
};
use protocol::Radius;
use serde_json::json;

/// The passwords of the users.
type Users = Arc<HashMap<String, String>>;

/// Answers one request. Its authenticator is already checked.
async fn answer(users: Users, request: Packet, from: Addr) -> Option<Packet> {
    match request.code {
        ACCESS_REQUEST => Some(check(&users, &request)),
        ACCOUNTING_REQUEST => {
            record(&request, &from);
            Some(request.respond(ACCOUNTING_RESPONSE))
        }
        _ => None, // not for servers
    }
}

fn check(users: &Users, request: &Packet) -> Packet {
    let name = request.text(USER_NAME).unwrap_or_default();
    let password = request.get(USER_PASSWORD);
    match users.get(&name) {
        Some(known) if password == Some(known.as_bytes()) => {
            request.respond(ACCESS_ACCEPT).with(REPLY_MESSAGE, format!("Welcome, {name}."))
        }
        _ => request.respond(ACCESS_REJECT).with(REPLY_MESSAGE, "Unknown name or password."),
    }
}

/// Prints a record. JSON escapes what a client could forge other lines with.
fn record(request: &Packet, from: &Addr) {
    let status = match request.get(ACCT_STATUS_TYPE) {
        Some([0, 0, 0, 1]) => "start",
        Some([0, 0, 0, 2]) => "stop",
        Some([0, 0, 0, 3]) => "interim",
        _ => "other",
    };
    let (session, user) = (request.text(ACCT_SESSION_ID), request.text(USER_NAME));
    let from = from.to_string();
    println!("{}", json!({ "from": from, "status": status, "session": session, "user": user }));
}

async fn serve(addr: &str, secret: &str, users: &[String]) -> Result<(), BoxError> {
    let users = users.iter().map(|user| user_of(user)).collect::<Result<_, _>>()?;
    let server = Server::builder(Radius::new(secret), with_state(Users::new(users), answer))
        // A repeated request gets the same bytes again.
        .reply_cache(ReplyCache::default())
        .bind(addr)
        .await?;
    eprintln!("listening on {}", server.local_addr());
    Ok(server.serve_until_signal().await?)
}

/// Asks a server whether a password is right. The client repeats the request until it is answered.
async fn ask(addr: &str, secret: &str, user: &str) -> Result<(), BoxError> {
    let (name, password) = user_of(user)?;
    let client = RequestClient::connect(addr, Radius::new(secret)).await?;
    let request =
        Packet::request(ACCESS_REQUEST).with(USER_NAME, name).with(USER_PASSWORD, password);
    let response = client.request(request).await?;
    let verdict = if response.code == ACCESS_ACCEPT { "accepted" } else { "rejected" };
    println!("{verdict}: {}", response.text(REPLY_MESSAGE).unwrap_or_default());
    Ok(())
}

fn user_of(arg: &str) -> Result<(String, String), BoxError> {
    let (name, password) = arg.split_once('=').ok_or("a user is NAME=PASSWORD")?;
    Ok((name.to_owned(), password.to_owned()))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [ask, addr, secret, user] if ask == "ask" => self::ask(addr, secret, user).await,
        [addr, secret, users @ ..] => serve(addr, secret, users).await,
        _ => Err("usage: radius ADDR:PORT SECRET [NAME=PASSWORD]... | ask ADDR:PORT SECRET NAME=PASSWORD".into()),
    }
}
