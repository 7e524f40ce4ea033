//! How long the path of a server exists.

use std::{fs, os::unix::net::UnixListener};

use datagrammar::{Server, Text, Unix};
use tokio::runtime::Builder;
use tracing::Level;

use super::{Foreign, bind, bound, directory, echo, exists, is_socket};
use crate::{
    log::Log,
    support::{BindNow, Gate, Running, conversing, temporary_path, until, within_deadline},
};

// U-1
#[tokio::test]
async fn the_path_exists_from_bind_to_the_drop_of_the_server() {
    let log = Log::capture();
    let (path, server) = bound();
    let handle = server.handle();
    assert!(is_socket(&path), "before the server serves");
    let peer = Foreign::new();

    for round in ["first", "second"] {
        let serving = async {
            assert!(handle.ready().await);
            assert_eq!(peer.ask(&path, round).await, round);
            handle.shutdown().await;
        };
        let (served, ()) = within_deadline(async { tokio::join!(server.serve(), serving) }).await;
        served.unwrap();
        assert!(is_socket(&path), "after the {round} serving");
    }
    drop(server);

    assert!(!exists(&path));
    assert_eq!(log.alarms().len(), 0, "{:?}", log.alarms());
}

// U-1
#[tokio::test]
async fn the_path_is_removed_while_conversations_still_run() {
    let gate = Gate::closed();
    let handler = conversing!(
        [gate] | peer | {
            peer.recv().await?;
            gate.pass().await;
            Ok(())
        }
    );
    let path = temporary_path();
    let server = Server::builder(Text, handler).bind_now(Unix::new(&path)).unwrap();
    let handle = server.handle();
    let peer = Foreign::new();

    within_deadline(async {
        tokio::select! {
            _ = server.serve() => panic!("nothing ends it"),
            () = async {
                handle.ready().await;
                peer.0.send_to(b"stay", &path).await.unwrap();
                until(|| handle.stats().active_conversations == 1).await;
            } => {}
        }
    })
    .await;
    assert!(exists(&path), "the future of `serve` is dropped, the server is not");
    drop(server);

    assert!(!exists(&path));
    gate.open();
}

// U-1
#[test]
fn the_path_is_removed_when_the_runtime_shuts_down() {
    let path = temporary_path();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        Running::start(bind(Unix::new(&path)).unwrap()).await;
    });
    assert!(is_socket(&path));

    drop(runtime);

    assert!(!exists(&path));
}

// U-1
#[tokio::test]
async fn a_path_that_is_already_gone_is_no_problem() {
    let log = Log::capture();
    let (path, server) = bound();
    fs::remove_file(&path).unwrap();

    drop(server);

    let (path, server) = bound();
    let elsewhere = temporary_path();
    fs::rename(&path, &elsewhere).unwrap();
    drop(server);

    assert!(exists(&elsewhere), "it is not at the path of the server");
    assert_eq!(log.alarms().len(), 0, "{:?}", log.alarms());
}

// U-1
#[tokio::test]
async fn a_file_that_somebody_else_has_put_at_the_path_stays() {
    let log = Log::capture();
    let replaced = || {
        let (path, server) = bound();
        fs::remove_file(&path).unwrap();
        (path, server)
    };

    let (path, server) = replaced();
    fs::write(&path, "somebody's").unwrap();
    drop(server);
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");

    let (path, server) = replaced();
    fs::create_dir(&path).unwrap();
    drop(server);
    assert!(path.is_dir());

    let (path, server) = replaced();
    let _other = UnixListener::bind(&path).unwrap();
    drop(server);
    assert!(is_socket(&path));

    // A second server has taken the path. Its socket may not get the inode of the first one.
    let (path, server) = replaced();
    let second = Running::start(bind(Unix::new(&path)).unwrap()).await;
    drop(server);
    assert_eq!(Foreign::new().ask(&path, "still here").await, "still here");
    second.stop().await;
    assert!(!exists(&path));

    // The path leads to the server's own socket, but it is a link that somebody else has made.
    let (path, server) = bound();
    let elsewhere = temporary_path();
    fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    drop(server);
    assert!(exists(&path) && exists(&elsewhere));

    assert_eq!(log.alarms().len(), 0, "{:?}", log.alarms());
}

// U-2
#[tokio::test]
async fn a_path_that_cannot_be_removed_is_one_error() {
    let directory = directory();
    let path = directory.join("socket");
    let server = bind(Unix::new(&path)).unwrap();
    let peer = Foreign::new();
    peer.0.connect(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::remove_dir(&directory).unwrap();
    fs::write(&directory, "a file").unwrap();
    let log = Log::capture();

    drop(server);

    let told = log.alarm();
    assert_eq!(told.level, Level::ERROR);
    assert!(told.field("path").contains(path.to_str().unwrap()), "{told:?}");
    assert!(told.field("error").contains("Not a directory"), "{told:?}");
    let sent = peer.0.send(b"anybody?").await;
    assert_eq!(sent.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused, "it is closed");
}

// U-1
#[tokio::test]
async fn a_server_with_several_paths_removes_all_of_them() {
    let paths = [temporary_path(), temporary_path(), temporary_path()];
    let unix = paths.each_ref().map(Unix::new).into_iter().collect::<Vec<_>>();
    let server = echo().bind_now(unix).unwrap();
    assert!(paths.iter().all(|path| is_socket(path)));

    drop(server);

    assert!(!paths.iter().any(|path| exists(path)));
}
