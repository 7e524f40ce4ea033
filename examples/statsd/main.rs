//! A server of statsd: it collects the metrics of other programs, and shows them to Prometheus.
//!
//! ```sh
//! cargo run --example statsd --features statsd -- 127.0.0.1:9102 127.0.0.1:8125 /tmp/statsd.sock
//! echo 'page.views:1|c|#site:shop' | nc -u -q 0 127.0.0.1 8125   # in another terminal
//! curl http://127.0.0.1:9102/metrics
//! ```
//!
//! The first address is that of the page. One server receives on all the others: UDP, and Unix sockets by their paths.
//!
//! `metric.rs` reads a line, `protocol.rs` a datagram. `registry.rs` has the values, and `page.rs` makes the page.

#[path = "../metrics/http.rs"]
mod http;
pub(crate) mod metric;
pub(crate) mod page;
pub(crate) mod protocol;
pub(crate) mod registry;

use std::{
    env,
    sync::{Arc, Mutex},
};

use datagrammar::{AnyTransport, BoxError, Limits, PrometheusPage, Server, Udp, with_state};
use protocol::{Lines, Statsd};
use registry::Registry;
use tokio::net::TcpListener;

/// Clients send up to 1,432 bytes over UDP, and up to 8,192 over Unix sockets.
const MAX_DATAGRAM: usize = 8_192;

async fn count(registry: Arc<Mutex<Registry>>, lines: Lines) {
    let mut registry = registry.lock().unwrap();
    for metric in &lines.metrics {
        registry.add(metric);
    }
    registry.counts.refused_lines += lines.refused;
    registry.counts.ignored_lines += lines.ignored;
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut args = env::args().skip(1);
    let (pages_addr, transports) = (args.next(), args.map(transport).collect::<Vec<_>>());
    let Some(pages_addr) = pages_addr.filter(|_| !transports.is_empty()) else {
        return Err("usage: statsd PAGES_ADDR:PORT ADDR:PORT|PATH...".into());
    };
    let registry = Arc::new(Mutex::new(Registry::default()));
    let handler = with_state(registry.clone(), count);
    let limits = Limits::default().max_datagram_size(MAX_DATAGRAM);
    let server = Server::builder(Statsd, handler).limits(limits).bind(transports).await?;
    let listener = TcpListener::bind(pages_addr).await?;
    let handle = server.handle();
    for addr in handle.local_addrs() {
        println!("listening on {addr}");
    }
    println!("pages on http://{}/", listener.local_addr()?);

    let stats = handle.clone();
    let pages = move |path: &str| {
        let page = || page::page(&registry.lock().unwrap());
        (path == "/metrics").then(|| page() + &stats.stats().to_prometheus(&[]))
    };
    tokio::spawn(http::serve(listener, PrometheusPage::CONTENT_TYPE, pages));
    server.serve_until_signal().await?;
    println!("{}", handle.stats());
    Ok(())
}

fn transport(addr: String) -> AnyTransport {
    #[cfg(target_os = "linux")]
    if addr.contains('/') {
        // All users of the host may send, and most programs do not bind the socket that they send from.
        let socket = datagrammar::Unix::new(addr).mode(0o666).replace_stale(true);
        return socket.unnamed_peers(datagrammar::UnnamedPeers::Serve).into();
    }
    // Nobody repeats a lost metric, so let the kernel hold a larger burst than the default of 4 MiB.
    Udp::new(addr).recv_buffer_size(16 << 20).into()
}
