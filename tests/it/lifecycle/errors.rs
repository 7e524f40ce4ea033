//! L-22 to L-24: errors of the socket.

use std::{
    io::{self, ErrorKind},
    net::UdpSocket,
    time::Duration,
};

use datagrammar::{
    Addr, Handler, IntoHandler, Limits, RecvError, ServeError,
    testing::{Conditions, Network},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracing::Level;

use super::{Loops, Steps, TestServer, echo, ended, starting};
use crate::{
    log::Log,
    support::{Bytes, Net, conversing, until},
};

/// A server in memory that serves, its network and address, and a peer.
struct Scene {
    network: Network,
    server: TestServer,
    serving: JoinHandle<Result<(), ServeError>>,
    address: Addr,
    peer: Bytes,
}

impl Scene {
    async fn new<Form>(
        handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
    ) -> Self {
        Self::within(Limits::default(), handler).await
    }

    async fn within<Form>(
        limits: Limits,
        handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
    ) -> Self {
        let network = Network::new(1, Conditions::default());
        let net = Net::Memory(network.clone());
        let server = TestServer::bind_within(limits, &net, handler);
        let serving = server.serve().await;
        let address = server.handle.local_addrs().remove(0);
        let peer = net.peer_of(&server.handle).await;
        Self { network, server, serving, address, peer }
    }

    fn fail_recv(&self, kind: ErrorKind, times: usize) {
        self.network.fail_recv(self.address.clone(), kind, times);
    }
}

const ICMP: [ErrorKind; 4] = [
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
];

// L-22
#[tokio::test(start_paused = true)]
async fn an_icmp_error_of_a_receive_causes_no_loss_or_delay_and_is_quiet() {
    let log = Log::capture();
    let scene = Scene::new(echo).await;
    let begun = Instant::now();

    for kind in ICMP {
        scene.fail_recv(kind, 1);
        scene.peer.send("before").await;
        scene.fail_recv(kind, 1);
        scene.peer.send("after").await;

        assert_eq!(scene.peer.recv_text().await, "before");
        assert_eq!(scene.peer.recv_text().await, "after");
    }

    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
    scene.server.stop(scene.serving).await;
}

// L-22
#[tokio::test(start_paused = true)]
async fn ten_thousand_icmp_errors_in_a_row_delay_a_datagram_by_less_than_a_second() {
    let log = Log::capture();
    let scene = Scene::new(echo).await;
    let begun = Instant::now();

    for kind in ICMP {
        scene.fail_recv(kind, 2_500);
    }

    assert_eq!(scene.peer.ask("still there?").await, "still there?");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(log.alarms().is_empty(), "{:?}", log.alarms());
    scene.server.stop(scene.serving).await;
}

// L-22, S-8
#[tokio::test(start_paused = true)]
async fn an_icmp_error_of_a_send_ends_no_conversation() {
    let scene = Scene::new(echo).await;

    for kind in ICMP {
        scene.network.fail_send(scene.address.clone(), kind, 1);
        scene.peer.send("perhaps lost").await;
        scene.peer.send("answered").await;
        while scene.peer.recv_text().await != "answered" {}
    }

    scene.server.stop(scene.serving).await;
}

// L-22
#[cfg(target_os = "linux")]
#[tokio::test]
async fn ten_thousand_replies_to_closed_ports_do_not_disturb_other_peers() {
    for ip in ["127.0.0.1", "::1"] {
        let log = Log::capture();
        let net = Net::Loopback(ip);
        let server = TestServer::bind(&net, echo);
        let serving = server.serve().await;
        let peer = net.peer_of(&server.handle).await;
        let address = server.handle.local_addrs()[0].socket_addr().unwrap();
        let closed = closed_to_all_but(&UdpSocket::bind((ip, 0)).unwrap());

        for round in 1..=100 {
            closed.iter().for_each(|port| assert_eq!(port.send_to(b"?", address).unwrap(), 1));
            assert_eq!(peer.ask("still there?").await, "still there?");
            until(|| server.handle.stats().delivered == 101 * round).await;
        }

        assert!(log.alarms().is_empty(), "{:?}", log.alarms());
        server.stop(serving).await;
    }
}

/// Ports that are reserved for this test. The kernel treats them as closed for all senders except `only`.
#[cfg(target_os = "linux")]
fn closed_to_all_but(only: &UdpSocket) -> Vec<UdpSocket> {
    let only = only.local_addr().unwrap();
    let closed = || {
        let socket = UdpSocket::bind((only.ip(), 0)).unwrap();
        socket.connect(only).unwrap();
        socket
    };
    std::iter::repeat_with(closed).take(100).collect()
}

// L-23
#[tokio::test(start_paused = true)]
async fn another_receive_error_logs_a_warning_and_the_loop_goes_on() {
    let log = Log::capture();
    let scene = Scene::new(echo).await;

    scene.fail_recv(ErrorKind::OutOfMemory, 1);
    assert_eq!(scene.peer.ask("still there?").await, "still there?");

    let told = log.alarm();
    assert_eq!(told.level, Level::WARN);
    assert_eq!(told.field("error"), io::Error::from(ErrorKind::OutOfMemory).to_string());
    scene.server.stop(scene.serving).await;
}

// L-23
#[tokio::test(start_paused = true)]
async fn while_an_error_persists_the_loop_retries_less_and_less_often_down_to_once_a_second() {
    for (times, expected) in [(1, 1), (2, 3), (10, 1_023), (12, 3_023), (30, 21_023)] {
        let scene = Scene::new(echo).await;
        scene.peer.ask("hello").await;
        let begun = Instant::now();

        scene.fail_recv(ErrorKind::OutOfMemory, times);
        scene.peer.send("still there?").await;
        scene.peer.0.recv().await.unwrap();

        assert_eq!(begun.elapsed().as_millis(), expected, "{times} errors");
        scene.server.stop(scene.serving).await;
    }
}

// L-23, H-11
#[tokio::test(start_paused = true)]
async fn not_every_persisting_error_is_logged() {
    let log = Log::capture();
    let scene = Scene::within(Limits::default().max_events_per_second(3), echo).await;

    scene.fail_recv(ErrorKind::OutOfMemory, 30);
    scene.peer.send("still there?").await;
    scene.peer.0.recv().await.unwrap();
    scene.server.stop(scene.serving).await;

    let told = log.alarms();
    let withheld = told.iter().filter_map(|told| told.field("suppressed").parse::<usize>().ok());
    let of_receives = told.iter().filter(|told| told.fields.contains_key("error")).count();
    assert_eq!((of_receives, withheld.sum::<usize>()), (23, 7));
}

// L-23
#[tokio::test(start_paused = true)]
async fn conversations_and_shutdown_work_while_a_socket_cannot_receive() {
    let scene = Scene::new(conversing!(|peer| {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        loop {
            sleep(Duration::from_millis(10)).await;
            peer.send(&"news".to_owned()).await?;
        }
    }))
    .await;
    scene.peer.ask("hello").await;

    scene.fail_recv(ErrorKind::OutOfMemory, 1_000);
    sleep(Duration::from_secs(30)).await;
    let mut news = 0;
    while scene.peer.0.recv_timeout(Duration::ZERO).await.is_ok() {
        news += 1;
    }
    let begun = Instant::now();
    scene.server.stop(scene.serving).await;

    assert!(news >= 2_900, "{news}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

// L-24
#[tokio::test(start_paused = true)]
async fn a_socket_that_can_never_receive_again_ends_serving_gracefully() {
    let steps = Steps::default();
    let loops = Loops::default();
    let handler = starting!(
        [steps] | context | {
            context.on_shutdown(async move { steps.note("cleans up") });
            Ok(())
        },
        conversing!(
            [steps, loops] | peer | {
                *loops.0.lock().unwrap() = Some(peer.sender());
                let request = peer.recv().await?;
                peer.send(&request).await?;
                assert!(matches!(peer.recv().await, Err(RecvError::Closed)));
                peer.send(&"goodbye".to_owned()).await?;
                steps.note("conversation ends");
                Ok(())
            }
        )
    );
    let log = Log::capture();
    let scene = Scene::new(handler).await;
    scene.peer.ask("hello").await;
    let begun = Instant::now();

    scene.fail_recv(ErrorKind::NotConnected, 1);

    let error = ended(scene.serving).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(matches!(&error, ServeError::Io(cause) if cause.kind() == ErrorKind::NotConnected));
    assert_eq!(scene.peer.recv_text().await, "goodbye");
    assert_eq!(steps.all(), ["conversation ends", "cleans up"]);
    assert!(!scene.server.handle.is_serving() && loops.sender().is_closed());
    assert_eq!(log.messages(Level::INFO), ["serving", "stopping", "stopped"]);
}

// L-24
#[tokio::test(start_paused = true)]
async fn a_socket_that_can_never_receive_again_ends_serving_within_the_grace() {
    let scene = Scene::new(super::Sleeps).await;
    scene.peer.ask("hello").await;
    let begun = Instant::now();

    scene.fail_recv(ErrorKind::NotConnected, 1);

    assert!(matches!(ended(scene.serving).await, Err(ServeError::Io(_))));
    assert_eq!(begun.elapsed().as_millis(), 750);
    assert_eq!(scene.server.handle.stats().aborted, 1);
}
