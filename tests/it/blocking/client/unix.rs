//! Blocking clients on Unix sockets.

use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, Write},
    os::{fd::AsFd, unix::net::UnixDatagram},
    path::Path,
};

use datagrammar::{
    BoxError, Bytes, ClientRecvError, ClientSendError, ConnectError, Handler, Peer, Raw, Server,
    Text, Unix,
    blocking::{Client, ServerThread},
};

use super::super::{DEADLINE, ask, echo, hear, waiting};
use crate::support::temporary_path;

fn serve(path: &Path) -> ServerThread {
    let unix = Unix::new(path).replace_stale(true);
    Server::builder(Text, echo).bind_blocking(unix).unwrap().spawn().unwrap()
}

// C-1, T-4
#[test]
fn a_client_makes_three_rounds_over_a_path_and_over_an_abstract_name() {
    for path in [temporary_path().as_path(), Path::new("")] {
        let server = serve(path);
        let client = Client::connect(&server.handle().local_addrs()[0], Text).unwrap();
        for text in ["one", "two", "three"] {
            assert_eq!(ask(&client, text), text);
        }
        client.send_all(["a", "b", "c"].map(str::to_owned)).unwrap();
        for text in ["a", "b", "c"] {
            assert_eq!(hear(&client), text);
        }
        assert!(client.local_addr().as_abstract_name().is_some());
    }
}

// C-9, C-19
#[test]
fn close_wakes_a_recv_and_removes_the_path_of_the_client() {
    let (path, own) = (temporary_path(), temporary_path());
    let _server = serve(&path);
    let client = Client::connect(Unix::new(&path).local_addr(&own), Text).unwrap();
    assert_eq!(client.local_addr().as_pathname(), Some(own.as_path()));
    assert_eq!(ask(&client, "hello"), "hello");
    let same = client.clone();
    let waiting = waiting(move || same.recv());

    client.close();

    assert!(matches!(waiting.join().unwrap(), Err(ClientRecvError::Closed)));
    assert!(!own.exists());
    let dropped = Client::connect(Unix::new(&path).local_addr(&own), Text).unwrap();
    assert!(own.exists());
    drop(dropped);
    assert!(!own.exists());
}

// C-7, U-8
#[test]
fn a_client_reports_that_its_server_is_gone_and_reaches_the_next_one() {
    let path = temporary_path();
    let mut server = serve(&path);
    let client = Client::connect(Unix::new(&path), Text).unwrap();
    assert_eq!(ask(&client, "first"), "first");
    server.join().unwrap();
    drop(server);

    for _ in 0..2 {
        let Err(ClientSendError::Io(error)) = client.send("anybody?".to_owned()) else {
            panic!("a server that is gone accepted a datagram");
        };
        assert!(matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound));
    }

    let _server = serve(&path);
    assert_eq!(ask(&client, "second"), "second");
}

// C-19, U-12, U-14
#[test]
fn descriptors_travel_in_both_directions() {
    let (here, there) = (temporary_path(), temporary_path());
    let server = Unix::new(&there).fd_passing(true);
    let server = Server::builder(Raw, PassesBack).bind_blocking(server).unwrap().spawn().unwrap();
    let plain = Client::connect(Unix::new(&there), Raw).unwrap();
    let no = plain.send_with_fds(Bytes::new(), &[]);
    assert!(matches!(no, Err(ClientSendError::Unsupported)));
    assert!(matches!(plain.recv_with_fds(), Err(ClientRecvError::Unsupported)));
    let unix = Unix::new(&there).local_addr(&here).fd_passing(true);
    let client = Client::connect(unix, Raw).unwrap();
    let path = temporary_path();
    let mut file =
        File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
    file.write_all(b"contents").unwrap();

    client.send_with_fds(Bytes::from_static(b"read"), &[file.as_fd(), file.as_fd()]).unwrap();
    let (packet, fds) = client.recv_with_fds_timeout(DEADLINE).unwrap();

    assert_eq!((&packet[..], fds.len()), (&b"read"[..], 2));
    let mut read = String::new();
    let mut file = File::from(fds.into_iter().next().unwrap());
    file.rewind().unwrap();
    file.read_to_string(&mut read).unwrap();
    assert_eq!(read, "contents");
    drop(server);
    std::fs::remove_file(path).unwrap();
}

/// Sends each packet back, with its descriptors.
struct PassesBack;

impl Handler<Bytes, Bytes> for PassesBack {
    async fn handle(&self, peer: &mut Peer<Bytes, Bytes>) -> Result<(), BoxError> {
        let (packet, fds) = peer.recv_with_fds().await?;
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        Ok(peer.send_with_fds(packet, &fds).await?)
    }
}

// C-16, C-18
#[test]
fn a_socket_that_cannot_be_used_is_an_error() {
    let unnamed = UnixDatagram::unbound().unwrap();
    let path = temporary_path();
    let peer = UnixDatagram::bind(&path).unwrap();
    unnamed.connect(&path).unwrap();
    let kind = |socket: UnixDatagram| match Client::connect(socket, Text) {
        Err(ConnectError::Io(error)) => error.kind(),
        other => panic!("{other:?}"),
    };

    assert_eq!(kind(unnamed), ErrorKind::InvalidInput);
    assert_eq!(kind(peer), ErrorKind::NotConnected);
    std::fs::remove_file(path).unwrap();
}
