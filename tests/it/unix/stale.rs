//! Sockets that a killed process has left behind.

use std::{io::ErrorKind, os::unix::net::UnixListener, sync::Barrier, thread};

use datagrammar::{BindError, Server, Unix};
use tokio::runtime::Builder;

use super::{Foreign, bind, directory, exists, is_socket, leave_stale};
use crate::support::{Running, temporary_path};

// U-4
#[tokio::test]
async fn a_socket_that_nobody_serves_is_replaced_if_that_was_asked_for() {
    let datagram = temporary_path();
    leave_stale(&datagram);
    let stream = temporary_path();
    drop(UnixListener::bind(&stream).unwrap());

    for path in [datagram, stream] {
        let server = Running::start(bind(Unix::new(&path).replace_stale(true)).unwrap()).await;
        assert_eq!(Foreign::new().ask(&path, "hello").await, "hello");
        server.stop().await;
        assert!(!exists(&path));
    }
}

// U-4
#[tokio::test]
async fn a_socket_that_is_in_use_is_not_replaced() {
    let path = temporary_path();
    let replace = || Unix::new(&path).replace_stale(true);
    // It works on a free path too.
    let server = Running::start(bind(replace()).unwrap()).await;

    let error = bind(replace()).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(Foreign::new().ask(&path, "hello").await, "hello");
    server.stop().await;

    // A socket that talks to one peer only is in use too.
    let other = Foreign::new();
    let busy = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    busy.connect(other.0.local_addr().unwrap().as_pathname().unwrap()).unwrap();
    assert_eq!(bind(replace()).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(is_socket(&path));
}

/// Binds each of these transports on a thread of its own, at the same moment, and keeps those that are bound.
fn at_the_same_moment(
    transports: Vec<Unix>,
    check: impl FnOnce(&[Result<Server, BindError>]) + Send,
) {
    let barrier = &Barrier::new(transports.len());
    thread::scope(|scope| {
        let binding: Vec<_> = transports
            .into_iter()
            .map(|transport| {
                scope.spawn(move || {
                    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                    let _entered = runtime.enter();
                    barrier.wait();
                    let bound = bind(transport);
                    (bound, runtime)
                })
            })
            .collect();
        let (bound, _runtimes): (Vec<_>, Vec<_>) =
            binding.into_iter().map(|thread| thread.join().unwrap()).unzip();
        check(&bound);
    });
}

// U-4
#[test]
fn of_servers_that_start_at_the_same_moment_one_replaces_the_stale_socket() {
    for round in 0..50 {
        let path = temporary_path();
        leave_stale(&path);
        let transports = (0..10).map(|_| Unix::new(&path).replace_stale(true)).collect();

        at_the_same_moment(transports, |bound| {
            let errors: Vec<_> = bound.iter().filter_map(|bound| bound.as_ref().err()).collect();
            assert_eq!(errors.len(), 9, "round {round}: {errors:?}");
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
            }
            let peer = std::os::unix::net::UnixDatagram::unbound().unwrap();
            peer.send_to(b"the path leads to the server", &path).unwrap();
        });
        assert!(!exists(&path));
    }
}

// U-4
#[test]
fn servers_with_different_stale_paths_in_one_directory_do_not_disturb_each_other() {
    let directory = directory();
    for _ in 0..50 {
        let paths: Vec<_> = (0..10).map(|n| directory.join(n.to_string())).collect();
        paths.iter().for_each(|path| leave_stale(path));
        let transports = paths.iter().map(|path| Unix::new(path).replace_stale(true)).collect();

        at_the_same_moment(transports, |bound| {
            for bound in bound {
                assert!(bound.is_ok(), "{:?}", bound.as_ref().err());
            }
        });
    }
}
