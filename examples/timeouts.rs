//! A conversation that ends when the peer is silent. Its clean-up in `Drop` runs however it ends.
//!
//! ```sh
//! cargo run --example timeouts
//! ```

use datagrammar::{BoxError, Client, Handler, Peer, RecvError, Server, Text};
use tokio::time::{Duration, sleep};

/// A player who is in the game as long as this lives. A real game removes the player from a map in `drop`.
struct Player(String);

impl Drop for Player {
    fn drop(&mut self) {
        println!("{} has left", self.0);
    }
}

struct Game;

impl Handler<String, String> for Game {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let player = Player(peer.recv().await?);
        loop {
            match peer.recv_timeout(Duration::from_millis(100)).await {
                Ok(word) if word == "wait" => sleep(Duration::from_secs(3_600)).await,
                Ok(word) => println!("{}: {word}", player.0),
                Err(RecvError::TimedOut) => break,
                Err(error) => return Err(error.into()),
            }
        }
        println!("{} is silent", player.0);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let server = Server::bind("127.0.0.1:0", Text, Game).await?;
    let ada = Client::connect(server.local_addr(), Text).await?;
    let bob = Client::connect(server.local_addr(), Text).await?;
    ada.send_all(["Ada", "hello"].map(str::to_owned)).await?;
    bob.send_all(["Bob", "wait"].map(str::to_owned)).await?;
    let handle = server.handle();
    let ada_has_left = async {
        while handle.stats().conversations == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    Ok(server.serve_until(ada_has_left).await?)
}
