//! O-1, O-2 and O-13: the endpoint for operators.

mod drain;
mod ends;
mod listening;
mod live;
mod pages;
mod ready;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use datagrammar::{Server, ServerHandle, Text};
use tokio::{task::spawn_blocking, time::sleep};

/// What the endpoint has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

/// Sends one request over a connection, and receives the answer.
pub(crate) fn send(mut connection: impl Read + Write, request: &str) -> Answer {
    let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer {
        status: status.expect("the first line has the status"),
        head: head.to_owned(),
        text: text.to_owned(),
    }
}

/// Sends one request to a TCP address, such as `GET /ready`.
pub(crate) fn ask_now(addr: SocketAddr, request: &str) -> Answer {
    let connection = TcpStream::connect(addr).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    send(connection, request)
}

/// The same, while tasks of this runtime go on.
pub(crate) async fn ask(addr: SocketAddr, request: &'static str) -> Answer {
    spawn_blocking(move || ask_now(addr, request)).await.unwrap()
}

/// Waits for an effect.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the effect comes");
}

async fn echo_server() -> (Server, ServerHandle) {
    let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await.unwrap();
    let handle = server.handle();
    (server, handle)
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
