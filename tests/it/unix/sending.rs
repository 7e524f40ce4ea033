//! Peers that have vanished, peers that do not read, and long datagrams.

use std::{
    fs,
    io::ErrorKind,
    os::unix::net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use datagrammar::{Addr, Client, DropReason, Limits, SendError, Server, Text, Unix};
use tokio::{net::UnixDatagram, time::Instant};

use super::{Foreign, bind, echo, leave_stale};
use crate::support::{
    BindNow, Gate, Running, conversing, longest_to, temporary_path, until, within_deadline,
};

async fn serve<P>(builder: datagrammar::ServerBuilder<P>) -> (PathBuf, Running) {
    let path = temporary_path();
    let server = Running::start(builder.bind_now(Unix::new(&path)).unwrap()).await;
    (path, server)
}

// U-8
#[tokio::test]
async fn sending_to_a_peer_that_has_vanished_is_an_error_and_affects_no_other_peer() {
    let (gate, failed) = (Gate::closed(), Arc::new(Mutex::new(Vec::new())));
    let handler = conversing!(
        [gate, failed] | peer | {
            let text = peer.recv().await?;
            if text == "wait" {
                gate.pass().await;
                for _ in 0..2 {
                    let error = peer.send(&text).await.unwrap_err();
                    let SendError::Io(error) = error else { panic!("{error:?}") };
                    failed.lock().unwrap().push(error.kind());
                }
                return Ok(());
            }
            Ok(peer.send(&text).await?)
        }
    );
    let (path, server) = serve(Server::builder(Text, handler)).await;
    let steady = Foreign::new();

    for (unlinked, kind) in [(false, ErrorKind::ConnectionRefused), (true, ErrorKind::NotFound)] {
        let own = temporary_path();
        let peer = UnixDatagram::bind(&own).unwrap();
        peer.send_to(b"wait", &path).await.unwrap();
        until(|| server.handle.stats().active_conversations == 1).await;
        drop(peer);
        if unlinked {
            fs::remove_file(&own).unwrap();
        }
        gate.open_once();
        until(|| failed.lock().unwrap().len() == 2).await;
        assert_eq!(*failed.lock().unwrap(), [kind; 2]);
        failed.lock().unwrap().clear();
        assert_eq!(steady.ask(&path, "hello").await, "hello");
    }
    assert_eq!(server.handle.stats().send_errors, 4);
    server.stop().await;
}

// U-8, C-6
#[tokio::test]
async fn a_client_works_again_when_its_server_has_restarted() {
    let (path, server) = serve(echo()).await;
    let client = Client::connect(Unix::new(&path), Text).await.unwrap();
    let ask = async || {
        client.send("hello".to_owned()).await.unwrap();
        assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
    };
    let kind = async || match client.send("hello".to_owned()).await.unwrap_err() {
        datagrammar::ClientSendError::Io(error) => error.kind(),
        error => panic!("{error:?}"),
    };
    ask().await;

    server.stop().await;
    // It does not notice that the server was away.
    let server = Running::start(bind(Unix::new(&path)).unwrap()).await;
    ask().await;
    server.stop().await;
    assert_eq!([kind().await, kind().await], [ErrorKind::NotFound; 2]);
    leave_stale(&path);
    assert_eq!([kind().await, kind().await], [ErrorKind::ConnectionRefused; 2]);
    assert!(client.recv_timeout(Duration::ZERO).await.is_err());

    let unix = Unix::new(&path).replace_stale(true);
    let server = Running::start(bind(unix).unwrap()).await;
    ask().await;
    // A task that waits for a packet notices nothing.
    let waiting = client.clone();
    let waiting = tokio::spawn(async move { waiting.recv().await });
    server.stop().await;
    let server = Running::start(bind(Unix::new(&path)).unwrap()).await;
    client.send("hello again".to_owned()).await.unwrap();
    assert_eq!(within_deadline(waiting).await.unwrap().unwrap(), "hello again");
    server.stop().await;
}

/// How many datagrams one peer receives without reading, and more.
pub(super) fn more_than_the_queue() -> usize {
    let most = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen").unwrap();
    2 * most.trim().parse::<usize>().unwrap() + 10
}

/// A server that sends as many datagrams as it is asked for, and how many it has sent.
async fn serve_many(limits: Limits) -> (PathBuf, Running, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let handler = conversing!(
        [sent] | peer | {
            let count: usize = peer.recv().await?.parse()?;
            for n in 0..count {
                peer.send(&n.to_string()).await?;
                sent.fetch_add(1, SeqCst);
            }
            Ok(())
        }
    );
    let (path, server) = serve(Server::builder(Text, handler).limits(limits)).await;
    (path, server, sent)
}

/// Waits until `sent` no longer rises though the server has answered others.
async fn until_stuck(path: &PathBuf, sent: &AtomicUsize) -> usize {
    let other = Foreign::new();
    let mut before = usize::MAX;
    loop {
        let now = sent.load(SeqCst);
        if now == before {
            return now;
        }
        assert_eq!(other.ask(path, "1").await, "0");
        before = now + 1;
    }
}

/// How long this thread has used a core.
fn cpu_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

// U-9
#[tokio::test]
async fn only_sends_to_a_peer_that_does_not_read_wait() {
    let count = more_than_the_queue();
    let (path, server, sent) = serve_many(Limits::default()).await;
    let slow = [Foreign::new(), Foreign::new(), Foreign::new()];
    for slow in &slow {
        slow.0.send_to(count.to_string().as_bytes(), &path).await.unwrap();
    }

    until_stuck(&path, &sent).await;
    for _ in 0..20 {
        assert_eq!(Foreign::new().ask(&path, "1").await, "0");
    }
    assert_eq!(server.handle.stats().active_conversations, 3);
    // Without pauses, the sends that wait would use all of this time.
    let before = cpu_time();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let used = cpu_time() - before;
    assert!(used < Duration::from_millis(100), "waiting has taken {used:?}");

    for slow in &slow {
        for n in 0..count {
            assert_eq!(slow.recv().await, n.to_string());
        }
    }
    until(|| server.handle.stats().active_conversations == 0).await;
    let stats = server.handle.stats();
    assert_eq!((stats.send_timeouts, stats.send_errors, stats.failed), (0, 0, 0));
    server.stop().await;
}

// U-9, S-4
#[tokio::test]
async fn senders_to_a_peer_that_does_not_read_keep_their_order() {
    let (path, server, _) = serve_many(Limits::default()).await;
    let slow = Foreign::new();
    let addr = Addr::from(SocketAddr::from_pathname(path_of(&slow)).unwrap());
    let sender = server.handle.sender::<String>(addr).unwrap();
    let count = more_than_the_queue();

    let mut sending = Vec::new();
    for n in 0..count {
        let sender = sender.clone();
        sending.push(tokio::spawn(async move { sender.send(&n.to_string()).await }));
        // The tasks begin one after another.
        tokio::task::yield_now().await;
    }
    assert_eq!(Foreign::new().ask(&path, "1").await, "0");

    for n in 0..count {
        assert_eq!(slow.recv().await, n.to_string());
    }
    for sending in sending {
        within_deadline(sending).await.unwrap().unwrap();
    }
    server.stop().await;
}

fn path_of(peer: &Foreign) -> PathBuf {
    peer.0.local_addr().unwrap().as_pathname().unwrap().to_owned()
}

// U-9, L-11, S-15
#[tokio::test]
async fn a_shutdown_ends_sends_that_wait() {
    let limits = Limits::default().shutdown_grace(Duration::from_millis(50));
    let (path, server, sent) = serve_many(limits).await;
    let count = more_than_the_queue();
    let slow = Foreign::new();
    slow.0.send_to(count.to_string().as_bytes(), &path).await.unwrap();
    until_stuck(&path, &sent).await;
    let addr = Addr::from(SocketAddr::from_pathname(path_of(&slow)).unwrap());
    let sender = server.handle.sender::<String>(addr).unwrap();
    let mut behind = Vec::new();
    for _ in 0..3 {
        let sender = sender.clone();
        behind.push(tokio::spawn(async move { sender.send(&"late".to_owned()).await }));
    }
    tokio::task::yield_now().await;
    let handle = server.handle.clone();

    server.stop().await;

    assert_eq!(handle.stats().aborted, 1);
    for behind in behind {
        let sent = within_deadline(behind).await.unwrap();
        assert!(matches!(sent, Err(SendError::Closed)), "{sent:?}");
    }
}

// U-19, U-9
#[tokio::test(start_paused = true)]
async fn a_send_waits_for_at_most_the_idle_timeout() {
    let failed = Arc::new(Mutex::new(None));
    let count = more_than_the_queue();
    let handler = conversing!(
        [failed] | peer | {
            peer.recv().await?;
            for n in 0..count {
                if let Err(error) = peer.send(&n.to_string()).await {
                    *failed.lock().unwrap() = Some((n, error));
                    peer.recv().await?;
                    return Ok(peer.send(&"on".to_owned()).await?);
                }
            }
            Ok(())
        }
    );
    let limits = Limits::default().idle_timeout(Duration::from_secs(5));
    let (path, server) = serve(Server::builder(Text, handler).limits(limits)).await;
    let slow = Foreign::new();
    slow.0.send_to(b"begin", &path).await.unwrap();
    let begun = Instant::now();
    until(|| failed.lock().unwrap().is_some()).await;

    assert!((5..6).contains(&begun.elapsed().as_secs()));
    let (n, error) = failed.lock().unwrap().take().unwrap();
    let SendError::Io(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(server.handle.stats().send_timeouts, 1);
    slow.0.send_to(b"go on", &path).await.unwrap();
    for n in 0..n {
        assert_eq!(slow.recv().await, n.to_string());
    }
    assert_eq!(slow.recv().await, "on", "the conversation may go on");
    server.stop().await;
}

// U-10, S-6
#[tokio::test]
async fn a_datagram_above_the_send_buffer_is_too_large() {
    let results = Arc::new(Mutex::new(Vec::new()));
    let handler = conversing!(
        [results] | peer | {
            let len: usize = peer.recv().await?.parse()?;
            let sent = peer.send(&"x".repeat(len)).await;
            results.lock().unwrap().push(sent);
            Ok(())
        }
    );
    let (path, server) = serve(Server::builder(Text, handler)).await;
    let client = Client::builder(Text).max_datagram_size(usize::MAX);
    let client = client.connect(Unix::new(&path)).await.unwrap();
    let max = longest_to(&client.local_addr());

    for (len, fits) in [(max, true), (max + 1, false), (64 << 20, false), (max, true)] {
        client.send(len.to_string()).await.unwrap();
        until(|| results.lock().unwrap().len() == 1).await;
        let sent = results.lock().unwrap().pop().unwrap();
        if fits {
            sent.unwrap();
            assert_eq!(within_deadline(client.recv()).await.unwrap().len(), len);
        } else {
            let Err(SendError::TooLarge { len: told, max: limit, .. }) = sent else {
                panic!("{sent:?}")
            };
            assert_eq!((told, limit), (len, max));
        }
    }
    let too_large = client.send("x".repeat(max + 1)).await.unwrap_err();
    assert!(
        matches!(too_large, datagrammar::ClientSendError::TooLarge { max: limit, .. } if limit == max),
        "{too_large:?}"
    );
    server.stop().await;
}

// U-10, R-12
#[tokio::test]
async fn long_datagrams_arrive_whole_or_not_at_all() {
    let long = "x".repeat(100_000);
    for batch_io in [true, false] {
        let path = temporary_path();
        let unix = || Unix::new(&path).batch_io(batch_io);
        let limits = Limits::default().max_datagram_size(200_000);
        let server = Running::start(echo().limits(limits).bind_now(unix()).unwrap()).await;
        assert_eq!(Foreign::new().ask(&path, &long).await, long);
        let client = Client::builder(Text).max_datagram_size(200_000);
        let client = client.connect(unix()).await.unwrap();
        client.send(long.clone()).await.unwrap();
        assert_eq!(within_deadline(client.recv()).await.unwrap(), long);
        let short = Client::connect(unix(), Text).await.unwrap();
        short.send(long.clone()).await.unwrap();
        let error = within_deadline(short.recv()).await.unwrap_err();
        assert!(
            matches!(error, datagrammar::ClientRecvError::TooLarge { max: 65_535, .. }),
            "{error:?}"
        );
        server.stop().await;

        let server = Running::start(echo().bind_now(unix()).unwrap()).await;
        let peer = Foreign::new();
        peer.0.send_to(long.as_bytes(), &path).await.unwrap();
        until(|| server.handle.stats().dropped(DropReason::Truncated) == 1).await;
        assert_eq!(peer.ask(&path, "short").await, "short");
        server.stop().await;
    }
}
