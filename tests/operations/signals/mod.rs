//! O-8 and O-12: signals that end a server.

#[cfg(feature = "admin")]
mod load;

use std::{future::pending, net::UdpSocket, thread, time::Duration};

use datagrammar::{
    BoxError, Handler, Peer, RecvError, Server, ServerContext, ServerHandle, Termination, Text,
};

use crate::{
    child::{Process, part},
    files::without_files,
};

const DEADLINE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3_600);

/// Echoes until it is closed, and then says "goodbye".
struct Echo {
    /// Whether it never has started.
    starts_for_ever: bool,
}

impl Handler<String, String> for Echo {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        if self.starts_for_ever {
            println!("is starting");
            pending::<()>().await;
        }
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        loop {
            match peer.recv().await {
                Err(RecvError::Closed) => return Ok(peer.send(&"goodbye".to_owned()).await?),
                text => peer.send(&text?).await?,
            }
        }
    }
}

/// Prints when the server is ready, and when it is not any more.
fn tell(handle: ServerHandle) {
    thread::spawn(move || {
        for (text, ready) in [("is ready", true), ("is not ready", false)] {
            while handle.is_ready() != ready {
                thread::sleep(Duration::from_millis(1));
            }
            println!("{text}");
        }
    });
}

/// Plays the part of a server that ends by signals.
fn serve(part: &str) {
    let builder = Server::builder(Text, Echo { starts_for_ever: part.contains("starts") });
    let termination = Termination::default().grace(HOUR);
    let lame_duck = part.contains("lame duck").then(|| termination.lame_duck(HOUR));
    if part.contains("blocking") {
        #[cfg(feature = "blocking")]
        {
            let server = builder.bind_blocking("127.0.0.1:0").unwrap();
            println!("address {}", server.local_addr());
            tell(server.handle().as_async().clone());
            match lame_duck {
                Some(termination) => server.serve_until_signal_with(termination).unwrap(),
                None => server.serve_until_signal().unwrap(),
            }
        }
    } else {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = builder.bind("127.0.0.1:0").await.unwrap();
            println!("address {}", server.local_addr());
            tell(server.handle());
            match lame_duck {
                Some(termination) => server.serve_until_signal_with(termination).await.unwrap(),
                None => server.serve_until_signal().await.unwrap(),
            }
        });
    }
}

const KINDS: &[&str] = if cfg!(feature = "blocking") { &["async", "blocking"] } else { &["async"] };

/// A peer of a process that serves.
fn peer_of(process: &Process) -> UdpSocket {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(process.said("address ")).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer
}

fn hear(peer: &UdpSocket) -> String {
    let mut datagram = [0; 64];
    let len = peer.recv(&mut datagram).unwrap();
    String::from_utf8(datagram[..len].to_vec()).unwrap()
}

// O-12
#[test]
fn one_signal_ends_a_server_gracefully() {
    const NAME: &str = "signals::one_signal_ends_a_server_gracefully";

    if let Some(part) = part() {
        return serve(&part);
    }
    without_files(|| {
        for kind in KINDS {
            for signal in ["-TERM", "-INT"] {
                let mut server = Process::start(NAME, kind, |_| {});
                let peer = peer_of(&server);
                server.said("is ready");
                peer.send(b"hello").unwrap();
                assert_eq!(hear(&peer), "hello");

                server.signal(signal);

                assert_eq!(hear(&peer), "goodbye", "{kind}, {signal}");
                assert_eq!(server.exit_code(), Some(0), "{kind}, {signal}");
            }
        }
    });
}

// O-12
#[test]
fn a_second_signal_ends_a_server_at_once() {
    const NAME: &str = "signals::a_second_signal_ends_a_server_at_once";

    if let Some(part) = part() {
        return serve(&part);
    }
    without_files(|| {
        for kind in KINDS {
            for (first, second) in [("-TERM", "-TERM"), ("-INT", "-TERM"), ("-TERM", "-INT")] {
                let mut server = Process::start(NAME, &format!("{kind}, lame duck"), |_| {});
                let peer = peer_of(&server);
                server.said("is ready");
                server.signal(first);
                server.said("is not ready");
                peer.send(b"I am new").unwrap();
                assert_eq!(hear(&peer), "I am new", "{kind}: a lame duck serves");

                server.signal(second);

                assert_eq!(hear(&peer), "goodbye", "{kind}");
                assert_eq!(server.exit_code(), Some(0), "{kind}");
            }
        }
    });
}

// O-12
#[test]
fn a_signal_ends_a_server_that_is_still_starting() {
    const NAME: &str = "signals::a_signal_ends_a_server_that_is_still_starting";

    if let Some(part) = part() {
        return serve(&part);
    }
    without_files(|| {
        for kind in KINDS {
            let mut server = Process::start(NAME, &format!("{kind}, starts, lame duck"), |_| {});
            server.said("is starting");

            server.signal("-TERM");

            assert_eq!(server.exit_code(), Some(0), "{kind}");
        }
    });
}
