//! A server to measure: it echoes bytes, answers a typed JSON message, or counts requests within timeouts.
//!
//! The peers and the load generator that it is measured with decide the message and the options. When it
//! is interrupted (Ctrl-C, SIGINT) it says what it has counted.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::exit,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use datagrammar::{
    AddressTokens, BoxError, Guard, Handler, Json, Limits, Peer, Raw, RecvError, Server,
    ServerBuilder, TokenSecret, Udp,
};
use serde::{Deserialize, Serialize};
use tokio::signal::ctrl_c;

const HELP: &str = "\
usage: bench_server [--ip IP] [--port N] [--json] [--handler one-shot|loop|timed] [--threads N]
                    [--workers N] [--worker-threads on|off]
                    [--transport auto|portable] [--offload on|off]
                    [--guard none|budget|internet] [--tokens none|automatic|required]

  --ip IP       the address (default 127.0.0.1)
  --port N      the port (default 9000)
  --json        answer {\"id\",\"name\",\"values\"} with {\"id\",\"ok\",\"name\",\"sum\",\"max\"}; else echo bytes
  --handler     one-shot: a conversation per request (default); loop: one per peer; timed: the same, where a
                request is the time in ms to wait for the next one (not with --json)
  --threads N   threads of the runtime (default: the current thread alone)
  --workers N   sockets that share the port (default 1)
  --worker-threads  on: each worker has a thread of its own; off: workers are tasks (default)
  --transport   auto: the best of this system (default); portable: what all systems have
  --offload     on: the kernel segments and merges datagrams, where it can (default); off
  --guard       internet: limit what is sent to peers that are not validated; budget: the same, without their
                rate, which all clients on one address share; none (default)
  --tokens      datagrams are in the envelope of address tokens. required: each peer needs a token;
                automatic: new ones do while others hold many places; none: no envelope (default)
  --help        this text";

#[derive(Deserialize)]
struct Request {
    id: u64,
    name: String,
    values: [f64; 8],
}

#[derive(Serialize)]
struct Response {
    id: u64,
    ok: bool,
    name: String,
    sum: f64,
    max: f64,
}

impl From<Request> for Response {
    fn from(request: Request) -> Self {
        let sum = request.values.iter().sum();
        let max = request.values.iter().copied().fold(f64::MIN, f64::max);
        Self { id: request.id, ok: true, name: request.name, sum, max }
    }
}

/// Answers each request with what `Res` makes of it.
#[derive(Clone, Copy)]
struct Answer {
    whole_conversation: bool,
}

impl<Req, Res> Handler<Req, Res> for Answer
where
    Req: Send + 'static,
    Res: From<Req> + Send + Sync + 'static,
{
    async fn handle(&self, peer: &mut Peer<Req, Res>) -> Result<(), BoxError> {
        loop {
            let request = peer.recv().await?;
            peer.send(&request.into()).await?;
            if !self.whole_conversation {
                return Ok(());
            }
        }
    }
}

/// Counts the requests of each conversation. A request is the time in ms to wait for the next one. Each packet that it
/// sends also has the time of the wall clock.
struct Timed;

impl Handler<Bytes, Bytes> for Timed {
    async fn handle(&self, peer: &mut Peer<Bytes, Bytes>) -> Result<(), BoxError> {
        let mut count = 0;
        let mut request = peer.recv().await;
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            let wait = match request {
                Ok(wait) => std::str::from_utf8(&wait)?.parse()?,
                Err(RecvError::TimedOut) => {
                    return Ok(peer.send(Bytes::from(format!("over {count} {now}"))).await?);
                }
                Err(error) => return Err(error.into()),
            };
            count += 1;
            peer.send(Bytes::from(format!("next {count} {now}"))).await?;
            request = peer.recv_timeout(Duration::from_millis(wait)).await;
        }
    }
}

struct Options {
    ip: IpAddr,
    port: u16,
    json: bool,
    handler: Answer,
    timed: bool,
    threads: usize,
    workers: usize,
    dedicated_threads: bool,
    portable: bool,
    offload: bool,
    guard: Option<Guard>,
    tokens: Option<AddressTokens>,
}

fn main() -> Result<(), BoxError> {
    let options = options();
    let runtime = match options.threads {
        0 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        n => tokio::runtime::Builder::new_multi_thread().worker_threads(n).enable_all().build()?,
    };
    runtime.block_on(async {
        let Options { json, timed, handler, .. } = options;
        if json {
            serve(Server::builder(Json::<Request, Response>::new(), handler), options).await
        } else if timed {
            let limits = Limits::default().idle_timeout(None);
            serve(Server::builder(Raw, Timed).limits(limits), options).await
        } else {
            serve(Server::builder(Raw, handler), options).await
        }
    })
}

async fn serve<P>(mut builder: ServerBuilder<P>, options: Options) -> Result<(), BoxError> {
    if let Some(guard) = options.guard {
        builder = builder.guard(guard);
    }
    let has_tokens = options.tokens.is_some();
    if let Some(tokens) = options.tokens {
        builder = builder.address_token_envelope(tokens);
    }
    let server = builder
        .dedicated_threads(options.dedicated_threads)
        .bind(
            Udp::new((options.ip, options.port))
                .workers(options.workers)
                .batch_io(!options.portable)
                .segmentation_offload(options.offload),
        )
        .await?;
    println!("listening on {}", server.local_addr());
    let ended = server.serve_until(ctrl_c()).await;
    let stats = server.handle().stats();
    print!(
        "received {}, delivered {}, dropped {}, sent {}, send errors {}",
        stats.received,
        stats.delivered,
        stats.total_dropped(),
        stats.sent,
        stats.send_errors,
    );
    if has_tokens {
        let (received, sent) = (stats.received_bytes, stats.sent_bytes);
        print!(", challenges {}, received bytes {received}, sent bytes {sent}", stats.challenges);
    }
    println!();
    Ok(ended?)
}

fn options() -> Options {
    let handler = Answer { whole_conversation: false };
    let mut options = Options {
        ip: Ipv4Addr::LOCALHOST.into(),
        port: 9000,
        json: false,
        handler,
        timed: false,
        threads: 0,
        workers: 1,
        dedicated_threads: false,
        portable: false,
        offload: true,
        guard: None,
        tokens: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--ip" => options.ip = value(args.next(), "an address"),
            "--port" => options.port = number(args.next()),
            "--json" => options.json = true,
            "--handler" => {
                let handler = args.next();
                options.timed = handler.as_deref() == Some("timed");
                options.handler.whole_conversation =
                    options.timed || second(handler, ["one-shot", "loop"]);
            }
            "--transport" => options.portable = second(args.next(), ["auto", "portable"]),
            "--offload" => options.offload = second(args.next(), ["off", "on"]),
            "--guard" => options.guard = guard(args.next()),
            "--tokens" => options.tokens = tokens(args.next()),
            "--workers" => options.workers = number(args.next()),
            "--worker-threads" => options.dedicated_threads = second(args.next(), ["off", "on"]),
            "--threads" => options.threads = number(args.next()),
            "--help" => {
                println!("{HELP}");
                exit(0);
            }
            other => usage(&format!("{other} is not an option")),
        }
    }
    options
}

/// Whether `arg` is the second of two words.
fn second(arg: Option<String>, words: [&str; 2]) -> bool {
    match words.iter().position(|word| arg.as_deref() == Some(word)) {
        Some(at) => at == 1,
        None => wrong(arg, &format!("{} or {}", words[0], words[1])),
    }
}

fn guard(arg: Option<String>) -> Option<Guard> {
    match arg.as_deref() {
        Some("none") => None,
        Some("budget") => Some(Guard::internet().reply_rate(None)),
        Some("internet") => Some(Guard::internet()),
        _ => wrong(arg, "none, budget or internet"),
    }
}

fn tokens(arg: Option<String>) -> Option<AddressTokens> {
    let is_required = match arg.as_deref() {
        Some("none") => return None,
        Some("automatic") => false,
        Some("required") => true,
        _ => wrong(arg, "none, automatic or required"),
    };
    let Ok(secret) = TokenSecret::generate() else { usage("there are no random numbers") };
    Some(AddressTokens::new(secret).required(is_required))
}

fn number<T: FromStr>(arg: Option<String>) -> T {
    value(arg, "a number")
}

fn value<T: FromStr>(arg: Option<String>, what: &str) -> T {
    let value = arg.as_ref().and_then(|arg| arg.parse().ok());
    value.unwrap_or_else(|| wrong(arg, what))
}

fn wrong(arg: Option<String>, what: &str) -> ! {
    let arg = arg.unwrap_or_else(|| "nothing".to_owned());
    usage(&format!("{arg} is not {what}"))
}

fn usage(problem: &str) -> ! {
    eprintln!("bench_server: {problem}\n\n{HELP}");
    exit(2);
}
