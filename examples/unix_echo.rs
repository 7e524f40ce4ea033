//! An echo server on a Unix datagram socket, and a client for it. Only programs of one host use them.
//!
//! ```sh
//! cargo run --example unix_echo -- serve /tmp/echo.sock
//! cargo run --example unix_echo -- ask /tmp/echo.sock Hello world   # in another terminal
//! ```

#[cfg(unix)]
use datagrammar::{BoxError, Bytes, Client, Raw, Server, Text, Unix};

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", path] => {
            // A server that was killed leaves its path behind. The next one takes it over.
            let socket = Unix::new(path).replace_stale(true);
            let server = Server::bind(socket, Raw, async |bytes: Bytes| bytes).await?;
            println!("listening on {}", server.local_addr());
            server.serve_until_signal().await?;
        }
        ["ask", path, ref words @ ..] => {
            // The kernel gives the client a name, so that the server can answer.
            let client = Client::connect(Unix::new(path), Text).await?;
            for &word in words {
                client.send(word.to_owned()).await?;
                println!("{}", client.recv_timeout(std::time::Duration::from_secs(5)).await?);
            }
        }
        _ => return Err("usage: unix_echo serve PATH | ask PATH WORD...".into()),
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this system has no Unix datagram sockets");
}
