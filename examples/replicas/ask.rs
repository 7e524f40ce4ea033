//! Clients that repeat their requests until they are answered.

use std::{sync::Arc, time::Duration};

use datagrammar::{BoxError, RequestClient};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    USAGE,
    packet::{
        ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCT_SESSION_ID, ACCT_STATUS_TYPE, Packet, USER_NAME,
    },
    protocol::Radius,
};

/// What each client does.
struct Plan {
    addr: String,
    secret: String,
    code: u8,
    name: String,
    requests: u32,
    pause: Duration,
}

/// What came of it.
#[derive(Default)]
struct Sum {
    answered: u64,
    attempts: u64,
    slowest: Duration,
}

/// Runs clients with a port of their own each, so many at once. A client has 256 ids, so it sends up to 250 requests.
pub(super) async fn run(args: &[String]) -> Result<(), BoxError> {
    let [addr, secret, kind, name, clients, at_once, requests, pause] = args else {
        return Err(USAGE.into());
    };
    let plan = Arc::new(Plan {
        addr: addr.clone(),
        secret: secret.clone(),
        code: if kind == "acct" { ACCOUNTING_REQUEST } else { ACCESS_REQUEST },
        name: name.clone(),
        requests: requests.parse()?,
        pause: Duration::from_millis(pause.parse()?),
    });
    let places = Arc::new(Semaphore::new(at_once.parse()?));
    let mut tasks = JoinSet::new();
    for n in 0..clients.parse()? {
        let (plan, places) = (Arc::clone(&plan), Arc::clone(&places));
        tasks.spawn(async move {
            let _place = places.acquire_owned().await?;
            plan.run(n).await
        });
    }
    let mut sum = Sum::default();
    while let Some(done) = tasks.join_next().await {
        let one = done??;
        sum.answered += one.answered;
        sum.attempts += one.attempts;
        sum.slowest = sum.slowest.max(one.slowest);
    }
    let Sum { answered, attempts, slowest } = sum;
    println!("answered {answered} attempts {attempts} slowest {}", slowest.as_millis());
    Ok(())
}

impl Plan {
    async fn run(&self, n: u32) -> Result<Sum, BoxError> {
        let client = RequestClient::builder(Radius::new(&self.secret))
            .initial_timeout(Duration::from_millis(500))
            .max_timeout(Duration::from_secs(2))
            .total_timeout(Duration::from_secs(40))
            .connect(self.addr.as_str())
            .await?;
        let mut sum = Sum::default();
        for m in 0..self.requests {
            let name = format!("{}-{n}-{m}", self.name);
            let request = Packet::request(self.code)
                .with(ACCT_STATUS_TYPE, [0, 0, 0, 1])
                .with(USER_NAME, &*name)
                .with(ACCT_SESSION_ID, &*name);
            let begin = Instant::now();
            match client.request(request).await {
                Ok(_) => sum.answered += 1,
                Err(error) => println!("failed {name} {error}"),
            }
            sum.slowest = sum.slowest.max(begin.elapsed());
            sleep(self.pause).await;
        }
        sum.attempts = client.stats().attempts;
        Ok(sum)
    }
}
