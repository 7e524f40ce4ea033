//! Requests over a network that loses a third of all datagrams: each one is answered.
//!
//! ```sh
//! cargo run --example request --features testing
//! ```

use datagrammar::{
    BoxError, Json, ReplyCache, RequestClient, Server, Tagged, TaggedServer, tagged,
    testing::{Conditions, Network},
};
use tokio::time::Duration;

async fn square(number: u64) -> u64 {
    number * number
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let delay = Duration::from_millis(1)..=Duration::from_millis(5);
    let network = Network::new(1, Conditions::default().loss(0.33).duplicate(0.1).delay(delay));
    let protocol = TaggedServer::new(Json::<u64>::new());
    let server = Server::builder(protocol, tagged(square))
        .reply_cache(ReplyCache::default()) // `square` runs once for each request
        .bind(network.bind("10.0.0.1:9000")?)
        .await?;
    server.spawn();

    // Short timers, so that the example ends soon. Without them the first one is 1 s.
    let client = RequestClient::builder(Tagged::new(Json::<u64>::new()))
        .initial_timeout(Duration::from_millis(50))
        .min_timeout(Duration::from_millis(20))
        .max_timeout(Duration::from_millis(200))
        .connect(network.connect("10.0.0.2:9000", "10.0.0.1:9000")?)
        .await?;
    let asking = (1..=100_u64).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { client.request(number).await })
    });
    let mut sum = 0;
    for answer in asking.collect::<Vec<_>>() {
        sum += answer.await??;
    }

    println!("sum of the squares: {sum}");
    println!("{}", client.stats());
    Ok(())
}
