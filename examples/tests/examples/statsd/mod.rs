//! The server of statsd: lines and datagrams, what is remembered of them, and the page.

#[path = "../../../statsd/main.rs"]
#[allow(dead_code, reason = "only a program calls `main`")]
mod server;

mod lines;
mod pages;
mod program;
