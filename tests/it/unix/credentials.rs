//! The process, the user and the group of the sender.

use std::{
    env,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use datagrammar::{Client, ClientSendError, Credentials, Server, ServerBuilder, Text, Unix};

use super::fds::{gid, uid};
use crate::{
    files::without_files,
    support::{BindNow, Net, Running, conversing, temporary_path, within_deadline},
};

/// A server that answers with what it knows of the sender.
fn who() -> ServerBuilder<Text> {
    let handler = conversing!(|peer| {
        assert_eq!(peer.credentials(), None, "before the first datagram");
        loop {
            peer.recv().await?;
            peer.send(shown(peer.credentials())).await?;
        }
    });
    Server::builder(Text, handler)
}

fn shown(credentials: Option<Credentials>) -> String {
    match credentials {
        None => "nobody knows".to_owned(),
        Some(sender) => format!("{} {} {}", sender.pid(), sender.uid(), sender.gid()),
    }
}

fn ours() -> String {
    format!("{} {} {}", std::process::id(), uid(), gid())
}

// U-17
#[tokio::test]
async fn the_handler_knows_its_peer() {
    for (batch_io, fds) in [(true, false), (false, false), (true, true)] {
        let path = temporary_path();
        let unix = Unix::new(&path).recv_credentials(true).batch_io(batch_io).fd_passing(fds);
        let server = Running::start(who().bind_now(unix).unwrap()).await;
        let client = Client::connect(Unix::new(&path), Text).await.unwrap();
        let ask = async || within_deadline(client.recv()).await.unwrap();

        client.send("who am I?".to_owned()).await.unwrap();
        assert_eq!(ask().await, ours());
        let own = Credentials::new(uid(), gid());
        client.send_with_credentials("who?".to_owned(), own).await.unwrap();
        assert_eq!(ask().await, ours());
        // Many at once.
        client.send_all((0..8).map(|n| n.to_string())).await.unwrap();
        for _ in 0..8 {
            assert_eq!(ask().await, ours());
        }
        server.stop().await;
    }
}

// U-17
#[tokio::test]
async fn credentials_belong_to_a_datagram() {
    let path = temporary_path();
    let server = who().bind_now(Unix::new(&path).recv_credentials(true)).unwrap();
    let server = Running::start(server).await;
    let client = Client::connect(Unix::new(&path), Text).await.unwrap();
    let other = Credentials::new(65_534, 65_533);

    client.send("first".to_owned()).await.unwrap();
    let sent = client.send_with_credentials("second".to_owned(), other).await;
    client.send("third".to_owned()).await.unwrap();

    assert_eq!(within_deadline(client.recv()).await.unwrap(), ours());
    if uid() == 0 {
        sent.unwrap();
        let expected = format!("{} 65534 65533", std::process::id());
        assert_eq!(within_deadline(client.recv()).await.unwrap(), expected);
    } else {
        let ClientSendError::Io(error) = sent.unwrap_err() else {
            panic!("an error of the kernel")
        };
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    }
    assert_eq!(within_deadline(client.recv()).await.unwrap(), ours());
    server.stop().await;
}

/// The path to which a child process sends.
const ASKS: &str = "DATAGRAMMAR_ASKS";

// U-17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_has_other_credentials() {
    if let Ok(path) = env::var(ASKS) {
        let client = Client::connect(Unix::new(path), Text).await.unwrap();
        client.send("who am I?".to_owned()).await.unwrap();
        assert_eq!(within_deadline(client.recv()).await.unwrap(), ours());
        return;
    }
    let path = temporary_path();
    let server = who().bind_now(Unix::new(&path).recv_credentials(true)).unwrap();
    let server = Running::start(server).await;
    let mut command = Command::new(env::current_exe().unwrap());
    let test = "unix::credentials::another_process_has_other_credentials";
    command.args(["--exact", test, "--nocapture"]).env(ASKS, &path);

    let output = tokio::task::spawn_blocking(move || without_files(|| command.output()));
    let output = within_deadline(output).await.unwrap().unwrap();

    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{output:?}");
    assert_eq!(server.handle.stats().delivered, 1);
    server.stop().await;
}

// U-17
#[tokio::test]
async fn without_the_option_they_are_absent() {
    for net in [Net::memory(), Net::Loopback("127.0.0.1"), Net::Unix, Net::UnixPaths] {
        let server = net.serve(who()).await;
        let peer = net.peer_of(&server.handle).await;
        assert_eq!(peer.ask("who am I?").await, "nobody knows");
        let own = Credentials::new(uid(), gid());
        match net {
            Net::Unix | Net::UnixPaths => {
                peer.0
                    .send_with_credentials(datagrammar::Bytes::from_static(b"who?"), own)
                    .await
                    .unwrap();
                assert_eq!(peer.recv_text().await, "nobody knows");
            }
            _ => {
                let sent = peer
                    .0
                    .send_with_credentials(datagrammar::Bytes::from_static(b"who?"), own)
                    .await;
                assert!(matches!(sent, Err(ClientSendError::Unsupported)), "{sent:?}");
            }
        }
        server.stop().await;
    }
}

// U-17
#[tokio::test]
async fn a_packet_that_is_put_back_keeps_the_credentials_of_its_sender() {
    let returned = Arc::new(AtomicUsize::new(0));
    let handler = conversing!(
        [returned] | peer | {
            let packet = peer.recv().await?;
            assert!(peer.credentials().is_some());
            if packet == "later" {
                // As a task too, so that both ways to the next conversation are used.
                tokio::task::yield_now().await;
            }
            if returned.fetch_add(1, SeqCst).is_multiple_of(2) {
                peer.put_back(packet);
                return Ok(());
            }
            Ok(peer.send(shown(peer.credentials())).await?)
        }
    );
    let path = temporary_path();
    let unix = Unix::new(&path).recv_credentials(true);
    let server = Server::builder(Text, handler).bind_now(unix).unwrap();
    let server = Running::start(server).await;
    let client = Client::connect(Unix::new(&path), Text).await.unwrap();

    for text in ["now", "later"] {
        client.send(text.to_owned()).await.unwrap();
        assert_eq!(within_deadline(client.recv()).await.unwrap(), ours());
    }

    assert_eq!(returned.load(SeqCst), 4);
    server.stop().await;
}
