//! The transports that can be handed over.

use datagrammar::{IoMode, TakeOver, Udp, Unix};

use super::*;

/// Hands `transport` over twice, while each of `peers` is in conversation with the first server, and requires that nothing is
/// lost.
async fn hand_over(
    transport: impl Fn() -> datagrammar::AnyTransport,
    client: impl AsyncFn(&Addr) -> Asking,
    peers: usize,
    dedicated_threads: bool,
) -> ServerHandle {
    let path = temporary_path();
    let start = async |name| {
        let transport = || TakeOver::from(&path).or(transport());
        let bind = async || builder_of(name, dedicated_threads).bind(transport()).await;
        let server = free(bind).await;
        Running::start(server, &path, LONG).await
    };
    let first = start("first").await;
    let addr = first.addr();
    let mut clients = Vec::new();
    for _ in 0..peers {
        let client = client(&addr).await;
        assert_eq!(client.ask("a").await, "first 1 a");
        clients.push(client);
    }
    let second = start("second").await;
    assert_eq!(second.handle.local_addrs(), first.handle.local_addrs());
    until(|| !first.handle.is_serving()).await;
    for client in &clients {
        assert_eq!(client.ask("b").await, "first 2 b");
        assert_eq!(client.ask("bye").await, "first 3 bye");
    }
    let (aborted, stats) = first.end().await;
    assert_eq!((aborted, stats.total_dropped()), (0, 0), "{stats}");
    for client in &clients {
        assert_eq!(client.ask("bye").await, "second 1 bye");
    }
    let third = start("third").await;
    second.end().await;
    for client in &clients {
        assert_eq!(client.ask("bye").await, "third 1 bye");
    }
    let handle = third.handle.clone();
    let diagnostics = handle.diagnostics().to_string();
    let stats = third.shut_down().await;
    assert_eq!((stats.received, stats.total_dropped()), (peers as u64, 0), "{stats} {diagnostics}");
    handle
}

fn builder_of(name: &'static str, dedicated_threads: bool) -> datagrammar::ServerBuilder<Text> {
    Server::builder(Text, Counting(name)).dedicated_threads(dedicated_threads)
}

// O-31
#[tokio::test]
async fn udp_with_one_worker_in_both_modes() {
    for batch_io in [true, false] {
        let udp = || Udp::new("127.0.0.1:0").batch_io(batch_io).into();
        hand_over(udp, Asking::of, 8, false).await;
    }
    // Of IPv6 and of a wildcard address, where replies leave from the address that was asked.
    hand_over(|| Udp::new("[::1]:0").into(), Asking::of, 4, false).await;
    let local = async |addr: &Addr| {
        let port = addr.port().unwrap();
        Asking(Client::connect(("127.0.0.1", port), Text).await.unwrap())
    };
    hand_over(|| Udp::new("0.0.0.0:0").into(), local, 4, false).await;
}

// O-31, B-12
#[cfg(all(target_os = "linux", not(datagrammar_portable)))] // it needs several workers
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_with_several_workers_on_tasks_and_on_threads() {
    for dedicated_threads in [false, true] {
        let udp = || Udp::new("127.0.0.1:0").workers(3).into();
        hand_over(udp, Asking::of, 24, dedicated_threads).await;
    }
}

// O-31
#[tokio::test]
async fn the_new_process_chooses_how_it_reads_if_the_socket_allows_that() {
    let path = temporary_path();
    let one = Udp::new("127.0.0.1:0").batch_io(false);
    let old = Running::start(bind("old", &path, one).await, &path, LONG).await;
    let mode = |server: &Server| server.handle().diagnostics().sockets()[0].io_mode();
    let same = bind("new", &path, Udp::new("127.0.0.1:0").batch_io(false)).await;
    assert_eq!(mode(&same), IoMode::Single);
    let new = Running::start(same, &path, LONG).await;
    old.end().await;
    let client = Asking::of(&new.addr()).await;
    assert_eq!(client.ask("a").await, "new 1 a");
    new.shut_down().await;
}

// O-31, U-1
#[tokio::test]
async fn a_unix_socket_keeps_its_path_until_the_last_server_is_dropped() {
    let socket = temporary_path();
    let client = async |addr: &Addr| {
        let unix = Unix::new(addr.as_pathname().unwrap()).local_addr(temporary_path());
        Asking(Client::connect(unix, Text).await.unwrap())
    };

    hand_over(|| Unix::new(&socket).into(), client, 4, false).await;

    assert!(!socket.exists(), "the third server has removed it");
}

// O-31: what is passed on leaves its room in the buffer to what comes next
#[tokio::test]
async fn long_datagrams_are_passed_on_without_an_end() {
    for batch_io in [true, false] {
        let path = temporary_path();
        let first = bind("first", &path, Udp::new("127.0.0.1:0").batch_io(batch_io)).await;
        let first = Running::start(first, &path, LONG).await;
        let client = Asking::of(&first.addr()).await;
        assert_eq!(client.ask("a").await, "first 1 a");
        let second = bind("second", &path, Udp::new("127.0.0.1:0").batch_io(batch_io)).await;
        let second = Running::start(second, &path, LONG).await;
        until(|| !first.handle.is_serving()).await;

        let long = "a".repeat(50_000);
        for number in 2..12 {
            assert_eq!(client.ask(&long).await, format!("first {number} {long}"));
        }

        client.ask("bye").await;
        first.end().await;
        second.shut_down().await;
    }
}
