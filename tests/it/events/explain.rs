//! What a server explains when an operator asks.

use datagrammar::{Text, UdpServer, UdpServerBuilder};
use tracing::Level;

use crate::{
    log::Log,
    support::{Bytes, Running},
};

fn builder() -> UdpServerBuilder<Text, impl datagrammar::Handler<String, String>> {
    UdpServer::builder(Text, async |text: String| text)
}

// G-1
#[tokio::test]
async fn each_address_is_explained_with_what_was_asked_and_granted() {
    let builder = builder().recv_buffer(64 << 10).send_buffer(usize::MAX);
    let server = builder.bind(["127.0.0.1:0", "127.0.0.1:0", "[::1]:0"]).await.unwrap();
    let control = server.control();

    let explanation = control.explain();

    let addresses: Vec<_> = explanation.addresses().iter().map(|one| one.addr().clone()).collect();
    assert_eq!(addresses, control.addresses());
    let first = &explanation.addresses()[0];
    let (receive, send) = (first.recv_buffer().unwrap(), first.send_buffer().unwrap());
    assert_eq!((receive.asked(), receive.granted()), (Some(64 << 10), 64 << 10));
    assert!(!receive.is_short() && send.is_short());
    assert_eq!(send.asked(), Some(usize::MAX));
    drop(server);
    assert!(control.explain().addresses().is_empty());
}

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[tokio::test]
async fn how_datagrams_are_carried_is_explained_for_every_kind_of_socket() {
    use datagrammar::{Method, Offload};

    use crate::support::Net;

    let own = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let kinds = [
        (builder().bind("127.0.0.1:0").await, Method::Batches, Offload::On),
        (builder().offload(false).bind("127.0.0.1:0").await, Method::Batches, Offload::SwitchedOff),
        (
            builder().portable(true).bind("127.0.0.1:0").await,
            Method::Portable,
            Offload::Unavailable,
        ),
        (builder().socket(own), Method::Batches, Offload::UsersSocket),
        (builder().socket(Net::memory().socket()), Method::Memory, Offload::Unavailable),
    ];

    for (server, method, offload) in kinds {
        let server = server.unwrap();
        let explanation = server.control().explain();
        let address = &explanation.addresses()[0];
        assert_eq!((address.method(), address.recv_offload()), (method, offload));
        assert_eq!(address.recv_buffer().is_some(), method != Method::Memory);
        assert_eq!(address.kernel_drops().is_some(), method == Method::Batches);
    }
}

// H-9
#[tokio::test]
async fn buffers_that_are_smaller_than_asked_for_are_told_once_and_quietly() {
    let log = Log::capture();
    let told = || {
        let all = log.all().into_iter();
        all.filter(|told| told.fields.contains_key("buffers")).collect::<Vec<_>>()
    };
    let short = builder().recv_buffer(usize::MAX).send_buffer(usize::MAX);
    let addresses = ["127.0.0.1:0", "[::1]:0"];
    let enough = builder().recv_buffer(4_096).send_buffer(8_192).bind(addresses).await.unwrap();
    assert_eq!(told().len(), 0);
    let short = short.bind(addresses).await.unwrap();

    let told = told();
    assert_eq!((told.len(), told[0].level), (1, Level::DEBUG));
    assert_eq!(told[0].field("buffers").matches("asked for").count(), 4);
    drop((enough, short));
}

#[tokio::test]
async fn batches_are_explained_as_they_are_counted() {
    let server = builder().bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr();
    let server = Running::start(server).await;
    let peer = Bytes(datagrammar::UdpClient::connect(addr, datagrammar::Raw).await.unwrap());

    peer.ask("hello").await;

    let explanation = server.control.explain();
    assert_eq!((explanation.batches().total(), explanation.kernel_drops()), (1, 0));
    assert!(explanation.to_string().ends_with("datagrams per batch: 1: 1"), "{explanation}");
    server.stop().await;
}
