//! Waits until the server answers, and checks one response in full.

use std::{io::ErrorKind, net::UdpSocket, process::exit, thread, time::Duration};

use crate::{done, message::HEAD, options::Options};

const TRIES: usize = 150;

pub fn wait_for_server(options: &Options) {
    let format = options.format;
    let mut head = [0; HEAD];
    format.write_head(&mut head, 0, 0);
    let mut request = head[..format.head_len()].to_vec();
    request.extend_from_slice(&format.tail());

    let socket = done(UdpSocket::bind("127.0.0.1:0"), "cannot open a socket");
    done(socket.connect(("127.0.0.1", options.port)), "cannot connect");
    done(socket.set_read_timeout(Some(Duration::from_millis(100))), "cannot set a timeout");
    let mut buffer = vec![0; 65_536];
    for _ in 0..TRIES {
        match socket.send(&request).and_then(|_| socket.recv(&mut buffer)) {
            Ok(len) if format.answers(&buffer[..len], &request) => return,
            Ok(len) => {
                let text = String::from_utf8_lossy(&buffer[..len.min(200)]);
                eprintln!("loadgen: {len} bytes are a wrong response: {text:?}");
                exit(3);
            }
            // The read has timed out: 100 ms are over.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // The server has not bound its port yet.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
    eprintln!("loadgen: no response from port {}", options.port);
    exit(3);
}
