//! What the path accepts from programs that are not a server of this crate.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
};

use datagrammar::{BindError, TakeOver, TakeOverError};

use super::*;

/// Sends `bytes` and returns what the server sends until it closes the connection.
async fn talk(path: &Path, bytes: &'static [u8]) -> Vec<u8> {
    let path = path.to_owned();
    let talk = move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(bytes).unwrap();
        let mut reply = Vec::new();
        match stream.read_to_end(&mut reply) {
            Ok(_) => reply,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => reply,
            Err(error) => panic!("{error}"),
        }
    };
    within_deadline(tokio::task::spawn_blocking(talk)).await.unwrap()
}

// O-30
#[tokio::test]
async fn another_version_and_noise_are_refused_and_the_server_goes_on() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;

    // The length, the kind, the version.
    let version = talk(&path, &[3, 0, 0, 0, 0, 2, 0]).await;
    assert_eq!(version, [4, 0, 0, 0, 1, 0, 1, 0], "it refuses, because it has version 1");
    for noise in [&[0xff; 64][..], &[1, 0, 0, 0, 99], &[1, 0, 0, 0, 3], b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(talk(&path, noise).await, *b"", "{noise:?}");
    }
    let client = Asking::of(&old.addr()).await;
    assert_eq!(client.ask("a").await, "old 1 a");
    assert!(old.handle.is_serving());
    old.shut_down().await;
}

// O-30
#[tokio::test]
async fn a_program_with_another_version_is_named_with_both_versions() {
    let path = temporary_path();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut hello = [0; 7];
        stream.read_exact(&mut hello).unwrap();
        assert_eq!(hello, [3, 0, 0, 0, 0, 1, 0]);
        stream.write_all(&[4, 0, 0, 0, 1, 0, 7, 0]).unwrap();
        // And one that ends before it has said anything, each time that it is asked.
        for _ in 0..5 {
            drop(listener.accept().unwrap());
        }
    });

    let error = Server::bind(TakeOver::from(&path).or("127.0.0.1:0"), Text, Counting("new")).await;
    let Err(BindError::TakeOver(error)) = error else { panic!("{error:?}") };
    assert!(matches!(error, TakeOverError::Version { theirs: 7, ours: 1 }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = "cannot take over the sockets: the other process has version 7 of the messages, this one has 1";
    assert_eq!(error.to_string(), text);
    let error = Server::bind(TakeOver::from(&path), Text, Counting("new")).await.unwrap_err();
    assert!(matches!(error, BindError::TakeOver(TakeOverError::Io(_))), "{error:?}");
    within_deadline(answer).await.unwrap();
    std::fs::remove_file(&path).unwrap();
}
