//! The server with pages for Prometheus.

use crate::{
    http,
    program::{Program, recv},
};

#[test]
fn both_pages_have_the_same_totals() {
    let program = Program::start("metrics", ["127.0.0.1:0"; 2]);
    let peer = program.peer();
    let line = program.line();

    for _ in 0..3 {
        peer.send(b"hello").unwrap();
        assert_eq!(recv(&peer), b"hello");
    }

    for path in ["/metrics", "/stats"] {
        let (status, page) = http::ask(http::addr(&line), &format!("GET {path} HTTP/1.1"));
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(
            page.contains("\ndatagrammar_server_received_bytes_total{server=\"echo\"} 15\n"),
            "{page}"
        );
    }
    assert_eq!(http::ask(http::addr(&line), "GET / HTTP/1.1").0, "HTTP/1.1 404 Not Found");
    program.signal("-INT");
    let (code, lines) = program.end();
    assert_eq!(code, Some(0));
    assert!(lines[0].starts_with("received: 3, received_bytes: 15, "), "{lines:?}");
}
