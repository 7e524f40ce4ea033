//! Servers on Unix and UDP at once, on the caller's sockets, and senders to paths.

use std::{
    net::UdpSocket,
    os::unix::net::{SocketAddr, UnixDatagram},
};

use datagrammar::{Addr, AnyTransport, Client, DropReason, SenderError, Text, Unix};
use socket2::SockRef;

use super::{Foreign, bind, echo, exists};
use crate::support::{BindNow, Running, temporary_path, until, within_deadline};

// B-15, S-1
#[tokio::test]
async fn unix_and_udp_are_one_server() {
    for threads in [false, true] {
        let (first, second) = (temporary_path(), temporary_path());
        let own = UnixDatagram::bind(&second).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = udp.local_addr().unwrap();
        let server = echo()
            .dedicated_threads(threads)
            .bind_now((Unix::new(&first), udp, own, (Unix::new(""), "[::1]:0")))
            .unwrap();
        let server = Running::start(server).await;
        let addrs = server.handle.local_addrs();

        assert_eq!(addrs.len(), 5);
        assert_eq!(addrs[0].as_pathname(), Some(&*first));
        assert_eq!(addrs[1], addr);
        assert_eq!(addrs[2].as_pathname(), Some(&*second));
        assert!(addrs[3].as_abstract_name().is_some() && addrs[4].port().is_some());
        for addr in &addrs {
            let client = Client::connect(addr, Text).await.unwrap();
            for text in ["hello", "again"] {
                client.send(text.to_owned()).await.unwrap();
                assert_eq!(within_deadline(client.recv()).await.unwrap(), text, "{addr}");
            }
        }
        assert_eq!(server.handle.stats().delivered, 10);
        server.stop().await;
        assert!(!exists(&first));
        assert!(exists(&second), "the path of a caller's socket belongs to the caller");
    }
}

// B-13
#[tokio::test]
async fn a_callers_socket_keeps_its_options() {
    let std = UnixDatagram::bind(temporary_path()).unwrap();
    let tokio = tokio::net::UnixDatagram::bind(temporary_path()).unwrap();
    SockRef::from(&std).set_send_buffer_size(50_000).unwrap();
    let before = SockRef::from(&std).send_buffer_size().unwrap();
    let same = std.try_clone().unwrap();
    let server = Running::start(bind((std, tokio)).unwrap()).await;

    assert_eq!(SockRef::from(&same).send_buffer_size().unwrap(), before);
    for addr in server.handle.local_addrs() {
        let path = addr.as_pathname().unwrap();
        assert_eq!(Foreign::new().ask(path, "hello").await, "hello");
        assert!(exists(path));
    }
    server.stop().await;
}

// C-1, C-16
#[tokio::test]
async fn a_client_works_on_a_callers_socket() {
    let path = temporary_path();
    let server = Running::start(bind(Unix::new(&path)).unwrap()).await;
    let std = || {
        let socket = UnixDatagram::bind(temporary_path()).unwrap();
        socket.connect(&path).unwrap();
        socket
    };
    let tokio = tokio::net::UnixDatagram::bind(temporary_path()).unwrap();
    tokio.connect(&path).unwrap();

    for socket in
        [AnyTransport::new(std()), AnyTransport::new(tokio), AnyTransport::new(Unix::from(std()))]
    {
        let client = Client::connect(socket, Text).await.unwrap();
        let own = client.local_addr().as_pathname().unwrap().to_owned();
        client.send("hello".to_owned()).await.unwrap();
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
        drop(client);
        assert!(exists(&own), "it belongs to the caller");
    }
    server.stop().await;
}

// C-18, C-2
#[tokio::test]
async fn a_client_without_a_local_path_has_an_abstract_name() {
    let path = temporary_path();
    let server = Running::start(bind(Unix::new(&path)).unwrap()).await;

    let client = Client::connect(Unix::new(&path), Text).await.unwrap();

    assert!(client.local_addr().as_abstract_name().is_some_and(|name| !name.is_empty()));
    assert_eq!(client.peer_addr().as_pathname(), Some(&*path));
    server.stop().await;
}

// C-19
#[tokio::test]
async fn a_client_removes_its_own_path_on_close_and_on_drop() {
    let path = temporary_path();
    let server = Running::start(bind(Unix::new(&path)).unwrap()).await;
    let connect = async || {
        let own = temporary_path();
        let client = Client::connect(Unix::new(&path).local_addr(&own), Text).await.unwrap();
        assert!(super::is_socket(&own));
        assert_eq!(client.local_addr().as_pathname(), Some(&*own));
        (own, client)
    };

    let (own, client) = connect().await;
    let clone = client.clone();
    drop(client);
    assert!(exists(&own), "a clone is left");
    drop(clone);
    assert!(!exists(&own));

    let (own, client) = connect().await;
    let waiting = client.clone();
    let waiting = tokio::spawn(async move { waiting.recv().await });
    tokio::task::yield_now().await;
    client.close();
    assert!(!exists(&own));
    client.close();
    within_deadline(waiting).await.unwrap().unwrap_err();

    let (own, client) = connect().await;
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&own, "somebody's").unwrap();
    drop(client);
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "somebody's");
    server.stop().await;
}

// D-18
#[tokio::test]
async fn a_datagram_from_a_path_of_the_server_itself_is_refused() {
    let (first, second) = (temporary_path(), temporary_path());
    let own = UnixDatagram::bind(&second).unwrap();
    let same = own.try_clone().unwrap();
    let server = Running::start(bind((Unix::new(&first), own)).unwrap()).await;

    same.send_to(b"hello", &first).unwrap();
    same.send_to(b"hello", &second).unwrap();

    until(|| server.handle.stats().dropped(DropReason::Refused) == 2).await;
    assert_eq!(server.handle.stats().delivered, 0);
    server.stop().await;
}

// S-18, S-14
#[tokio::test]
async fn a_handle_makes_senders_to_paths() {
    let path = temporary_path();
    let server = Running::start(bind(("127.0.0.1:0", Unix::new(&path))).unwrap()).await;
    let peer = Foreign::new();
    let own = peer.0.local_addr().unwrap().as_pathname().unwrap().to_owned();
    let addr = Addr::from(SocketAddr::from_pathname(own).unwrap());
    let sender = server.handle.sender::<String>(addr).unwrap();

    sender.send("unasked".to_owned()).await.unwrap();

    let mut datagram = [0; 16];
    let (len, from) = within_deadline(peer.0.recv_from(&mut datagram)).await.unwrap();
    assert_eq!((&datagram[..len], from.as_pathname()), (&b"unasked"[..], Some(&*path)));
    assert_eq!(peer.ask(&path, "hello").await, "hello");
    let missing = Addr::from(SocketAddr::from_pathname("/nowhere/at/all").unwrap());
    let sender = server.handle.sender::<String>(missing).unwrap();
    assert!(sender.send("unasked".to_owned()).await.is_err());
    server.stop().await;

    let udp = Running::start(bind("127.0.0.1:0").unwrap()).await;
    let addr = Addr::from(SocketAddr::from_pathname(&path).unwrap());
    let error = udp.handle.sender::<String>(addr).unwrap_err();
    assert!(matches!(error, SenderError::Unreachable), "{error:?}");
    udp.stop().await;
}
