//! A binary protocol written by hand: the time of day over SNTP (RFC 4330). `ntp.rs` beside this file
//! is the protocol, here are a server and a client that speak it:
//!
//! ```sh
//! cargo run --example custom_protocol                            # both in one program
//! cargo run --example custom_protocol -- serve 127.0.0.1:12300   # for any NTP client
//! cargo run --example custom_protocol -- ask time.example:123    # of any NTP server
//! ```

mod ntp;

use std::{env, time::Duration};

use datagrammar::{BoxError, Client, Server, Split};
use ntp::{Request, Requests, Response, Responses, Timestamp};

/// Answers one request. A plain function will do where each request is answered once.
async fn tell_the_time(request: Request) -> Response {
    let now = Timestamp::now();
    Response {
        version: request.version,
        stratum: 1, // as if our clock were right: this is an example
        poll: request.poll,
        precision: -20, // about a microsecond
        root_delay: 0,
        root_dispersion: 0,
        reference_id: *b"LOCL",
        reference: now,
        origin: request.transmit,
        receive: now,
        transmit: Timestamp::now(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", addr] => serve(addr).await?.serve().await?,
        ["ask", server] => ask(server).await?,
        [] => {
            let server = serve("127.0.0.1:0").await?;
            let addr = server.handle().local_addrs()[0].to_string();
            let mut asked = Ok(());
            server.serve_until(async { asked = ask(&addr).await }).await?;
            asked?;
        }
        _ => return Err("usage: custom_protocol [serve ADDR:PORT | ask ADDR:PORT]".into()),
    }
    Ok(())
}

async fn serve(addr: &str) -> Result<Server, BoxError> {
    let protocol = Split::new(Requests, Responses); // what comes in, what goes out
    let server = Server::builder(protocol, tell_the_time).bind(addr).await?;
    println!("listening on {}", server.handle().local_addrs()[0]);
    Ok(server)
}

async fn ask(server: &str) -> Result<(), BoxError> {
    let client = Client::connect(server, Split::new(Responses, Requests)).await?;
    let sent = Timestamp::now();
    client.send(&Request { version: 4, poll: 0, transmit: sent }).await?;
    let response = client.recv_timeout(Duration::from_secs(5)).await?;
    let arrived = Timestamp::now();
    if response.origin != sent {
        return Err("the answer is not to our request".into());
    }
    // RFC 4330, section 5: T1 to T4 are `sent`, `receive`, `transmit` and `arrived`.
    let offset = (response.receive.since(sent) + response.transmit.since(arrived)) / 2.0;
    let delay = arrived.since(sent) - response.transmit.since(response.receive);
    println!("stratum {}, {}", response.stratum, response.reference_id.escape_ascii());
    println!("our clock is off by {offset:.6} s, measured over {delay:.6} s");
    Ok(())
}
