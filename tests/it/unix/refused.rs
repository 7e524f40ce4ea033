//! Paths and options with which no server can be bound.

use std::{
    fs,
    io::ErrorKind,
    net::UdpSocket,
    os::{
        fd::OwnedFd,
        unix::{
            fs::symlink,
            net::{UnixDatagram, UnixListener},
        },
    },
    path::Path,
};

use datagrammar::{Bind, Client, ConnectError, Text, Unix, UnnamedPeers};

use super::{bind, directory, exists, is_socket, leave_stale};
use crate::support::{client_on, temporary_path};

/// What `bind` says about `path`, with the kind of its error.
fn refusal(transport: impl Bind) -> (ErrorKind, String) {
    let error = bind(transport).unwrap_err();
    (error.kind(), error.to_string())
}

// U-4
#[tokio::test]
async fn a_path_that_exists_is_in_use() {
    let directory = directory();
    let at = |name: &str| directory.join(name);
    let _live = UnixDatagram::bind(at("live")).unwrap();
    let _stream = UnixListener::bind(at("stream")).unwrap();
    leave_stale(&at("stale"));
    fs::write(at("file"), "somebody's").unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink(at("live"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    symlink(at("stale"), at("to stale")).unwrap();
    let kinds = [
        ("live", "in use"),
        ("stream", "in use"),
        ("stale", "`replace_stale(true)`"),
        ("file", "a regular file"),
        ("directory", "a directory"),
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("to stale", "a symbolic link"),
    ];

    for replace_stale in [false, true] {
        for (name, what) in kinds.into_iter().filter(|(name, _)| !replace_stale || *name != "stale")
        {
            let (kind, text) = refusal(Unix::new(at(name)).replace_stale(replace_stale));
            assert_eq!(kind, ErrorKind::AddrInUse, "{name}: {text}");
            assert!(text.contains(at(name).to_str().unwrap()) && text.contains(what), "{text}");
        }
    }

    assert_eq!(fs::read_to_string(at("file")).unwrap(), "somebody's");
    assert!(at("directory").is_dir() && is_socket(&at("live")) && is_socket(&at("stream")));
    assert!(is_socket(&at("stale")) && !exists(&at("nowhere")));
    for link in ["link", "dangling", "to stale"] {
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink());
    }
}

// U-4, B-4
#[tokio::test]
async fn the_error_says_which_directory_is_missing() {
    let directory = directory();
    let missing = directory.join("missing");
    let (kind, text) = refusal(Unix::new(missing.join("socket")));
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(text.contains(&format!("no directory {}", missing.display())), "{text}");

    fs::write(&missing, "").unwrap();
    let (kind, text) = refusal(Unix::new(missing.join("socket")));
    assert_eq!(kind, ErrorKind::NotADirectory);
    assert!(text.contains(&format!("{} is not a directory", missing.display())), "{text}");
}

// B-4
#[tokio::test]
async fn the_error_names_all_that_cannot_be_bound_and_nothing_stays() {
    let directory = directory();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let in_use = taken.local_addr().unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = |name: &str| directory.join(name);
    fs::write(at("file"), "").unwrap();
    leave_stale(&at("stale"));

    let unix = |name: &str| Unix::new(at(name));
    let error = bind((
        (in_use, unix("good"), free),
        unix("file"),
        unix("missing/socket"),
        (unix("stale").replace_stale(true), unix("good too").mode(0o600)),
    ))
    .unwrap_err();

    let text = error.to_string();
    for failed in [&in_use.to_string(), at("file").to_str().unwrap(), "missing/socket"] {
        assert!(text.contains(failed), "{failed}: {text}");
    }
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "the kind of the first one");
    assert!(!exists(&at("good")) && !exists(&at("good too")));
    assert!(is_socket(&at("stale")));
    let again = bind((free, unix("good"), unix("stale").replace_stale(true))).unwrap();
    assert!(is_socket(&at("good")));
    drop(again);
}

// B-4, U-4
#[tokio::test]
async fn a_stale_socket_is_not_replaced_if_something_else_cannot_be_bound() {
    let directory = directory();
    leave_stale(&directory.join("stale"));
    let inode = |name| {
        std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(directory.join(name)).unwrap())
    };
    let before = inode("stale");

    let stale = Unix::new(directory.join("stale")).replace_stale(true);
    bind((stale, Unix::new(directory.join("missing/socket")))).unwrap_err();
    assert_eq!(inode("stale"), before);
}

// B-16
#[tokio::test]
async fn options_of_the_other_role_are_refused_by_name() {
    let directory = directory();
    let path = directory.join("server");
    let unix = || Unix::new(&path);
    let (kind, text) = refusal(unix().local_addr("elsewhere"));
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(text.contains("`local_addr`"), "{text}");
    assert!(!exists(&path));

    let server = bind(unix()).unwrap();
    let local = directory.join("client");
    for (name, unix) in [
        ("unnamed_peers", unix().unnamed_peers(UnnamedPeers::Drop)),
        ("recv_credentials", unix().recv_credentials(true)),
        ("mode", unix().mode(0o600)),
        ("replace_stale", unix().replace_stale(true)),
        ("ancillary_buffer_size", unix().ancillary_buffer_size(0).local_addr(&local)),
        ("mode", unix().mode(0o10_000).local_addr(&local)),
    ] {
        let error = Client::connect(unix, Text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    assert!(!exists(&local));
    drop(server);
    for (name, unix) in [
        ("ancillary_buffer_size", unix().ancillary_buffer_size(0)),
        ("mode", unix().mode(0o10_000)),
        ("mode", Unix::new("").mode(0o600)),
    ] {
        let (kind, text) = refusal(unix);
        assert_eq!(kind, ErrorKind::InvalidInput, "{name}");
        assert!(text.contains(&format!("`{name}`")), "{text}");
    }
    assert!(!exists(&path));
}

// B-13
#[tokio::test]
async fn options_of_new_paths_are_refused_on_a_callers_socket() {
    let directory = directory();
    let socket = || {
        let path = temporary_path();
        UnixDatagram::bind(path).unwrap()
    };
    for (name, unix) in [
        ("mode", Unix::from(socket()).mode(0o600)),
        ("replace_stale", Unix::from(socket()).replace_stale(true)),
        ("local_addr", Unix::from(socket()).local_addr(directory.join("x"))),
    ] {
        let (kind, text) = refusal(unix);
        assert_eq!(kind, ErrorKind::InvalidInput, "{name}");
        assert!(text.contains(&format!("`{name}`")), "{text}");
    }
}

// B-13, C-18
#[tokio::test]
async fn a_socket_that_is_not_a_bound_unix_datagram_socket_is_refused() {
    let (pair, _other) = UnixDatagram::pair().unwrap();
    let (stream, _) = std::os::unix::net::UnixStream::pair().unwrap();
    let listener = UnixListener::bind(temporary_path()).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sockets = [
        ("unbound", UnixDatagram::unbound().unwrap()),
        ("pair", pair),
        ("stream", OwnedFd::from(stream).into()),
        ("listener", OwnedFd::from(listener).into()),
        ("UDP", OwnedFd::from(udp).into()),
    ];

    for (name, socket) in sockets {
        let (kind, text) = refusal(socket);
        assert_eq!(kind, ErrorKind::InvalidInput, "{name}: {text}");
    }
}

fn client_error(socket: UnixDatagram) -> ConnectError {
    client_on(socket, Text).unwrap_err()
}

// C-16, C-18
#[tokio::test]
async fn a_client_refuses_sockets_with_which_it_cannot_work() {
    let path = temporary_path();
    let _peer = UnixDatagram::bind(&path).unwrap();
    let (pair, _other) = UnixDatagram::pair().unwrap();
    let unnamed = UnixDatagram::unbound().unwrap();
    unnamed.connect(&path).unwrap();
    let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect("127.0.0.1:9").unwrap();

    for (name, socket) in [
        ("pair", pair),
        ("unnamed", unnamed),
        ("stream", OwnedFd::from(stream).into()),
        ("UDP", OwnedFd::from(udp).into()),
    ] {
        let error = client_error(socket);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}: {error}");
    }
    let unconnected = UnixDatagram::bind(temporary_path()).unwrap();
    let error = client_error(unconnected);
    assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
}

// B-5, U-3
#[tokio::test]
async fn a_client_says_why_it_cannot_connect() {
    let directory = directory();
    let at = |name: &str| directory.join(name);
    leave_stale(&at("stale"));
    fs::write(at("file"), "").unwrap();
    let _stream = UnixListener::bind(at("stream")).unwrap();
    let connect = async |path: &Path| {
        let local = Unix::new(path).local_addr(at("local"));
        let error = Client::connect(local, Text).await.unwrap_err();
        assert!(!exists(&at("local")), "{path:?}: its own path is removed");
        (error.kind(), error.to_string())
    };

    for (name, kind, what) in [
        ("missing", ErrorKind::NotFound, "no socket at that path"),
        ("stale", ErrorKind::ConnectionRefused, "nobody serves that socket"),
        ("file", ErrorKind::ConnectionRefused, "nobody serves that socket"),
    ] {
        let (is, text) = connect(&at(name)).await;
        assert_eq!(is, kind, "{name}: {text}");
        assert!(text.contains(at(name).to_str().unwrap()) && text.contains(what), "{text}");
    }
    let (_, text) = connect(&at("stream")).await;
    assert!(text.contains("not a datagram socket"), "{text}");
    let (kind, _) = connect(Path::new("")).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
}
