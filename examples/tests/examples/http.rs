//! Asks for a page over HTTP.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::program::DEADLINE;

/// Sends the first line of a request; returns the status line and the body of the answer.
pub(crate) fn ask(addr: &str, request: &str) -> (String, String) {
    let mut http = TcpStream::connect(addr).unwrap();
    http.set_read_timeout(Some(DEADLINE)).unwrap();
    http.write_all(format!("{request}\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// The address in `pages on http://ADDR/`.
pub(crate) fn addr(line: &str) -> &str {
    line.strip_prefix("pages on http://").unwrap().trim_end_matches('/')
}
