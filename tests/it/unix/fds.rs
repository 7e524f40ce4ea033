//! Descriptors that travel with packets.

use std::{
    fs,
    io::{PipeReader, Read, Write, pipe},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use datagrammar::{
    Client, ClientRecvError, ClientSendError, RecvError, SendError, Server, ServerBuilder, Text,
    Unix,
};

use crate::support::{
    BindNow, Net, Running, client_on, conversing, temporary_path, until, within_deadline,
};

/// A server that passes descriptors, and a client of it that does so too.
async fn serve<P>(builder: ServerBuilder<P>, batch_io: bool) -> (Running, Client<Text>) {
    let path = temporary_path();
    let unix = || Unix::new(&path).fd_passing(true).batch_io(batch_io);
    let server = Running::start(builder.bind_now(unix()).unwrap()).await;
    (server, Client::connect(unix(), Text).await.unwrap())
}

fn close_on_exec(fd: &impl AsRawFd) -> bool {
    const O_CLOEXEC: u32 = 0o2_000_000;

    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap() & O_CLOEXEC != 0
}

fn borrowed(fds: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    fds.iter().map(AsFd::as_fd).collect()
}

/// Writes a text into each, and closes it.
fn write_to(fds: Vec<OwnedFd>, text: &str) {
    for fd in fds {
        assert!(close_on_exec(&fd));
        fs::File::from(fd).write_all(text.as_bytes()).unwrap();
    }
}

/// Reads until all copies of the other ends are closed.
fn read_all(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// Three ends of pipes to write to, and the ends to read from.
fn pipes() -> (Vec<PipeReader>, Vec<OwnedFd>) {
    let both = || pipe().map(|(reader, writer)| (reader, writer.into())).unwrap();
    [both(), both(), both()].into_iter().unzip()
}

// U-12
#[tokio::test]
async fn descriptors_reach_the_handler() {
    for batch_io in [true, false] {
        let handler = conversing!(|peer| {
            let (text, fds) = peer.recv_with_fds().await?;
            assert_eq!((&*text, fds.len()), ("fds", 3));
            write_to(fds, "the server");
            // Those of a later packet too.
            let (text, fds) = peer.recv_with_fds().await?;
            assert_eq!((&*text, fds.len()), ("more", 3));
            write_to(fds, "the server again");
            Ok(peer.send("written".to_owned()).await?)
        });
        let (server, client) = serve(Server::builder(Text, handler), batch_io).await;
        let (first, ends) = pipes();
        let (second, more) = pipes();

        client.send_with_fds("fds".to_owned(), &borrowed(&ends)).await.unwrap();
        client.send_with_fds("more".to_owned(), &borrowed(&more)).await.unwrap();
        drop((ends, more));

        assert_eq!(within_deadline(client.recv()).await.unwrap(), "written");
        assert!(first.into_iter().all(|reader| read_all(reader) == "the server"));
        assert!(second.into_iter().all(|reader| read_all(reader) == "the server again"));
        server.stop().await;
    }
}

// U-12, C-19
#[tokio::test]
async fn descriptors_reach_the_client() {
    for batch_io in [true, false] {
        let (readers, ends) = pipes();
        let ends = std::sync::Arc::new(std::sync::Mutex::new(ends));
        let handler = conversing!(
            [ends] | peer | {
                peer.recv().await?;
                let fds = std::mem::take(&mut *ends.lock().unwrap());
                peer.send_with_fds("first".to_owned(), &borrowed(&fds)).await?;
                let sender = peer.sender();
                sender.send_with_fds("second".to_owned(), &borrowed(&fds)).await?;
                Ok(sender.send_with_fds("third".to_owned(), &[]).await?)
            }
        );
        let (server, client) = serve(Server::builder(Text, handler), batch_io).await;

        client.send("give".to_owned()).await.unwrap();
        for expected in ["first", "second"] {
            let (text, fds) = within_deadline(client.recv_with_fds()).await.unwrap();
            assert_eq!((&*text, fds.len()), (expected, 3));
            write_to(fds, expected);
        }
        let (text, fds) = within_deadline(client.recv_with_fds()).await.unwrap();
        assert_eq!((&*text, fds.len()), ("third", 0));

        until(|| server.handle.stats().active_conversations == 0).await;
        assert!(readers.into_iter().all(|reader| read_all(reader) == "firstsecond"));
        server.stop().await;
    }
}

// U-15
#[tokio::test]
async fn without_descriptors_the_list_is_empty() {
    let handler = conversing!(|peer| {
        while let Ok((text, fds)) = peer.recv_with_fds().await {
            peer.send(format!("{text}: {}", fds.len())).await?;
        }
        Ok(())
    });
    let (server, client) = serve(Server::builder(Text, handler), true).await;

    client.send("plain".to_owned()).await.unwrap();
    client.send_with_fds("empty".to_owned(), &[]).await.unwrap();
    let own = datagrammar::Credentials::new(uid(), gid());
    client.send_with_credentials("credentials".to_owned(), own).await.unwrap();

    for expected in ["plain: 0", "empty: 0", "credentials: 0"] {
        let (text, fds) = within_deadline(client.recv_with_fds()).await.unwrap();
        assert_eq!((&*text, fds.len()), (expected, 0));
    }
    server.stop().await;
}

pub(crate) fn uid() -> u32 {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap())
}

pub(crate) fn gid() -> u32 {
    std::os::unix::fs::MetadataExt::gid(&fs::metadata("/proc/self").unwrap())
}

// U-16
#[tokio::test]
async fn more_descriptors_than_the_buffer_holds_are_an_error() {
    for (size, fit) in [(1, 0), (64, 12), (8192, 253)] {
        let handler = conversing!(|peer| {
            loop {
                let answer = match peer.recv_with_fds().await {
                    Ok((text, fds)) => format!("{text}: {}", fds.len()),
                    Err(RecvError::AncillaryTruncated) => "truncated".to_owned(),
                    Err(error) => return Err(error.into()),
                };
                peer.send(answer).await?;
                let text = peer.recv().await?;
                peer.send(text).await?;
            }
        });
        let path = temporary_path();
        let unix = || Unix::new(&path).fd_passing(true);
        let server = Server::builder(Text, handler);
        let server = server.bind_now(unix().ancillary_buffer_size(size)).unwrap();
        let server = Running::start(server).await;
        let client = Client::connect(unix(), Text).await.unwrap();
        let file = fs::File::open("/dev/null").unwrap();

        for count in [0, fit, fit + 1].into_iter().filter(|count| *count <= 253) {
            let fds = vec![file.as_fd(); count];
            client.send_with_fds("fds".to_owned(), &fds).await.unwrap();
            let answer = within_deadline(client.recv()).await.unwrap();
            let all = format!("fds: {count}");
            assert_eq!(answer, if count > fit { "truncated" } else { &*all }, "{size}");
            client.send_with_fds("plain".to_owned(), &fds).await.unwrap();
            assert_eq!(within_deadline(client.recv()).await.unwrap(), "plain");
        }
        server.stop().await;
    }
}

// U-16, C-19
#[tokio::test]
async fn a_client_with_a_small_buffer_returns_an_error_too() {
    let handler = conversing!(|peer| {
        while let Ok(count) = peer.recv().await {
            let file = fs::File::open("/dev/null")?;
            peer.send_with_fds(count.clone(), &vec![file.as_fd(); count.parse()?]).await?;
        }
        Ok(())
    });
    let path = temporary_path();
    let unix = || Unix::new(&path).fd_passing(true);
    let server = Running::start(Server::builder(Text, handler).bind_now(unix()).unwrap()).await;
    let client = Client::connect(unix().ancillary_buffer_size(64), Text).await.unwrap();

    client.send_all(["12", "13", "13", "1"].map(str::to_owned)).await.unwrap();

    assert_eq!(within_deadline(client.recv_with_fds()).await.unwrap().1.len(), 12);
    let truncated = within_deadline(client.recv_with_fds()).await.unwrap_err();
    assert!(matches!(truncated, ClientRecvError::AncillaryTruncated), "{truncated:?}");
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "13");
    assert_eq!(within_deadline(client.recv_with_fds()).await.unwrap().1.len(), 1);
    server.stop().await;
}

// U-16: Linux passes 253 descriptors at once.
#[tokio::test]
async fn more_descriptors_than_the_kernel_passes_are_an_error_of_the_send() {
    let (server, client) = serve(super::echo(), true).await;
    let file = fs::File::open("/dev/null").unwrap();

    let error = client.send_with_fds("x".to_owned(), &[file.as_fd(); 254]).await.unwrap_err();

    assert!(matches!(error, ClientSendError::Io(_)), "{error:?}");
    client.send("hello".to_owned()).await.unwrap();
    assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
    server.stop().await;
}

// U-14
#[tokio::test]
async fn without_fd_passing_asking_is_unsupported_and_consumes_nothing() {
    for net in [Net::memory(), Net::Loopback("127.0.0.1"), Net::Portable("::1"), Net::Unix] {
        let handler = conversing!(|peer| {
            let file = fs::File::open("/dev/null")?;
            for _ in 0..2 {
                let asked = peer.recv_with_fds().await;
                assert!(matches!(asked, Err(RecvError::Unsupported)), "{asked:?}");
                let sent = peer.send_with_fds("x".to_owned(), &[file.as_fd()]).await;
                assert!(matches!(sent, Err(SendError::Unsupported)), "{sent:?}");
                let sent = peer.sender().send_with_fds("x".to_owned(), &[file.as_fd()]).await;
                assert!(matches!(sent, Err(SendError::Unsupported)), "{sent:?}");
                let text = peer.recv().await?;
                assert_eq!(peer.credentials(), None);
                peer.send(text).await?;
            }
            Ok(())
        });
        let server = net.serve_text(handler).await;
        let peer = net.peer_of(&server.handle).await;

        let file = fs::File::open("/dev/null").unwrap();
        let sent =
            peer.0.send_with_fds(datagrammar::Bytes::from_static(b"x"), &[file.as_fd()]).await;
        assert!(matches!(sent, Err(ClientSendError::Unsupported)), "{sent:?}");
        peer.send("first").await;
        peer.send("second").await;
        assert_eq!(peer.recv_text().await, "first");
        let asked = peer.0.recv_with_fds().await;
        assert!(matches!(asked, Err(ClientRecvError::Unsupported)), "{asked:?}");
        assert_eq!(peer.recv_text().await, "second");
        server.stop().await;
    }
}

// U-14
#[tokio::test]
async fn without_fd_passing_a_datagram_with_descriptors_arrives_without_them() {
    for (batch_io, credentials) in [(true, false), (false, false), (true, true), (false, true)] {
        let path = temporary_path();
        let unix = Unix::new(&path).batch_io(batch_io).recv_credentials(credentials);
        let server = Running::start(super::bind(unix).unwrap()).await;
        let client = client_on(Unix::new(&path).fd_passing(true), Text).unwrap();
        let (readers, ends) = pipes();

        client.send_with_fds("hello".to_owned(), &borrowed(&ends)).await.unwrap();
        drop(ends);

        assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
        assert!(readers.into_iter().all(|reader| read_all(reader).is_empty()), "all are closed");
        server.stop().await;
    }
}
