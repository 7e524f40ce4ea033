//! A server that replaces itself without losing a datagram: on SIGHUP it starts its program once more, which takes over its
//! sockets. Conversations go on in the old process until they end.
//!
//! ```sh
//! cargo run --example handover -- /tmp/count.sock 127.0.0.1:9000
//! kill -HUP PROCESS
//! ```

#[cfg(unix)]
use {
    datagrammar::{BoxError, Handler, Peer, Server, TakeOver, Text},
    std::{env, process::Command, time::Duration},
    tokio::signal::unix::{SignalKind, signal},
};

/// Counts the requests of each conversation, which ends with "bye".
#[cfg(unix)]
struct Counting;

#[cfg(unix)]
impl Handler<String, String> for Counting {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        for number in 1.. {
            let request = peer.recv().await?;
            peer.send(format!("{}: {number} {request}", std::process::id())).await?;
            if request == "bye" {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut args = env::args().skip(1);
    let (Some(path), Some(addr)) = (args.next(), args.next()) else {
        return Err("usage: handover PATH ADDRESS".into());
    };
    // Once an upgrade has replaced the file, this would return a path that does not exist.
    let program = env::current_exe()?;
    let transport = TakeOver::from(&path).or(addr.as_str());
    let server = Server::bind(transport, Text, Counting).await?;
    let handle = server.handle();
    println!("listening on {}", server.local_addr());

    let mut restart = signal(SignalKind::hangup())?;
    let at = path.clone();
    let handing_over =
        tokio::spawn(async move { handle.hand_over(at, Duration::from_secs(60)).await });
    let successor = async {
        while restart.recv().await.is_some() {
            // If it cannot start, this process goes on.
            if let Err(error) = Command::new(&program).args([&path, &addr]).spawn() {
                eprintln!("cannot start again: {error}");
            }
        }
    };
    tokio::select! {
        served = server.serve() => served?,
        () = successor => {}
    }
    println!("ended, {} conversations aborted", handing_over.await??);
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("Sockets can be handed over on Unix systems only.");
}
