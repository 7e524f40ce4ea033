//! The program, as a user starts it.

use std::{net::UdpSocket, os::unix::net::UnixDatagram, time::Instant};

use crate::{
    http,
    program::{DEADLINE, Program},
};

#[test]
fn one_server_counts_over_udp_and_unix_sockets() {
    let folder = std::env::temp_dir().join(format!("datagrammar-statsd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("statsd.sock");
    let args = ["127.0.0.1:0", "127.0.0.1:0", path.to_str().unwrap()];
    let program = Program::start("statsd", args);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(program.addr()).unwrap();
    let unix = UnixDatagram::unbound().unwrap();
    assert_eq!(program.addr(), path.to_str().unwrap());
    let line = program.line();
    let pages = http::addr(&line);

    udp.send(b"views:1|c\nviews:2|c").unwrap();
    unix.send_to(b"views:4|c\nbad", &path).unwrap();
    udp.send(b"\xff").unwrap();
    // As long as a datagram may be, and longer.
    let lines = |len: usize| format!("long:1|c\n{}", "\n".repeat(len - "long:1|c\n".len()));
    unix.send_to(lines(8_192).as_bytes(), &path).unwrap();
    unix.send_to(lines(8_193).as_bytes(), &path).unwrap();

    let wanted = [
        "\nviews_total 7\n",
        "\nstatsd_refused_lines_total 1\n",
        "\ndatagrammar_server_delivered_datagrams_total 4\n",
        "\ndatagrammar_server_decode_errors_total 1\n",
        "\nlong_total 1\n",
        "\ndatagrammar_server_dropped_datagrams_total{reason=\"truncated\"} 1\n",
    ];
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (status, page) = http::ask(pages, "GET /metrics HTTP/1.1");
        assert_eq!(status, "HTTP/1.1 200 OK");
        if wanted.iter().all(|line| page.contains(line)) {
            break;
        }
        assert!(Instant::now() < deadline, "{page}");
    }
    assert_eq!(http::ask(pages, "GET /x HTTP/1.1").0, "HTTP/1.1 404 Not Found");
    assert_eq!(http::ask(pages, "POST /metrics HTTP/1.1").0, "HTTP/1.1 404 Not Found");
    program.signal("-INT");
    let (code, lines) = program.end();
    assert_eq!(code, Some(0));
    assert!(lines[0].starts_with("received: 5, "), "{lines:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_an_address_it_says_how_to_start_it() {
    let (code, lines) = Program::start("statsd", ["127.0.0.1:0"]).end();

    assert_eq!(code, Some(1));
    assert!(lines[0].contains("usage: statsd PAGES_ADDR:PORT ADDR:PORT|PATH..."), "{lines:?}");
}
