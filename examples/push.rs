//! State that is pushed to all peers and encoded once for all of them.
//!
//! ```sh
//! cargo run --example push
//! ```

use datagrammar::{BoxError, Bytes, Client, Handler, Json, Limits, Peer, Raw, Server, Split};
use tokio::sync::watch;

/// Pushes the newest state, which is encoded already, to each peer in conversation.
struct Push(watch::Receiver<Bytes>);

impl Handler<String, Bytes> for Push {
    async fn handle(&self, peer: &mut Peer<String, Bytes>) -> Result<(), BoxError> {
        peer.recv().await?; // a peer joins with a packet that decodes
        let (sender, mut states) = (peer.sender(), self.0.clone());
        let push = async {
            while states.changed().await.is_ok() {
                let state = states.borrow_and_update().clone();
                sender.send(state).await?;
            }
            Ok(())
        };
        let leave = async {
            while peer.recv().await? != "leave" {}
            Ok(())
        };
        tokio::select! { ended = push => ended, ended = leave => ended }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (states, newest) = watch::channel(Bytes::new());
    let builder = Server::builder(Split::new(Json::<String>::new(), Raw), Push(newest));
    let limits = Limits::default().max_conversations(100); // more cannot join
    let server = builder.limits(limits).bind("127.0.0.1:0").await?;
    let ada = Client::connect(server.local_addr(), Json::<[f64; 2], &str>::new()).await?;
    let bob = Client::connect(server.local_addr(), Json::<[f64; 2], &str>::new()).await?;
    server.spawn();
    ada.send("join").await?;
    bob.send("join").await?;
    states.send_replace(serde_json::to_vec(&[1.5, 2.0])?.into());
    println!("Ada: {:?}, Bob: {:?}", ada.recv().await?, bob.recv().await?);
    Ok(())
}
