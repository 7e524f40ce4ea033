//! UDP servers to compare with: each echoes bytes, or answers a typed JSON message.
//!
//! `rival_server KIND PORT [key=value ...]`: the kinds are below, the keys are at each kind.

mod blocking;
mod io_uring;
mod json;
mod mmsg;
mod options;
mod quinn;
mod tokio_echo;
mod tokio_json;
mod tokio_runtime;

use std::process::exit;

use self::{options::Options, tokio_runtime::run};

const HELP: &str = "\
usage: rival_server KIND PORT [key=value ...]

  bytes, no runtime   raw-std raw-mmsg raw-gro io-uring
  bytes, tokio        tokio-loop tokio-try tokio-spawn tokio-actor tokio-mmsg tokio-framed quinn-udp
  JSON, no runtime    raw-json
  JSON, tokio         tokio-loop-json tokio-mmsg-json tokio-framed-json";

fn main() {
    let mut args = std::env::args().skip(1);
    let kind = args.next().unwrap_or_else(|| usage("the kind is missing"));
    let port = args.next().and_then(|port| port.parse().ok());
    let port: u16 = port.unwrap_or_else(|| usage("the port is missing"));
    let pairs = args.map(|arg| match arg.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => usage(&format!("{arg} is not key=value")),
    });
    let options = Options::new(port, pairs.collect());
    match kind.as_str() {
        "raw-std" => blocking::one_by_one(&options),
        "raw-mmsg" => blocking::batches(&options),
        "raw-gro" => blocking::segments(&options),
        "raw-json" => blocking::json(&options),
        "io-uring" => io_uring::echo(&options),
        "tokio-loop" => run(options, tokio_echo::one_by_one),
        "tokio-try" => run(options, tokio_echo::until_empty),
        "tokio-spawn" => run(options, tokio_echo::task_per_datagram),
        "tokio-actor" => run(options, tokio_echo::task_per_client),
        "tokio-mmsg" => run(options, tokio_echo::batches),
        "tokio-framed" => run(options, tokio_echo::framed),
        "quinn-udp" => run(options, quinn::echo),
        "tokio-loop-json" => run(options, tokio_json::one_by_one),
        "tokio-mmsg-json" => run(options, tokio_json::batches),
        "tokio-framed-json" => run(options, tokio_json::framed),
        other => usage(&format!("{other} is not a kind of server")),
    }
}

fn usage(problem: &str) -> ! {
    eprintln!("rival_server: {problem}\n\n{HELP}");
    exit(2);
}
