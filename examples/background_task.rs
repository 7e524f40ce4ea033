//! A background task that uses the state of the handler: it saves the collected measurements every 50 ms.
//!
//! ```sh
//! cargo run --example background_task
//! ```

use std::sync::{Arc, Mutex};

use datagrammar::{BoxError, Client, Handler, Json, Peer, Server, ServerContext};
use tokio::time::{Duration, interval, sleep};

/// The measurements that are not saved yet, in an `Arc`, since the task cannot borrow from `self`.
#[derive(Default)]
struct Collector(Arc<Mutex<Vec<f64>>>);

impl Handler<f64, ()> for Collector {
    async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
        let (unsaved, rest) = (Arc::clone(&self.0), Arc::clone(&self.0));
        context.spawn(async move {
            let mut ticks = interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                unsaved.lock().unwrap().drain(..).for_each(|celsius| println!("saved {celsius}"));
            }
        });
        context.on_shutdown(async move {
            rest.lock().unwrap().drain(..).for_each(|celsius| println!("saved {celsius}"));
            println!("the task has ended");
        });
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<f64, ()>) -> Result<(), BoxError> {
        let celsius = peer.recv().await?;
        self.0.lock().unwrap().push(celsius);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let server = Server::bind("127.0.0.1:0", Json::new(), Collector::default()).await?;
    let client = Client::connect(server.local_addr(), Json::<(), f64>::new()).await?;
    client.send_all([21.5, 22.0]).await?;
    let handle = server.handle();
    let both_received = async {
        while handle.stats().conversations < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    Ok(server.serve_until(both_received).await?)
}
