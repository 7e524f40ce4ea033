//! The options on the command line.

use std::{process::exit, str::FromStr};

use crate::message::Format;

const HELP: &str = "\
usage: loadgen --port PORT [options]

  --port PORT      the server's port on 127.0.0.1
  --mode MODE      closed (default): each client keeps its window full
                   many: all clients take turns, with one window for all of them
                   flood: requests at a fixed rate, answered or not
  --clients N      clients, each with an address of its own (default 1)
  --window N       requests in flight (default 1)
  --size BYTES     length of a request, at least 8 (default 32)
  --json           typed requests as JSON; else bytes that the server echoes
  --gso            send runs of requests as segments, and receive responses merged
  --multi          one socket for all clients (default, where there are several)
  --sockets        one socket for each client
  --src-port PORT  the port of that one socket (default: any)
  --prime          measure only after each client has sent a request
  --rate N         requests per second in mode flood (default 10000)
  --warmup S       seconds before the measurement begins (default 0.2)
  --duration S     seconds of the measurement (default 1)
  --timeout-ms MS  a request without a response counts as lost after this time (default 250)
  --block          wait in the system call for responses, with a single socket
  --cpu N          the CPU that this program runs on
  --server-cpu N   the CPU that the server runs on
  --pid PID        the server's process, whose CPU time is reported";

#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    Closed,
    Many,
    Flood,
}

pub struct Options {
    pub port: u16,
    pub mode: Mode,
    /// One socket for all clients, or one for each.
    pub multi: bool,
    pub clients: usize,
    pub window: usize,
    pub format: Format,
    pub gso: bool,
    pub rate: f64,
    pub duration: f64,
    pub warmup: f64,
    pub timeout_ms: u64,
    pub cpu: Option<usize>,
    pub server_cpu: Option<usize>,
    pub pid: Option<i32>,
    pub block: bool,
    pub prime: bool,
    pub src_port: u16,
}

impl Options {
    pub fn from_args() -> Self {
        let mut options = Self {
            port: 0,
            mode: Mode::Closed,
            multi: false,
            clients: 1,
            window: 1,
            format: Format::Bytes { size: 32 },
            gso: false,
            rate: 10_000.0,
            duration: 1.0,
            warmup: 0.2,
            timeout_ms: 250,
            cpu: None,
            server_cpu: None,
            pid: None,
            block: false,
            prime: false,
            src_port: 0,
        };
        let (mut multi, mut size, mut json) = (None, 32, false);
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--port" => options.port = number(&arg, args.next()),
                "--mode" => options.mode = mode(args.next().as_deref()),
                "--sockets" => multi = Some(false),
                "--multi" => multi = Some(true),
                "--clients" => options.clients = number(&arg, args.next()),
                "--window" => options.window = number(&arg, args.next()),
                "--size" => size = number(&arg, args.next()),
                "--json" => json = true,
                "--gso" => options.gso = true,
                "--block" => options.block = true,
                "--prime" => options.prime = true,
                "--src-port" => options.src_port = number(&arg, args.next()),
                "--rate" => options.rate = number(&arg, args.next()),
                "--duration" => options.duration = number(&arg, args.next()),
                "--warmup" => options.warmup = number(&arg, args.next()),
                "--timeout-ms" => options.timeout_ms = number(&arg, args.next()),
                "--cpu" => options.cpu = Some(number(&arg, args.next())),
                "--server-cpu" => options.server_cpu = Some(number(&arg, args.next())),
                "--pid" => options.pid = Some(number(&arg, args.next())),
                _ => usage(&format!("{arg} is not an option")),
            }
        }
        if options.port == 0 {
            usage("the server's port is missing");
        }
        if options.clients == 0 || options.window == 0 || size < 8 {
            usage("the least are 1 client, a window of 1 request and 8 bytes");
        }
        options.multi = multi.unwrap_or(options.clients > 1);
        options.format = if json { Format::Json } else { Format::Bytes { size } };
        options
    }

    /// How many sockets there are.
    pub fn sockets(&self) -> usize {
        if self.multi { 1 } else { self.clients }
    }
}

fn mode(arg: Option<&str>) -> Mode {
    match arg {
        Some("closed") => Mode::Closed,
        Some("many") => Mode::Many,
        Some("flood") => Mode::Flood,
        _ => usage("--mode takes closed, many or flood"),
    }
}

fn number<T: FromStr>(option: &str, arg: Option<String>) -> T {
    let number = arg.and_then(|arg| arg.parse().ok());
    number.unwrap_or_else(|| usage(&format!("{option} takes a number")))
}

fn usage(problem: &str) -> ! {
    eprintln!("loadgen: {problem}\n\n{HELP}");
    exit(2);
}
