//! Servers without a runtime: a thread that waits in system calls.

use std::thread;

use crate::{
    json,
    mmsg::{self, Received, Sender},
    options::Options,
};

/// One `recvfrom` and one `sendto` per datagram; `spin=1` does not wait in the kernel.
pub fn one_by_one(options: &Options) {
    let socket = options.bind();
    socket.set_nonblocking(options.is("spin", "1")).expect("a mode of the socket");
    let mut buffer = vec![0; 65_536];
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..len], from);
        }
    }
}

/// `recvmmsg` and `sendmmsg`; `threads` (1) with a socket each, which needs `reuseport=1`; `spin=1` as above.
pub fn batches(options: &Options) {
    let flags = if options.is("spin", "1") { libc::MSG_DONTWAIT } else { libc::MSG_WAITFORONE };
    let sockets: Vec<_> = (0..options.number("threads", 1)).map(|_| options.bind()).collect();
    thread::scope(|scope| {
        for socket in &sockets {
            scope.spawn(move || {
                let mut received =
                    Received::new(options.batch(), options.number("each", 9216), false);
                let mut sender = Sender::new(options.batch());
                loop {
                    if let Ok(count) = received.receive(socket, flags) {
                        sender.send(socket, received.messages(count));
                    }
                }
            });
        }
    });
}

/// The same with GRO and GSO.
pub fn segments(options: &Options) {
    let socket = options.bind();
    mmsg::merge_received(&socket).expect("UDP_GRO");
    let mut received = Received::new(options.batch(), 65_536, true);
    let mut sender = Sender::new(options.batch());
    loop {
        if let Ok(count) = received.receive(&socket, libc::MSG_WAITFORONE) {
            sender.echo_segments(&socket, &received, count);
        }
    }
}

/// Typed JSON on `recvmmsg` and `sendmmsg`: the least that a framework could cost. `codec=sonic` as in `json`.
pub fn json(options: &Options) {
    let socket = options.bind();
    let codec = json::Codec::new(options);
    let mut received = Received::new(options.batch(), 9216, false);
    let mut sender = Sender::new(options.batch());
    let mut responses = json::buffers(options.batch());
    loop {
        if let Ok(count) = received.receive(&socket, libc::MSG_WAITFORONE) {
            sender.send(&socket, codec.responses(received.messages(count), &mut responses));
        }
    }
}
