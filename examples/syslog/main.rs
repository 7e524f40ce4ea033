//! A collector of log messages: it receives syslog (RFC 5424, and RFC 3164 as senders really write it)
//! and prints one line of JSON per message.
//!
//! ```sh
//! cargo run --example syslog -- 127.0.0.1:5514 '[::1]:5514'
//! logger --server 127.0.0.1 --port 5514 --udp 'disk is full'   # in another terminal
//! ```
//!
//! With a path it takes the place of `/dev/log`, over a Unix datagram socket, beside UDP or alone:
//!
//! ```sh
//! cargo run --example syslog -- 127.0.0.1:5514 /tmp/log
//! logger --socket /tmp/log 'disk is full'
//! ```
//!
//! `protocol.rs` turns a datagram into the `Message` of `message.rs`.

mod message;
mod protocol;
mod rfc3164;
mod rfc5424;
mod timestamp;

use std::{convert::Infallible, env, io, io::Write, process::exit};

use datagrammar::{
    AnyTransport, BoxError, DatagramProtocol, Handler, Json, Peer, RecvError, Server, Udp,
};
use message::Message;
use protocol::Syslog;
use serde::Serialize;

/// Prints what it receives. It never answers, so the packet that it sends is `Infallible`.
struct Collector;

/// A line of the output.
#[derive(Serialize)]
struct Line {
    from: String,
    #[serde(flatten)]
    message: Message,
}

impl Handler<Message, Infallible> for Collector {
    /// Takes one message and ends, so a sender occupies no memory between its messages. The messages
    /// of one sender are still handled in order, one at a time.
    async fn handle(&self, peer: &mut Peer<Message, Infallible>) -> Result<(), BoxError> {
        let from = peer.addr().to_string();
        match peer.recv().await {
            Ok(message) => print(&Line { from, message }),
            Err(RecvError::Decode(error)) => {
                eprintln!("refused from {from:?}: {error}");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A message may contain line feeds and control sequences of terminals, with which a sender could
/// forge the lines of others. JSON in ASCII escapes them. A codec works without a socket, too.
fn print(line: &Line) -> Result<(), BoxError> {
    let mut bytes = Vec::new();
    Json::<(), Line>::new().ascii().encode(line, &mut bytes)?;
    bytes.push(b'\n');
    if let Err(error) = io::stdout().lock().write_all(&bytes) {
        eprintln!("syslog: cannot write to standard output: {error}");
        exit(1); // the service manager should know that messages are lost
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let transports: Vec<_> = env::args().skip(1).map(transport).collect();
    if transports.is_empty() {
        return Err("usage: syslog ADDR:PORT|PATH...".into());
    }
    let server = Server::bind(transports, Syslog, Collector).await?;
    let handle = server.handle();
    for addr in handle.local_addrs() {
        eprintln!("listening on {addr}"); // standard output is for messages
    }
    server.serve_until_signal().await?;
    let stats = handle.stats();
    eprintln!("stopped, {} received, {} refused", stats.received, stats.decode_errors);
    Ok(())
}

fn transport(addr: String) -> AnyTransport {
    #[cfg(target_os = "linux")]
    if addr.contains('/') {
        // All users of the host may log, and most programs do not bind the socket that they send from.
        let socket = datagrammar::Unix::new(addr).mode(0o666).replace_stale(true);
        return socket.unnamed_peers(datagrammar::UnnamedPeers::Serve).into();
    }
    // Nobody repeats a lost message, so let the kernel hold a larger burst than the default of 4 MiB.
    Udp::new(addr).recv_buffer_size(16 << 20).into()
}
