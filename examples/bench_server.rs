//! A server to measure: it echoes octets, or answers a typed JSON message.
//!
//! The peers and the load generator that it is measured with decide the message and the options.

use std::process::exit;

use datagrammar::{BoxError, DatagramProtocol, Handler, Json, Peer, Raw, UdpServer};
use serde::{Deserialize, Serialize};

const HELP: &str = "\
usage: bench_server [--port N] [--json] [--handler one-shot|loop] [--threads N]

  --port N      the port on 127.0.0.1 (default 9000)
  --json        answer {\"id\",\"name\",\"values\"} with {\"id\",\"ok\",\"name\",\"sum\",\"max\"}; else echo octets
  --handler     one-shot: a conversation per request (default); loop: one per peer
  --threads N   threads of the runtime (default: the current thread alone)
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

struct Options {
    port: u16,
    json: bool,
    handler: Answer,
    threads: usize,
}

fn main() -> Result<(), BoxError> {
    let options = options();
    let runtime = match options.threads {
        0 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        n => tokio::runtime::Builder::new_multi_thread().worker_threads(n).enable_all().build()?,
    };
    runtime.block_on(async {
        if options.json {
            serve(Json::<Request, Response>::new(), options.handler, options.port).await
        } else {
            serve(Raw, options.handler, options.port).await
        }
    })
}

async fn serve<P>(protocol: P, handler: Answer, port: u16) -> Result<(), BoxError>
where
    P: DatagramProtocol + Send + Sync + 'static,
    P::Incoming: Send + 'static,
    P::Outgoing: From<P::Incoming> + Send + Sync + 'static,
{
    let server = UdpServer::builder(protocol, handler).bind(("127.0.0.1", port)).await?;
    println!("listening on {}", server.local_addr());
    Ok(server.serve().await?)
}

fn options() -> Options {
    let handler = Answer { whole_conversation: false };
    let mut options = Options { port: 9000, json: false, handler, threads: 0 };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--port" => options.port = number(args.next()),
            "--json" => options.json = true,
            "--handler" => {
                options.handler.whole_conversation = match args.next().as_deref() {
                    Some("one-shot") => false,
                    Some("loop") => true,
                    _ => usage("one-shot or loop was expected after --handler"),
                }
            }
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

fn number<T: std::str::FromStr>(arg: Option<String>) -> T {
    arg.and_then(|arg| arg.parse().ok()).unwrap_or_else(|| usage("a number was expected"))
}

fn usage(problem: &str) -> ! {
    eprintln!("bench_server: {problem}\n\n{HELP}");
    exit(2);
}
