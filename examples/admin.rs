//! A server behind a load balancer: probes ask whether it lives and is ready, Prometheus reads its metrics, and SIGTERM or
//! an operator ends it without losing a request.
//!
//! ```sh
//! cargo run --example admin --features admin
//! curl http://127.0.0.1:9100/ready          # 200 while it serves
//! curl http://127.0.0.1:9100/live           # 503 if a handler blocks a worker
//! curl http://127.0.0.1:9100/metrics
//! curl http://127.0.0.1:9100/diagnostics    # what the kernel granted, and which setting to change
//! curl -X POST http://127.0.0.1:9100/drain  # it ends, as after `kill -TERM`
//! ```
//!
//! Another address of the endpoint may be the first argument, and the lame duck in seconds the second.

use std::{env, time::Duration};

use datagrammar::{BoxError, Server, Termination, Text, admin::Admin};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut args = env::args().skip(1);
    let page = args.next().unwrap_or_else(|| "127.0.0.1:9100".to_owned());
    let lame_duck = args.next().map_or(Ok(5), |seconds| seconds.parse())?;

    let upper = async |text: String| text.to_uppercase();
    let server = Server::bind("127.0.0.1:0", Text, upper).await?;
    let handle = server.handle();
    // Balancers have these 5 s to notice that the server is not ready. Until then it serves everybody.
    let termination = Termination::default().lame_duck(Duration::from_secs(lame_duck));
    let admin = Admin::new().server("upper", handle.clone()).drain(termination).bind(page)?;
    println!("listening on {}", server.local_addr());
    if let Some(addr) = admin.local_addr() {
        println!("pages on http://{addr}/");
    }

    server.serve_until_signal_with(termination).await?;
    println!("stopped, {} datagrams received", handle.stats().received);
    Ok(())
}
