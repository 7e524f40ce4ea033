//! Sends accounting requests to a RADIUS server: `radius_client ADDR SECRET CLIENTS REQUESTS`. Each client has a port of
//! its own, and sends so many requests. Each has another Acct-Session-Id. Prints the counters.

#[allow(dead_code, reason = "the server uses the others")]
#[path = "../../examples/radius/packet.rs"]
mod packet;
#[path = "../../examples/radius/protocol.rs"]
mod protocol;

use std::{env, error::Error};

use datagrammar::RequestClient;
use packet::{ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, ACCT_SESSION_ID, ACCT_STATUS_TYPE, Packet};
use protocol::Radius;
use tokio::{task::JoinSet, time::Duration};

type BoxError = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [addr, secret, clients, requests] = &args[..] else {
        return Err("usage: radius_client ADDR SECRET CLIENTS REQUESTS".into());
    };
    let (clients, requests): (u32, u32) = (clients.parse()?, requests.parse()?);
    let mut tasks = JoinSet::new();
    for n in 0..clients {
        let client = RequestClient::builder(Radius::new(secret))
            .initial_timeout(Duration::from_millis(100))
            .min_timeout(Duration::from_millis(50))
            .max_timeout(Duration::from_secs(2))
            .total_timeout(Duration::from_secs(120)) // with the wait for a place among those in flight
            .connect(addr.as_str())
            .await?;
        tasks.spawn(run(client, n, requests));
    }
    let (mut answered, mut attempts) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        let (one, other) = done??;
        answered += one;
        attempts += other;
    }
    println!("answered {answered} attempts {attempts}");
    Ok(())
}

async fn run(client: RequestClient<Radius>, n: u32, requests: u32) -> Result<(u64, u64), BoxError> {
    let mut asking = JoinSet::new();
    for m in 0..requests {
        let client = client.clone();
        asking.spawn(async move {
            let request = Packet::request(ACCOUNTING_REQUEST)
                .with(ACCT_STATUS_TYPE, [0, 0, 0, 1])
                .with(ACCT_SESSION_ID, format!("{n}-{m}"));
            client.request(request).await.map(|response| response.code)
        });
    }
    for code in asking.join_all().await {
        if code? != ACCOUNTING_RESPONSE {
            return Err("not an accounting response".into());
        }
    }
    let stats = client.stats();
    Ok((stats.answered, stats.attempts))
}
