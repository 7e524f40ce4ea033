//! A load generator for UDP servers on loopback: `loadgen` without arguments prints its options.
//!
//! It is cheap per datagram: `recvmmsg` and `sendmmsg` in batches of 64, only the head of a response is
//! copied, the clock is read once per batch, and GSO and GRO are optional. One socket stands for many
//! clients: `IP_PKTINFO` sets the source address of each datagram, from 127.16.0.0 on, and all responses come
//! back to that socket.
//!
//! The result is one JSON object on standard output. The server's CPU time is read from `/proc`.

mod closed;
mod control;
mod cpu;
mod flood;
mod message;
mod options;
mod probe;
mod receive;
mod report;
mod requests;
mod send;
mod socket;

use std::process::exit;

use self::{
    options::{Mode, Options},
    receive::Receiver,
    requests::Requests,
    send::Sender,
};

fn main() {
    let options = Options::from_args();
    if let Some(cpu) = options.cpu {
        done(cpu::pin(cpu), &format!("cannot run on CPU {cpu}"));
    }
    probe::wait_for_server(&options);
    let sockets = (0..options.sockets())
        .map(|_| done(socket::open(&options), "cannot open a socket"))
        .collect();
    let mut load = Load {
        sender: Sender::new(&options),
        receiver: Receiver::new(&options),
        requests: Requests::new(&options),
        options,
        sockets,
    };
    let (first, last) = match load.options.mode {
        Mode::Flood => flood::run(&mut load),
        Mode::Closed | Mode::Many => closed::run(&mut load),
    };
    report::print(&load, &first, &last);
}

/// All parts of a run.
struct Load {
    options: Options,
    /// One for all clients, or one for each.
    sockets: Vec<std::os::fd::OwnedFd>,
    sender: Sender,
    receiver: Receiver,
    requests: Requests,
}

fn done<T>(result: std::io::Result<T>, problem: &str) -> T {
    result.unwrap_or_else(|error| fail(&format!("{problem}: {error}")))
}

fn fail(problem: &str) -> ! {
    eprintln!("loadgen: {problem}");
    exit(1);
}
