//! A RADIUS accounting server of which several run at once, behind a balancer that sends each datagram to any of them.
//! What they have answered and recorded is in Redis or NATS.
//!
//! ```sh
//! cargo run --example replicas --features radius,stores -- serve 127.0.0.1:1813 secret redis://127.0.0.1 drop 3000
//! cargo run --example replicas --features radius,stores -- serve 127.0.0.1:1814 secret redis://127.0.0.1 drop 3000
//! echo 'Acct-Session-Id=1,Acct-Status-Type=Start' | radclient 127.0.0.1:1813 acct secret
//! echo 1 | cargo run --example replicas --features radius,stores -- recorded redis://127.0.0.1
//! ```
//!
//! `drop` or `serve` is what happens to requests while the store is down, and 3000 is the lease in milliseconds. With a
//! lease, a request of a replica that died runs again, so a record is made only if there is none. Without one (0), no
//! request runs twice, so each run of the handler counts.
//!
//! `ask` is a client for tests: it prints each request that fails, and at the end how many were answered.

mod ask;
#[allow(dead_code, reason = "the other example uses the rest")]
#[path = "../radius/packet.rs"]
mod packet;
#[path = "../radius/protocol.rs"]
mod protocol;

use std::{env, io, sync::Arc, time::Duration};

use datagrammar::{BoxError, DropReason, Json, ReplyCache, Server, StoreFailure, with_state};
use datagrammar_stores::{
    NatsBucket, NatsStore, RedisStore, Replies, SessionError, Sessions, Store,
};
use packet::{
    ACCESS_ACCEPT, ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, ACCT_SESSION_ID, Packet,
};
use protocol::Radius;
use serde_json::json;
use tokio::time::{Instant, sleep};

/// What the replicas have recorded: how often, by session.
type Records<S> = Sessions<S, Json<u32>>;

/// How long a request is known. Clients repeat it for 40 s.
const TTL: Duration = Duration::from_secs(60);

/// How long a handler tries to reach the store.
const PATIENCE: Duration = Duration::from_secs(20);

struct Accounting<S> {
    records: Records<S>,
    /// Whether a request may run again, after the replica that had it has died.
    may_run_again: bool,
}

/// Answers one request, if it could be recorded.
async fn answer<S: Store>(shared: Arc<Accounting<S>>, request: Packet) -> Option<Packet> {
    match request.code {
        ACCESS_REQUEST => Some(request.respond(ACCESS_ACCEPT)), // needs no store
        ACCOUNTING_REQUEST => {
            let session = request.text(ACCT_SESSION_ID)?;
            let recorded = if shared.may_run_again {
                record_once(&shared.records, &session).await
            } else {
                count(&shared.records, &session).await
            };
            match recorded {
                Ok(()) => Some(request.respond(ACCOUNTING_RESPONSE)),
                Err(error) => {
                    eprintln!("{session} is not recorded: {error}");
                    None
                }
            }
        }
        _ => None, // not for servers
    }
}

/// Records a session unless it is recorded. So it may be tried again.
async fn record_once<S: Store>(records: &Records<S>, session: &str) -> Result<(), SessionError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match records.create(session, &1).await {
            Ok(_) => return Ok(()),
            Err(SessionError::Conflict) => {
                println!("again {session}");
                return Ok(());
            }
            Err(error) if error.is_unavailable() && Instant::now() < end => {
                sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Counts how often a session was recorded. If that fails, nobody knows, so it is not tried again.
async fn count<S: Store>(records: &Records<S>, session: &str) -> Result<(), SessionError> {
    records.update(session, |count| count.unwrap_or(0) + 1).await.map(drop)
}

async fn serve<S: Store + Clone>(store: S, args: &[String]) -> Result<(), BoxError> {
    let [addr, secret, _, policy, lease] = args else { return Err(USAGE.into()) };
    let lease = Duration::from_millis(lease.parse()?);
    let failure = match policy.as_str() {
        "drop" => StoreFailure::Drop,
        "serve" => StoreFailure::Serve,
        _ => return Err(USAGE.into()),
    };
    // The balancer sends each repetition from another port. An accounting request has its session and the name of its
    // client, and an authenticator over both.
    let mut replies =
        Replies::new(store.clone()).identified_by(|request| request.datagram().to_vec());
    if !lease.is_zero() {
        replies = replies.lease(lease);
    }
    let cache = ReplyCache::default()
        .ttl(TTL)
        .store_timeout(Duration::from_millis(500))
        .store_failure(failure);
    let records = Sessions::new(store, Json::new());
    let shared = Arc::new(Accounting { records, may_run_again: !lease.is_zero() });
    let server = Server::builder(Radius::new(secret), with_state(shared, answer))
        .reply_cache(cache)
        .reply_store(replies)
        .bind(addr.as_str())
        .await?;
    let handle = server.handle();
    println!("listening on {}", server.local_addr());
    server.serve_until_signal().await?;
    let stats = handle.stats();
    let stats = json!({
        "duplicate": stats.dropped(DropReason::Duplicate),
        "replayed": stats.replayed,
        "store_errors": stats.store_errors,
        "store_failed": stats.dropped(DropReason::StoreFailed),
        "store_timeouts": stats.store_timeouts,
    });
    println!("stats {stats}");
    Ok(())
}

/// Prints how often each session of the standard input is recorded.
async fn recorded(store: impl Store) -> Result<(), BoxError> {
    let records = Records::new(store, Json::new());
    for session in io::stdin().lines() {
        let session = session?;
        let count = records.load(&session).await?.map_or(0, |session| session.state);
        println!("{session} {count}");
    }
    Ok(())
}

async fn nats(url: &str) -> Result<NatsStore, BoxError> {
    let bucket = NatsBucket::new("radius", Duration::from_secs(2 * 3600)).max_bytes(64 << 20);
    Ok(NatsStore::connect(url, bucket).await?)
}

fn redis(url: &str) -> Result<RedisStore, BoxError> {
    Ok(RedisStore::new(url, "radius:")?)
}

const USAGE: &str = "usage: replicas serve ADDR:PORT SECRET URL drop|serve LEASE_MS | recorded URL | \
    ask ADDR:PORT SECRET acct|auth NAME CLIENTS AT_ONCE REQUESTS PAUSE_MS";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (command, args) = args.split_first().ok_or(USAGE)?;
    let url = args.get(if command == "recorded" { 0 } else { 2 }).map_or("", |url| url);
    match command.as_str() {
        "serve" if url.starts_with("redis") => serve(redis(url)?, args).await,
        "serve" => serve(nats(url).await?, args).await,
        "recorded" if url.starts_with("redis") => recorded(redis(url)?).await,
        "recorded" => recorded(nats(url).await?).await,
        "ask" => ask::run(args).await,
        _ => Err(USAGE.into()),
    }
}
