//! An echo server whose statistics Prometheus reads, in both ways that there are.
//!
//! ```sh
//! cargo run --example metrics --features metrics -- 127.0.0.1:9000 127.0.0.1:9090
//! curl http://127.0.0.1:9090/metrics    # through the crate `metrics`, with metrics-exporter-prometheus
//! curl http://127.0.0.1:9090/stats      # without another crate: `to_prometheus`
//! ```
//!
//! `dashboard.json` is a dashboard of Grafana for both, `prometheus.yml` a configuration of Prometheus. `http.rs` has the HTTP server.

mod http;

use std::env;

use datagrammar::{BoxError, PrometheusPage, Raw, Server, metrics::Publisher};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [addr, pages_addr] = &args[..] else {
        return Err("usage: metrics ADDR:PORT HTTP_ADDR:PORT".into());
    };
    // A program with metrics of its own installs this once, for all of them.
    let exporter = PrometheusBuilder::new().install_recorder()?;
    let server = Server::bind(addr, Raw, async |datagram| datagram).await?;
    let listener = TcpListener::bind(pages_addr).await?;
    println!("listening on {}", server.local_addr());
    println!("pages on http://{}/", listener.local_addr()?);

    let (publisher, handle) = (Publisher::new().label("server", "echo"), server.handle());
    let pages = {
        let (publisher, handle) = (publisher.clone(), handle.clone());
        move |path: &str| match path {
            "/metrics" => {
                publisher.publish_server(&handle.stats()); // so that the page is of this moment
                Some(exporter.render())
            }
            "/stats" => Some(handle.stats().to_prometheus(&[("server", "echo")])),
            _ => None,
        }
    };
    tokio::spawn(http::serve(listener, PrometheusPage::CONTENT_TYPE, pages));
    publisher.during(server.serve_until_signal(), handle.clone()).await?;
    println!("{}", handle.stats());
    Ok(())
}
