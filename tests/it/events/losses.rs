//! H-17: when a limit of the server causes the drop of legitimate datagrams, one warning is logged per
//! reason and serving.

use std::time::Duration;

use datagrammar::{BoxError, DropReason, Handler, Limits, Overflow, Peer, Server, Text};
use tokio::time::sleep;
use tracing::Level;

use super::settle;
use crate::{
    log::Log,
    support::{Net, conversing},
};

/// Starts a server with these limits, to which two peers send the datagrams `sent`, in turn. The server must
/// log one warning, with `reason` and the `bound`.
async fn is_warned_of(reason: DropReason, limits: Limits, bound: &str, sent: &[(usize, &str)]) {
    let log = Log::capture();
    let net = Net::memory();
    let server = net.serve_text_within(limits, Sleeps).await;
    let peers = [net.peer_of(&server.handle).await, net.peer_of(&server.handle).await];
    let address = server.handle.local_addrs()[0].to_string();

    for (peer, datagram) in sent {
        peers[*peer].send(datagram).await;
        settle().await;
    }

    let told = log.alarm();
    assert_eq!((told.level, told.field("local")), (Level::WARN, &*address));
    assert_eq!(told.field("reason"), reason.as_str());
    assert!(told.field("bound").contains(bound), "{told:?}");
    assert!(
        server.handle.stats().dropped(reason) > 1,
        "only the first drop is logged, the others are counted"
    );
    server.stop().await;
    assert_eq!(log.alarms().len(), 1);
}

// G-2, H-17
#[tokio::test(start_paused = true)]
async fn a_full_queue_logs_one_warning() {
    let limits = Limits::default().max_queue_len(1);
    let sent = [(0, "open"), (0, "wait"), (0, "lost"), (0, "lost"), (1, "open"), (1, "wait")];
    is_warned_of(DropReason::QueueFull, limits.clone(), "Limits::max_queue_len(1)", &sent).await;
    let limits = Limits::default().max_queue_bytes(3);
    let bound = "Limits::max_queue_bytes(3)";
    is_warned_of(DropReason::QueueFull, limits, bound, &sent).await;
}

// H-17
#[tokio::test(start_paused = true)]
async fn reaching_the_memory_limit_logs_one_warning() {
    let limits = Limits::default().max_total_queue_bytes(5);
    let sent = [(0, "open"), (0, "wait"), (0, "lost"), (0, "lost")];
    is_warned_of(DropReason::MemoryLimit, limits, "Limits::max_total_queue_bytes(5)", &sent).await;
}

// H-17
#[tokio::test(start_paused = true)]
async fn opening_datagrams_that_may_not_wait_log_one_warning() {
    let log = Log::capture();
    let net = Net::memory();
    let handler = conversing!(|peer| {
        sleep(Duration::from_secs(3600)).await;
        peer.recv().await?;
        Ok(())
    });
    let server = net.serve_text_within(Limits::default().max_total_queue_bytes(5), handler).await;
    let peer = net.peer_of(&server.handle).await;

    for _ in 0..2 {
        peer.send("too long").await;
        settle().await;
    }

    assert_eq!((log.alarm().level, log.alarm().field("reason")), (Level::WARN, "memory_limit"));
    assert_eq!(server.handle.stats().dropped(DropReason::MemoryLimit), 2);
    server.stop().await;
}

// G-4, H-17
#[tokio::test(start_paused = true)]
async fn reaching_the_conversation_limit_logs_one_warning() {
    let limits = Limits::default().max_conversations(1);
    let sent = [(0, "open"), (1, "lost"), (1, "lost")];
    is_warned_of(DropReason::ConversationLimit, limits, "Limits::max_conversations(1)", &sent)
        .await;
}

// H-17, R-12
#[tokio::test(start_paused = true)]
async fn datagrams_that_are_too_long_log_one_warning() {
    let limits = Limits::default().max_datagram_size(3);
    let sent = [(0, "lost"), (1, "lost")];
    is_warned_of(DropReason::Truncated, limits, "Limits::max_datagram_size(3)", &sent).await;
}

// H-17
#[tokio::test(start_paused = true)]
async fn each_serving_and_each_reason_logs_a_new_warning() {
    use crate::support::BindNow;

    let log = Log::capture();
    let net = Net::memory();
    let limits = Limits::default().max_queue_len(1).max_conversations(1);
    let server = Server::builder(Text, Sleeps).limits(limits).bind_now(net.socket()).unwrap();
    let handle = server.handle();
    let (peer, other) = (net.peer_of(&handle).await, net.peer_of(&handle).await);

    for time in 1..=2 {
        let (served, ()) = tokio::join!(server.serve(), async {
            assert!(handle.ready().await);
            for _ in 0..5 {
                peer.send("hello").await;
                settle().await;
                other.send("hello").await;
                settle().await;
            }
            handle.shutdown().await;
        });
        served.unwrap();

        let reasons: Vec<_> =
            log.alarms().iter().map(|told| told.field("reason").to_owned()).collect();
        assert_eq!(reasons, ["conversation_limit", "queue_full"].repeat(time));
    }
}

// G-3, H-9
#[tokio::test(start_paused = true)]
async fn drops_of_the_oldest_by_drop_oldest_are_quiet() {
    let log = Log::capture();
    let net = Net::memory();
    let limits = Limits::default().max_queue_len(1).overflow(Overflow::DropOldest);
    let server = net.serve_text_within(limits, Sleeps).await;
    let peer = net.peer_of(&server.handle).await;

    for _ in 0..5 {
        peer.send("hello").await;
        settle().await;
    }

    assert_eq!(server.handle.stats().dropped(DropReason::QueueFull), 3);
    server.stop().await;
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
}

/// Floods a server whose socket holds only a few datagrams, and calls `look` while it serves.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
async fn flooded(look: impl AsyncFn(&datagrammar::ServerHandle, &Log)) {
    use crate::support::Running;

    let log = Log::capture();
    let builder = Server::builder(Text, async |text: String| text);
    let udp = datagrammar::Udp::new("127.0.0.1:0").recv_buffer_size(16 << 10);
    let server = builder.bind(udp).await.unwrap();
    let (addr, server) = (server.local_addr(), Running::start(server).await);
    let handle = server.handle.clone();
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();

    // This occupies the only thread of the test, so the server cannot receive meanwhile.
    for _ in 0..2_000 {
        peer.send_to(b"flood", &addr).unwrap();
    }
    look(&handle, &log).await;
    server.stop().await;

    let told = log.alarm();
    assert_eq!((told.level, told.field("reason")), (Level::WARN, "kernel"));
    assert_eq!(told.field("local"), addr.to_string());
    assert!(told.field("bound").contains("Udp::recv_buffer_size"), "{told:?}");
    assert!(handle.stats().dropped(DropReason::Kernel) > 1);
    assert_eq!(log.alarms().len(), 1);
}

// G-10, H-17
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn drops_of_the_kernel_are_logged_when_stats_or_diagnostics_are_read() {
    flooded(async |handle, log| {
        let _ = handle.stats();
        assert_eq!(log.alarms().len(), 1);
    })
    .await;
    flooded(async |handle, log| {
        let _ = handle.diagnostics();
        assert_eq!(log.alarms().len(), 1);
    })
    .await;
}

// G-10, H-17
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn drops_of_the_kernel_are_logged_when_serving_ends_if_not_before() {
    flooded(async |_, log| assert!(log.alarms().is_empty())).await;
}

/// Receives one packet and sleeps for an hour.
struct Sleeps;

impl Handler<String, String> for Sleeps {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        peer.recv().await?;
        sleep(Duration::from_secs(3600)).await;
        Ok(())
    }
}
