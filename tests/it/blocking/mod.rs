//! Servers and clients without async: section T, and the rules of section C for blocking clients.

mod client;
mod graceful;
mod handler;
mod inside;
mod request;
mod server;
mod thread;
mod waiting;

use std::{
    fs,
    path::Path,
    sync::mpsc,
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use datagrammar::{Handler, IntoHandler, Limits, Server, Text, blocking};

/// Everything must happen within this time.
const DEADLINE: Duration = Duration::from_secs(20);

/// A blocking server of text on loopback.
fn bind<Form>(
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> blocking::Server {
    bind_within(Limits::default(), handler)
}

fn bind_within<Form>(
    limits: Limits,
    handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
) -> blocking::Server {
    Server::builder(Text, handler).limits(limits).bind_blocking("127.0.0.1:0").unwrap()
}

async fn echo(text: String) -> String {
    text
}

/// A client of this server.
fn client_of(server: &blocking::ServerHandle) -> blocking::Client<Text> {
    blocking::Client::connect(&server.local_addrs()[0], Text).unwrap()
}

/// Returns the next packet, which must come within the deadline.
fn hear(client: &blocking::Client<Text>) -> String {
    client.recv_timeout(DEADLINE).unwrap()
}

fn ask(client: &blocking::Client<Text>, text: &str) -> String {
    client.send(text.to_owned()).unwrap();
    hear(client)
}

/// Waits until `condition` holds, which must be so within the deadline.
fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "the condition did not hold within 20 s");
        sleep(Duration::from_millis(1));
    }
}

/// Starts `call` on a thread of its own, and returns once that thread waits for something. Systems other than
/// Linux do not tell, so there it returns at once.
fn waiting<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let (sender, receiver) = mpsc::channel();
    let thread = spawn(move || {
        sender.send(fs::read_link("/proc/thread-self")).unwrap();
        call()
    });
    if let Ok(thread) = receiver.recv().unwrap() {
        // The state of a thread follows its name, which stands in parentheses.
        let path = Path::new("/proc").join(thread).join("stat");
        until(|| fs::read_to_string(&path).map_or(true, |stat| stat.contains(") S ")));
    }
    thread
}

/// Runs `call` on a thread of its own, and returns what it returns, which must be within the deadline.
#[track_caller]
fn within_deadline<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    spawn(move || sender.send(call()));
    receiver.recv_timeout(DEADLINE).expect("the call did not return within 20 s")
}
