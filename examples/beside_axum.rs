//! A datagram server and an HTTP server in one program, with a page of counters. One signal ends both.
//!
//! ```sh
//! cargo run --example beside_axum --features axum
//! ```

use axum::{Router, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use datagrammar::{Addr, BoxError, Client, PrometheusPage, Server, ServerHandle, Text};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn metrics(server: ServerHandle) -> impl IntoResponse {
    ([(CONTENT_TYPE, PrometheusPage::CONTENT_TYPE)], server.stats().to_prometheus(&[]))
}

/// Asks both servers once. A program that runs longer calls `serve_until_signal()` instead.
async fn ask(server: Addr, mut http: TcpStream) -> Result<(), BoxError> {
    let client = Client::connect(server, Text).await?;
    client.send("hello".to_owned()).await?;
    let (answer, mut page) = (client.recv().await?, String::new());
    http.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
    http.read_to_string(&mut page).await?;
    let received = "datagrammar_server_received_datagrams_total ";
    let line = page.lines().find(|line| line.starts_with(received)).unwrap_or("no such line");
    println!("datagram: {answer}, page: {line}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let until = ask(server.local_addr(), TcpStream::connect(listener.local_addr()?).await?);

    let (handle, ended) = (server.handle(), server.handle());
    let app = Router::new().route("/metrics", get(move || metrics(handle.clone())));
    let serving = tokio::spawn(async move { server.serve_until(until).await });
    ended.ready().await;
    // HTTP ends after the datagrams, so that its page counts the last of them.
    axum::serve(listener, app).with_graceful_shutdown(async move { ended.stopped().await }).await?;
    Ok(serving.await??)
}
