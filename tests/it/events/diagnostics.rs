//! The diagnostics of a server.

use datagrammar::{Server, ServerBuilder, Text, Udp};
use tracing::Level;

use crate::{
    log::Log,
    support::{Bytes, Running},
};

fn builder() -> ServerBuilder<Text> {
    Server::builder(Text, async |text: String| text)
}

// G-1
#[tokio::test]
async fn the_diagnostics_show_requested_and_granted_buffers_of_each_address() {
    let builder = builder();
    let server = builder
        .bind(
            Udp::new(["127.0.0.1:0", "127.0.0.1:0", "[::1]:0"])
                .recv_buffer_size(64 << 10)
                .send_buffer_size(usize::MAX),
        )
        .await
        .unwrap();
    let handle = server.handle();

    let diagnostics = handle.diagnostics();

    let addresses: Vec<_> =
        diagnostics.sockets().iter().map(|one| one.local_addr().clone()).collect();
    assert_eq!(addresses, handle.local_addrs());
    let first = &diagnostics.sockets()[0];
    let (receive, send) = (first.recv_buffer().unwrap(), first.send_buffer().unwrap());
    assert_eq!((receive.requested(), receive.granted()), (Some(64 << 10), 64 << 10));
    assert!(!receive.is_short() && send.is_short());
    assert_eq!(send.requested(), Some(usize::MAX));
    drop(server);
    assert!(handle.diagnostics().sockets().is_empty());
}

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn the_diagnostics_show_the_io_mode_and_offload_of_every_kind_of_socket() {
    use datagrammar::{IoMode, Offload};

    use crate::support::{BindNow, Net};

    let own = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let kinds = [
        (builder().bind("127.0.0.1:0").await, IoMode::Batched, Offload::On),
        (
            builder().bind(Udp::new("127.0.0.1:0").segmentation_offload(false)).await,
            IoMode::Batched,
            Offload::Disabled,
        ),
        (
            builder().bind(Udp::new("127.0.0.1:0").batch_io(false)).await,
            IoMode::Single,
            Offload::Unavailable,
        ),
        (builder().bind_now(own), IoMode::Batched, Offload::CallerSocket),
        (builder().bind_now(Net::memory().socket()), IoMode::Memory, Offload::Unavailable),
    ];

    for (server, method, offload) in kinds {
        let server = server.unwrap();
        let diagnostics = server.handle().diagnostics();
        let address = &diagnostics.sockets()[0];
        assert_eq!((address.io_mode(), address.recv_offload()), (method, offload));
        assert_eq!(address.recv_buffer().is_some(), method != IoMode::Memory);
        assert_eq!(address.kernel_drops().is_some(), method == IoMode::Batched);
    }
}

// H-9
#[tokio::test]
async fn buffers_smaller_than_requested_are_logged_once_at_a_quiet_level() {
    let log = Log::capture();
    let told = || {
        let all = log.all().into_iter();
        all.filter(|told| told.fields.contains_key("buffers")).collect::<Vec<_>>()
    };
    let short = builder();
    let addresses = ["127.0.0.1:0", "[::1]:0"];
    let enough = builder()
        .bind(Udp::new(addresses).recv_buffer_size(4_096).send_buffer_size(8_192))
        .await
        .unwrap();
    assert_eq!(told().len(), 0);
    let short = short
        .bind(Udp::new(addresses).recv_buffer_size(usize::MAX).send_buffer_size(usize::MAX))
        .await
        .unwrap();

    let told = told();
    assert_eq!((told.len(), told[0].level), (1, Level::DEBUG));
    assert_eq!(told[0].field("buffers").matches("requested").count(), 4);
    drop((enough, short));
}

#[tokio::test]
async fn the_diagnostics_show_the_counted_batches() {
    let server = builder().bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr();
    let server = Running::start(server).await;
    let peer = Bytes(datagrammar::Client::connect(addr, datagrammar::Raw).await.unwrap());

    peer.ask("hello").await;

    let diagnostics = server.handle.diagnostics();
    assert_eq!((diagnostics.batches().total(), diagnostics.kernel_drops()), (1, 0));
    assert!(diagnostics.to_string().ends_with("datagrams per batch: 1: 1"), "{diagnostics}");
    server.stop().await;
}
