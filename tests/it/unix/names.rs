//! Which names a server can have, and how they print.

use std::{
    ffi::OsStr,
    fs,
    io::ErrorKind,
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr},
    },
    path::Path,
};

use datagrammar::{BoxError, Client, Server, Text, Unix};
use tokio::net::UnixDatagram;

use super::{Foreign, bind, directory, echo, is_socket};
use crate::{
    log::Log,
    support::{BindNow, Running, temporary_path, within_deadline},
};

// U-3
#[tokio::test]
async fn an_empty_path_gives_an_abstract_name_of_the_kernels_choice() {
    let server = Running::start(bind(Unix::new("")).unwrap()).await;
    let addr = server.handle.local_addrs().remove(0);
    let name = addr.as_abstract_name().unwrap();
    assert!(!name.is_empty() && addr.as_pathname().is_none());
    assert_eq!(addr.to_string(), format!("@{}", std::str::from_utf8(name).unwrap()));

    let client = Client::connect(&addr, Text).await.unwrap();
    client.send("hello".to_owned()).await.unwrap();

    assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
    server.stop().await;
}

// U-3
#[tokio::test]
async fn a_leading_nul_names_an_abstract_address() {
    let name = format!("datagrammar-{}", std::process::id());
    let server = Running::start(bind(Unix::new(format!("\0{name}"))).unwrap()).await;
    assert_eq!(server.handle.local_addrs()[0].as_abstract_name(), Some(name.as_bytes()));

    let peer = Foreign::new();
    let addr = SocketAddr::from_abstract_name(&name).unwrap();
    let (sending, to) =
        (socket2::SockRef::from(&peer.0), socket2::SockAddr::unix(format!("\0{name}")));
    sending.send_to(b"hello", &to.unwrap()).unwrap();
    assert_eq!(peer.recv().await, "hello");
    assert_eq!(datagrammar::Addr::from(addr), server.handle.local_addrs()[0]);

    let second = bind(Unix::new(format!("\0{name}"))).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AddrInUse);
    assert!(second.to_string().contains(&format!("@{name}")), "{second}");
    server.stop().await;
}

// U-3
#[tokio::test]
async fn names_that_no_socket_can_have_create_nothing() {
    let directory = directory();
    let path = |len: usize| {
        let start = format!("{}/", directory.display());
        format!("{start}{}", "x".repeat(len - start.len()))
    };
    let inner_nul = format!("{}/a\0b", directory.display());
    let refused = [
        (inner_nul, "zero byte"),
        (path(108), "108 bytes, the limit is 107"),
        (path(300), "300 bytes"),
        (format!("\0{}", "x".repeat(108)), "109 bytes, the limit is 108"),
    ];

    for (name, problem) in refused {
        let error = bind(Unix::new(&name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
        assert!(error.to_string().contains(problem), "{name:?}: {error}");
        let error = Client::connect(Unix::new(&name), Text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
        assert!(error.to_string().contains(problem), "{name:?}: {error}");
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

// U-3
#[tokio::test]
async fn the_longest_names_work() {
    let directory = directory();
    let start = format!("{}/", directory.display());
    let path = format!("{start}{}", "x".repeat(107 - start.len()));
    let longest = format!("{:x<107}", std::process::id());
    for name in [path, format!("\0{longest}")] {
        let server = Running::start(bind(Unix::new(&name)).unwrap()).await;
        let client = Client::connect(Unix::new(&name), Text).await.unwrap();
        client.send("hello".to_owned()).await.unwrap();
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
        server.stop().await;
    }
}

// U-3
#[tokio::test]
async fn a_path_need_not_be_text() {
    let path = directory().join(OsStr::from_bytes(b"\xff\xfe"));
    let server = Running::start(bind(Unix::new(&path)).unwrap()).await;
    assert!(is_socket(&path));

    assert_eq!(Foreign::new().ask(&path, "hello").await, "hello");
    assert_eq!(server.handle.local_addrs()[0].as_pathname(), Some(&*path));
    server.stop().await;
}

// B-14, H-7
#[tokio::test]
async fn the_name_of_a_hostile_peer_is_escaped_in_events_and_texts() {
    let log = Log::capture();
    let handler = async |_: String| -> Result<(), BoxError> { Err("no".into()) };
    let path = temporary_path();
    let server = Server::builder(Text, handler).bind_now(Unix::new(&path)).unwrap();
    let server = Running::start(server).await;
    let own = directory()
        .join(OsStr::from_bytes(b"a\nERROR all is lost\x1b[2J\xff\r\0".split_last().unwrap().1));
    let peer = UnixDatagram::bind(&own).unwrap();

    peer.send_to(b"hello", &path).await.unwrap();
    crate::support::until(|| !log.alarms().is_empty()).await;

    let shown = log.alarm().field("peer").to_owned();
    assert!(shown.ends_with(r"/a\nERROR all is lost\u{1b}[2J\xff\r"), "{shown:?}");
    let addr = datagrammar::Addr::from(SocketAddr::from_pathname(&own).unwrap());
    for text in [addr.to_string(), format!("{addr:?}")] {
        assert_eq!(text, shown);
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    let error = bind(Unix::new(&own)).unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    server.stop().await;
}

// B-14
#[tokio::test]
async fn addresses_of_unix_sockets_print_as_operators_write_them() {
    let (path, server) = super::bound();
    assert_eq!(server.local_addr().to_string(), path.to_str().unwrap());
    assert_eq!(server.local_addr().as_pathname(), Some(Path::new(&path)));

    let (unnamed, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
    let unnamed = datagrammar::Addr::from(unnamed.local_addr().unwrap());

    assert_eq!(unnamed.to_string(), "<unnamed>");
    assert!(unnamed.is_unnamed());
    drop(echo());
}
