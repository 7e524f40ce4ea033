//! A service as it runs in production: it takes readings of sensors, and answers with the mean of each sensor.
//!
//! ```sh
//! cargo run --example production --features production -- 127.0.0.1:9000
//! echo '{"sensor":"hall","value":21.5}' | socat -t1 - UDP:127.0.0.1:9000
//! curl http://127.0.0.1:9001/ready
//! ```
//!
//! The other files of this folder run it: units of systemd, kernel settings, and a Dockerfile.

mod options;
mod readings;

use std::sync::Arc;

use datagrammar::{
    BoxError, Guard, Json, Limits, Server, Termination, admin::Admin, systemd, with_state,
};
use options::Options;
use readings::{Answer, Reading, Readings};

async fn record(readings: Arc<Readings>, reading: Reading) -> Answer {
    readings.record(reading)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // To the journal or the container's log, which add the time.
    tracing_subscriber::fmt().without_time().with_ansi(false).init();
    let options = Options::parse(std::env::args().skip(1))?;

    let handler = with_state(Arc::new(Readings::default()), record);
    let server = Server::builder(Json::new(), handler)
        .limits(Limits::default().max_total_queue_bytes(16 << 20))
        // Answers are not much longer than requests, so the budget of the guard is enough.
        .guard(Guard::internet())
        .bind(options.transport)
        .await?;
    let handle = server.handle();
    // Which buffers the kernel has granted, and which setting to change.
    println!("{}", handle.diagnostics());

    let operators = Admin::new()
        .server("readings", handle.clone())
        .allow_remote(!options.operators.ip().is_loopback())
        .bind(options.operators)?;
    if let Some(addr) = operators.local_addr() {
        println!("operators: http://{addr}");
    }

    let termination = Termination::default().lame_duck(options.lame_duck);
    systemd::notify(handle.clone(), server.serve_until_signal_with(termination)).await?;
    println!("stopped: {}", handle.stats());
    Ok(())
}
