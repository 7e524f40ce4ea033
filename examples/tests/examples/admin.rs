//! The server behind a load balancer, and its endpoint for operators.

use std::{net::UdpSocket, time::Instant};

use crate::{
    http,
    program::{DEADLINE, Program, recv},
};

/// The status of the answer, and its text.
fn ask(page: &str, request: &str) -> (u16, String) {
    let (status, text) = http::ask(page, &format!("{request} HTTP/1.1\r\nConnection: close"));
    (status.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

/// Starts the example. Returns a peer of its server, and the address of its pages.
fn start(lame_duck: &str) -> (Program, UdpSocket, String) {
    let program = Program::start("admin", ["127.0.0.1:0", lame_duck]);
    let peer = program.peer();
    let page = http::addr(&program.line()).to_owned();
    peer.send(b"hello").unwrap();
    assert_eq!(recv(&peer), b"HELLO");
    (program, peer, page)
}

#[test]
fn admin_answers_probes_and_serves_as_a_lame_duck_after_a_signal() {
    let (program, peer, page) = start("3600");

    assert_eq!(ask(&page, "GET /ready"), (200, "upper: ready\n".to_owned()));
    assert_eq!(ask(&page, "GET /live"), (200, "upper: live\n".to_owned()));
    let series = "datagrammar_server_received_datagrams_total{server=\"upper\"} 1\n";
    assert!(ask(&page, "GET /metrics").1.contains(series));
    assert!(ask(&page, "GET /diagnostics").1.contains(": 1 worker, "));
    program.signal("-TERM");
    let deadline = Instant::now() + DEADLINE;
    while ask(&page, "GET /ready").0 != 503 {
        assert!(Instant::now() < deadline, "it is not ready after a signal");
    }
    assert_eq!(ask(&page, "GET /ready").1, "upper: not ready: lame duck\n");
    peer.send(b"still here").unwrap();
    assert_eq!(recv(&peer), b"STILL HERE");

    program.signal("-INT");

    let (code, lines) = program.end();
    assert_eq!((code, lines), (Some(0), vec!["stopped, 2 datagrams received".to_owned()]));
}

#[test]
fn admin_ends_after_a_drain() {
    let (program, _peer, page) = start("0");

    assert_eq!(ask(&page, "POST /drain"), (202, "upper: drains\n".to_owned()));

    let (code, lines) = program.end();
    assert_eq!((code, lines), (Some(0), vec!["stopped, 1 datagrams received".to_owned()]));
}
