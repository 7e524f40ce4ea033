//! A service that systemd starts when the first datagram arrives. It serves the sockets that it inherits, and tells
//! systemd when it serves. The units beside this file are for it. By hand, it takes an address instead:
//!
//! ```sh
//! cargo run --example activated --features systemd -- 127.0.0.1:9000
//! cargo build --example activated --features systemd
//! systemd-socket-activate --datagram -l 127.0.0.1:9000 --fdname=echo target/debug/examples/activated
//! ```

use std::{env, time::Duration};

use datagrammar::{AnyTransport, BoxError, Inherited, Server, Termination, Text, systemd};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut args = env::args().skip(1);
    let transport = match (args.next().as_deref(), args.next()) {
        (None, _) => AnyTransport::new(Inherited::all()),
        (Some("--name"), Some(name)) => AnyTransport::new(Inherited::named(name)),
        (Some("--nth"), Some(position)) => AnyTransport::new(Inherited::nth(position.parse()?)),
        (Some(addr), _) => AnyTransport::new(addr),
    };
    let server = Server::bind(transport, Text, async |text: String| text).await?;
    let handle = server.handle();
    for addr in handle.local_addrs() {
        println!("listening on {addr}");
    }

    // `systemctl stop` sends SIGTERM. Datagrams that arrive from then on wait in the socket, for the next start.
    let termination = Termination::default().grace(Duration::from_secs(5));
    let serving = server.serve_until_signal_with(termination);
    systemd::notify(handle.clone(), serving).await?;
    println!("stopped, {} datagrams received", handle.stats().received);
    Ok(())
}
