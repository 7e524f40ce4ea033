//! Peers of an echo server that ask in turn, each from an address of its own: `tests/faults/flood.py` starts them beside a
//! flood. They are plain clients, so nothing is sent twice, except when the server asks for an address token.

use std::{
    net::{IpAddr, SocketAddr},
    process::exit,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use datagrammar::{BoxError, Client, Raw, Udp};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

const HELP: &str = "\
usage: honest_peers SERVER REQUESTS MICROSECONDS SECONDS ADDRESS...

  SERVER        the address of an echo server with `--tokens`
  REQUESTS      how many requests are sent in all
  MICROSECONDS  the time from one request to the next one, which another peer sends
  SECONDS       how long a request waits for its answer
  ADDRESS...    the addresses of the peers

It prints how many requests were answered in that time.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [server, requests, every, patience, addrs @ ..] = &args[..] else {
        usage("an argument is missing");
    };
    let (server, requests) = (parsed::<SocketAddr>(server), parsed::<usize>(requests));
    let every = Duration::from_micros(parsed(every));
    let patience = Duration::from_secs(parsed(patience));
    let mut peers = Vec::new();
    for addr in addrs {
        let udp = Udp::new(server).local_addr((parsed::<IpAddr>(addr), 0));
        let client = Client::builder(Raw).address_token_envelope(true).connect(udp).await?;
        // A peer whose request is late waits with its next one, so that each answer belongs to one request.
        peers.push(Arc::new(Mutex::new(client)));
    }
    if peers.is_empty() {
        usage("there is no address");
    }

    let mut asking = JoinSet::new();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for (n, peer) in (0..requests).zip(peers.iter().cycle()) {
        ticks.tick().await;
        let (peer, request) = (Arc::clone(peer), format!("{n:017}"));
        asking.spawn(async move {
            let peer = peer.lock().await;
            is_answered(&peer, request, patience).await
        });
    }
    let answered = asking.join_all().await.into_iter().filter(|is_answered| *is_answered).count();
    let (mut challenges, mut sent) = (0, 0);
    for peer in &peers {
        let stats = peer.lock().await.stats();
        challenges += stats.challenges;
        sent += stats.sent;
    }
    println!("asked {requests}, answered {answered}, challenges {challenges}, sent {sent}");
    Ok(())
}

async fn is_answered(peer: &Client<Raw>, request: String, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    if peer.send(&request.clone().into()).await.is_err() {
        return false;
    }
    loop {
        match peer.recv_deadline(until).await {
            Ok(answer) if answer == request => return true,
            // It is late.
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn parsed<T: FromStr>(arg: &str) -> T {
    arg.parse().unwrap_or_else(|_| usage(&format!("{arg} is not what it should be")))
}

fn usage(problem: &str) -> ! {
    eprintln!("honest_peers: {problem}\n\n{HELP}");
    exit(2);
}
