//! IPv6 multicast groups, in a network namespace of the test, over an interface that carries multicast. The
//! loopback interface of a host does not.

use std::{
    net::{Ipv6Addr, SocketAddrV6, UdpSocket},
    process::Command,
    thread,
    time::Duration,
};

use datagrammar::{Interface, Server, Text, Udp};

use super::local_addrs;
use crate::{
    files::without_files,
    support::{Running, within_deadline},
};

/// Moves this thread, and the threads and processes that it starts, into a network namespace with one
/// interface of this name. Returns false if that is not allowed.
fn enter_network(interface: &str) -> bool {
    // SAFETY: it takes no pointer, and changes only what this thread sees.
    #[allow(unsafe_code)]
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        let error = std::io::Error::last_os_error();
        eprintln!("skipped: no network namespace may be made here: {error}");
        return false;
    }
    without_files(|| make_interface(interface));
    true
}

/// Makes the interface.
fn make_interface(interface: &str) {
    let ip = |arguments: String| {
        let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}");
    };
    ip("link set lo up".to_owned());
    ip(format!("link add {interface} type veth peer name {interface}p"));
    ip(format!("link set {interface} addrgenmode none up"));
    ip(format!("link set {interface}p addrgenmode none up"));
    // The kernel sends nothing over the interface until it has noticed that the other end is up.
    let is_up = || {
        let link = Command::new("ip").args(["-o", "link", "show", interface]).output().unwrap();
        String::from_utf8_lossy(&link.stdout).contains("state UP")
    };
    let begun = std::time::Instant::now();
    while !is_up() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{interface} does not come up");
        thread::sleep(Duration::from_millis(1));
    }
    // After that, since the kernel sets up addresses again when an interface comes up, and loses datagrams meanwhile.
    ip(format!("address add fe80::d:1/64 dev {interface} nodad"));
    ip(format!("address add 2001:db8::d:1/64 dev {interface} nodad"));
}

/// Runs `test` on a thread with its own network namespace, if the system permits one.
fn in_a_network<F: Future<Output = ()>>(
    interface: &'static str,
    test: impl FnOnce() -> F + Send + 'static,
) {
    let in_network = move || {
        if enter_network(interface) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(test());
        }
    };
    thread::spawn(in_network).join().unwrap();
}

/// Sends `text` to `group` over the interface; returns the answer and its source.
async fn ask(group: Ipv6Addr, port: u16, index: u32, text: &'static str) -> (String, SocketAddrV6) {
    let asked = move || {
        let local: Ipv6Addr = "fe80::d:1".parse().unwrap();
        let caller = UdpSocket::bind(SocketAddrV6::new(local, 0, 0, index)).unwrap();
        caller.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        caller.send_to(text.as_bytes(), SocketAddrV6::new(group, port, 0, index)).unwrap();
        let mut bytes = [0; 64];
        let (len, from) = caller.recv_from(&mut bytes).unwrap();
        let std::net::SocketAddr::V6(from) = from else { panic!("{from}") };
        (String::from_utf8(bytes[..len].to_vec()).unwrap(), from)
    };
    within_deadline(tokio::task::spawn_blocking(asked)).await.unwrap()
}

// S-3, B-9
#[test]
fn datagrams_to_an_ipv6_group_are_answered_from_an_address_of_the_host_until_it_is_left() {
    in_a_network("dgr6", || async {
        let interface: Interface = "dgr6".parse().unwrap();
        let Interface::Index(index) = interface else { panic!("{interface:?}") };
        for group in ["ff02::4d:21", "ff01::4d:21", "ff05::4d:21"] {
            let group: Ipv6Addr = group.parse().unwrap();
            for workers in [1, WORKERS] {
                let udp = Udp::new("[::]:0").multicast(group, interface).workers(workers);
                let server = Server::bind(udp, Text, async |text: String| text).await.unwrap();
                let port = local_addrs(&server)[0].port();
                let server = Running::start(server).await;

                let (answer, from) = ask(group, port, index, "who is there?").await;

                assert_eq!((&*answer, from.port()), ("who is there?", port));
                assert!(!from.ip().is_multicast());
                let handle = server.handle.clone();
                server.stop().await;
                let stats = handle.stats();
                assert_eq!((stats.received, stats.delivered, stats.sent), (1, 1, 1));
            }
        }
    });
}

const WORKERS: usize = if cfg!(datagrammar_portable) { 1 } else { 3 };

// B-9
#[test]
fn datagrams_to_an_ipv6_group_are_not_received_before_joining_or_after_leaving() {
    in_a_network("dgr7", || async {
        let interface: Interface = "dgr7".parse().unwrap();
        let Interface::Index(index) = interface else { panic!("{interface:?}") };
        let group: Ipv6Addr = "ff02::4d:22".parse().unwrap();
        let server = Server::builder(Text, async |text: String| text).bind("[::]:0").await.unwrap();
        let port = local_addrs(&server)[0].port();
        // Another socket keeps the group joined on this host.
        let other = UdpSocket::bind("[::]:0").unwrap();
        other.join_multicast_v6(&group, index).unwrap();
        let caller = UdpSocket::bind("[::]:0").unwrap();
        let call = |text: &str| {
            caller.send_to(text.as_bytes(), SocketAddrV6::new(group, port, 0, index)).unwrap();
        };

        call("before");
        server.join_multicast(group, interface).unwrap();
        call("joined");
        server.leave_multicast(group, interface).unwrap();
        call("left");

        let server = Running::start(server).await;
        let link_local: Ipv6Addr = "fe80::d:1".parse().unwrap();
        assert_eq!(ask(link_local, port, index, "directly").await.0, "directly");
        assert_eq!(server.handle.stats().received, 2);
        server.stop().await;
    });
}

// B-9
#[test]
fn a_link_local_address_is_bound_and_connected_to_by_the_name_of_its_interface() {
    in_a_network("dgr8", || async {
        let server = Server::builder(Text, async |text: String| text);
        let server = server.bind("[fe80::d:1%dgr8]:0").await.unwrap();
        let port = local_addrs(&server)[0].port();
        let server = Running::start(server).await;
        let client = datagrammar::Client::builder(Text);

        let client = client
            .connect(Udp::new(format!("[fe80::d:1%dgr8]:{port}")).local_addr("[fe80::d:1%dgr8]:0"))
            .await
            .unwrap();
        client.send(&"hello".to_owned()).await.unwrap();

        assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
        server.stop().await;
    });
}
