//! The stats and the diagnostics as pages.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use datagrammar::{Client, PrometheusPage, Server, Text, admin::Admin};
use tokio::task::spawn_blocking;

use super::{DEADLINE, ask, echo_server};

/// A server that has ended after `requests` requests, because its numbers do not change any more.
async fn served(requests: usize) -> Server {
    let (server, handle) = echo_server().await;
    let client = Client::connect(server.local_addr(), Text).await.unwrap();
    let asks = async {
        for _ in 0..requests {
            client.send("hello".to_owned()).await.unwrap();
            client.recv().await.unwrap();
        }
        handle.graceful_shutdown(DEADLINE).await;
    };
    server.serve_until(asks).await.unwrap();
    server
}

// O-1, O-13
#[tokio::test]
async fn the_page_of_metrics_has_the_totals_of_the_stats_and_to_read_it_changes_nothing() {
    let (one, two) = (served(3).await, served(5).await);
    let admin = Admin::new().server("one", one.handle()).server("two", two.handle());
    let admin = admin.bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    let stats = [one.handle().stats(), two.handle().stats()];
    assert_eq!((stats[0].received, stats[1].received), (3, 5));

    let answer = ask(addr, "GET /metrics").await;

    let page = PrometheusPage::new()
        .server(&stats[0], &[("server", "one")])
        .server(&stats[1], &[("server", "two")]);
    assert_eq!((answer.status, &answer.text), (200, &page.to_string()));
    let content = "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(answer.head.to_lowercase().contains(content), "{answer:?}");
    assert_eq!(ask(addr, "GET /metrics").await.text, answer.text);
    let two = ask(addr, "GET /metrics/two").await.text;
    assert!(two.contains("datagrammar_server_received_datagrams_total{server=\"two\"} 5\n"));
    assert!(!two.contains("\"one\""), "{two}");
}

// O-13
#[tokio::test]
async fn the_page_of_diagnostics_is_what_the_handles_show() {
    let (one, two) = (served(1).await, served(2).await);
    let admin = Admin::new().server("one", one.handle()).server("two", two.handle());
    let admin = admin.bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    let shown = [one.handle().diagnostics(), two.handle().diagnostics()];

    let (all, one) = (ask(addr, "GET /diagnostics").await, ask(addr, "GET /diagnostics/one").await);

    assert_eq!((all.status, one.status), (200, 200));
    assert_eq!(all.text, format!("one\n{}\n\ntwo\n{}\n", shown[0], shown[1]));
    assert_eq!(one.text, format!("one\n{}\n", shown[0]));
}

// O-13
#[tokio::test]
async fn there_is_a_list_of_the_pages_and_no_other_page() {
    let (_server, handle) = echo_server().await;
    let admin = Admin::new().server("a b/ü", handle).bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();

    let index = ask(addr, "GET /").await;
    assert_eq!(index.status, 200);
    assert!(index.text.contains("/live, /ready, /metrics, /diagnostics"), "{index:?}");
    assert_eq!(ask(addr, "GET /secret").await.status, 404);
    assert_eq!(ask(addr, "POST /ready").await.status, 405);
    let named = ask(addr, "GET /ready/a%20b%2F%C3%BC").await;
    assert_eq!(named.text, "a b/ü: not ready: not serving\n");
}

// O-13
#[tokio::test]
async fn a_connection_has_one_request() {
    let (_server, handle) = echo_server().await;
    let admin = Admin::new().server("echo", handle).bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    let ask = move || {
        let mut connection = TcpStream::connect(addr).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        connection.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the endpoint closes the connection");
        answer
    };

    let answer = spawn_blocking(ask).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}
