//! Where the endpoint listens.

use std::io::ErrorKind;

use datagrammar::admin::Admin;

use super::echo_server;

// O-13
#[tokio::test]
async fn other_hosts_reach_it_only_if_the_program_says_so() {
    let (_server, handle) = echo_server().await;
    let endpoint = || Admin::new().server("echo", handle.clone());

    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = endpoint().bind(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("`allow_remote` allows it"), "{error}");
    }
    for addr in ["127.0.0.1:0", "127.0.0.2:0", "localhost:0"] {
        assert!(endpoint().bind(addr).unwrap().local_addr().unwrap().ip().is_loopback());
    }
    let everywhere = endpoint().allow_remote(true).bind("0.0.0.0:0").unwrap();
    assert!(everywhere.local_addr().unwrap().ip().is_unspecified());
}

// O-13
#[tokio::test]
async fn it_needs_servers_with_different_names() {
    let (_server, handle) = echo_server().await;
    let none = Admin::new().bind("127.0.0.1:0").unwrap_err();
    let twice = Admin::new().server("echo", handle.clone()).server("echo", handle);
    let twice = twice.bind("127.0.0.1:0").unwrap_err();

    assert_eq!((none.kind(), twice.kind()), (ErrorKind::InvalidInput, ErrorKind::InvalidInput));
    assert_eq!(none.to_string(), "an admin endpoint needs a server");
    assert_eq!(twice.to_string(), "two servers have the name \"echo\"");
}

// O-13
#[cfg(unix)]
#[tokio::test]
async fn it_listens_at_a_path_which_it_removes_and_takes_from_nobody() {
    use std::os::unix::net::{UnixListener, UnixStream};

    let (_server, handle) = echo_server().await;
    let folder = std::env::temp_dir().join(format!("datagrammar-admin-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("socket");
    let endpoint = || Admin::new().server("echo", handle.clone()).bind_unix(&path);
    // A process that was killed leaves its path behind.
    drop(UnixListener::bind(&path).unwrap());

    let admin = endpoint().unwrap();

    assert_eq!(admin.local_addr(), None);
    let answer = super::send(UnixStream::connect(&path).unwrap(), "GET /ready");
    assert_eq!((answer.status, &*answer.text), (503, "echo: not ready: not serving\n"));
    let error = endpoint().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    drop(admin);
    assert!(!path.exists());
    std::fs::write(&path, "not a socket").unwrap();
    assert_eq!(endpoint().unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).unwrap(), b"not a socket");
    std::fs::remove_dir_all(&folder).unwrap();
}
