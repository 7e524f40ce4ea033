//! What `recv` of a blocking client returns.

use std::{
    io::ErrorKind,
    net::{Shutdown, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use datagrammar::{ClientRecvError, Text, Udp, blocking::Client};
use socket2::SockRef;

use super::{IPS, client, client_by, hear};
use crate::{
    blocking::{DEADLINE, until, waiting},
    clients::Fragile,
};

fn timed_out(received: &Result<String, ClientRecvError>) -> bool {
    matches!(received, Err(ClientRecvError::TimedOut))
}

// C-3
#[test]
fn datagrams_of_others_are_not_returned() {
    for ip in IPS {
        let (client, peer) = client(ip);
        let stranger = UdpSocket::bind((ip, 0)).unwrap();
        // The kernel may refuse it.
        let _ = stranger.send_to(b"you", peer.to);

        let heard = client.recv_timeout(Duration::from_millis(10));

        assert!(timed_out(&heard), "{heard:?}");
        peer.send("me");
        assert_eq!(hear(&client), "me");
    }
}

// C-3, C-16
#[test]
fn datagrams_of_others_from_before_connecting_are_not_returned() {
    for ip in IPS {
        let [stranger, peer, socket] = [(); 3].map(|()| UdpSocket::bind((ip, 0)).unwrap());
        let to = socket.local_addr().unwrap();
        for _ in 0..50 {
            stranger.send_to(b"a long greeting of a stranger", to).unwrap();
            peer.send_to(b"me", to).unwrap();
            stranger.send_to(b"", to).unwrap();
        }
        socket.connect(peer.local_addr().unwrap()).unwrap();

        let builder = Client::builder(Text).max_datagram_size(4);
        let client = builder.connect_blocking(socket).unwrap();

        for _ in 0..50 {
            assert_eq!(hear(&client), "me");
        }
        assert!(timed_out(&client.recv_timeout(Duration::ZERO)));
        assert_eq!(client.stats().received, 50);
    }
}

// C-3, B-8
#[test]
fn a_peer_is_recognized_by_each_form_of_its_address() {
    for (ip, names) in [
        ("127.0.0.1", ["127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"]),
        ("::1", ["[::1]", "[::1%1]", "[::]"]),
    ] {
        let peer = UdpSocket::bind((ip, 0)).unwrap();
        let port = peer.local_addr().unwrap().port();
        for name in names {
            let client = Client::connect(format!("{name}:{port}"), Text).unwrap();
            client.send("hello".to_owned()).unwrap();
            let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
            peer.send_to(b"me", from).unwrap();
            assert_eq!(hear(&client), "me");
        }
    }
}

// C-4, R-2, R-5
#[test]
fn a_datagram_that_is_not_a_packet_is_an_error_at_its_place() {
    let (client, peer) = client("127.0.0.1");
    for datagram in [&b"good"[..], b"\xe9", b"good again"] {
        peer.send(datagram);
    }

    assert_eq!(hear(&client), "good");
    let bad = client.recv_timeout(DEADLINE);
    assert!(matches!(bad, Err(ClientRecvError::Decode(_))), "{bad:?}");
    assert_eq!(hear(&client), "good again");
}

// C-4
#[test]
fn a_panic_of_the_codec_reaches_the_caller_and_the_client_stays_usable() {
    let (client, peer) = client_by("127.0.0.1", |addr| Client::connect(addr, Fragile).unwrap());
    peer.send("panic");
    peer.send("fine");

    assert!(catch_unwind(AssertUnwindSafe(|| client.recv_timeout(DEADLINE))).is_err());
    assert_eq!(client.recv_timeout(DEADLINE).unwrap(), "fine");
    let sent = catch_unwind(AssertUnwindSafe(|| client.send("panic".to_owned())));
    assert!(sent.is_err());
    client.send("fine".to_owned()).unwrap();

    assert_eq!(peer.recv_text(), "fine");
    assert!(peer.hears_nothing());
}

// C-4, D-11
#[test]
fn a_zero_length_datagram_is_received_and_sent() {
    for ip in IPS {
        let (client, peer) = client(ip);

        peer.send("");
        assert_eq!(hear(&client), "");
        client.send(String::new()).unwrap();
        assert_eq!(peer.recv(), b"");
        peer.send("");
        assert_eq!(client.recv_timeout(Duration::MAX).unwrap(), "");
    }
}

// C-4, R-6, C-5
#[test]
fn a_wait_without_end_waits_for_the_packet() {
    type Wait = fn(&Client<Text>) -> Result<String, ClientRecvError>;
    let waits: [Wait; 5] = [
        |client| client.recv(),
        |client| client.recv_timeout(Duration::MAX),
        |client| client.recv_timeout(Duration::from_secs(u64::MAX >> 1)),
        // More milliseconds than `poll` can wait.
        |client| client.recv_timeout(Duration::from_secs(1 << 40)),
        |client| client.recv_deadline(Instant::now() + Duration::from_secs(1 << 30)),
    ];
    for wait in waits {
        let (client, peer) = client("127.0.0.1");
        let waiting = waiting(move || wait(&client));

        peer.send("at last");

        until(|| waiting.is_finished());
        assert_eq!(waiting.join().unwrap().unwrap(), "at last");
    }
}

// C-4, R-9
#[test]
fn a_packet_that_is_there_is_returned_with_a_timeout_of_zero() {
    let (client, peer) = client("127.0.0.1");
    for packet in ["first", "second", "third"] {
        peer.send(packet);
    }

    assert_eq!(client.recv_timeout(Duration::ZERO).unwrap(), "first");
    assert_eq!(client.recv_deadline(Instant::now()).unwrap(), "second");
    let past = Instant::now().checked_sub(Duration::from_millis(1)).unwrap_or_else(Instant::now);
    assert_eq!(client.recv_deadline(past).unwrap(), "third");
    assert!(timed_out(&client.recv_timeout(Duration::ZERO)));
    assert!(timed_out(&client.recv_deadline(past)));
}

// C-4, R-12
#[test]
fn a_datagram_beyond_the_limit_is_never_returned_as_a_whole_one() {
    let (client, peer) = client_by("127.0.0.1", |addr| {
        Client::builder(Text).max_datagram_size(4).connect_blocking(addr).unwrap()
    });
    for datagram in ["1234", "12345", "123456789", "last"] {
        peer.send(datagram);
    }

    assert_eq!(hear(&client), "1234");
    for _ in 0..2 {
        let long = client.recv_timeout(DEADLINE);
        assert!(matches!(long, Err(ClientRecvError::TooLarge { max: 4, .. })), "{long:?}");
    }
    assert_eq!((client.stats().received, client.stats().too_large), (3, 2));
    assert_eq!(client.recv_timeout(Duration::ZERO).unwrap(), "last");
}

// C-4, R-12
#[test]
fn a_limit_of_zero_and_one_above_the_longest_datagram_are_possible() {
    for (limit, len) in [(0, 0), (usize::MAX, 65_507)] {
        let (client, peer) = client_by("127.0.0.1", |addr| {
            Client::builder(Text).max_datagram_size(limit).connect_blocking(addr).unwrap()
        });

        peer.send(vec![b'x'; len]);

        assert_eq!(hear(&client).len(), len);
    }
}

// C-5
#[test]
fn after_a_recv_timed_out_the_next_one_receives() {
    let (client, peer) = client("127.0.0.1");
    let (begun, timeout) = (Instant::now(), Duration::from_millis(20));

    assert!(timed_out(&client.recv_timeout(timeout)));
    assert!(begun.elapsed() >= timeout);
    assert!(timed_out(&client.recv_timeout(Duration::from_nanos(1))));
    peer.send("late");

    assert_eq!(hear(&client), "late");
}

// C-12
#[test]
fn a_socket_that_was_shut_down_for_reading_is_an_error_and_no_endless_loop() {
    let (client, peer) = client("127.0.0.1");
    SockRef::from(&client.socket_ref().unwrap()).shutdown(Shutdown::Read).unwrap();

    for _ in 0..2 {
        let failed = client.recv_timeout(DEADLINE);
        let Err(ClientRecvError::Io(error)) = failed else { panic!("{failed:?}") };
        #[cfg(target_os = "linux")]
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert_ne!(error.kind(), ErrorKind::WouldBlock);
    }

    assert!(!client.is_closed());
    client.send("hello".to_owned()).unwrap();
    assert_eq!(peer.recv_text(), "hello");
}

// C-13
#[test]
fn the_kernel_keeps_packets_that_are_not_received_until_its_buffer_is_full() {
    let (client, peer) = client_by("127.0.0.1", |addr| {
        Client::connect(Udp::new(addr).recv_buffer_size(10_000), Text).unwrap()
    });

    for _ in 0..10_000 {
        peer.send("flood");
    }

    let heard = client.packets().within(Duration::ZERO).map(Result::unwrap).count();
    assert!((1..1_000).contains(&heard), "{heard} of 10,000 were kept");
}

// C-20
#[test]
fn try_recv_returns_at_once_with_or_without_a_packet() {
    let (client, peer) = client("127.0.0.1");
    assert!(client.try_recv().is_none());

    peer.send("hello");
    peer.send(b"\xe9");

    assert_eq!(client.try_recv().unwrap().unwrap(), "hello");
    let junk = client.try_recv();
    assert!(matches!(junk, Some(Err(ClientRecvError::Decode(_)))), "{junk:?}");
    assert!(client.try_recv().is_none());
    client.close();
    assert!(matches!(client.try_recv(), Some(Err(ClientRecvError::Closed))));
}

// C-22
#[test]
fn sent_and_received_packets_and_decode_errors_are_counted() {
    let (client, peer) = client("127.0.0.1");

    client.send("one".to_owned()).unwrap();
    client.clone().send_all(["two", "three"].map(str::to_owned)).unwrap();
    peer.send("text");
    peer.send(b"\xe9");
    assert!(client.recv_timeout(DEADLINE).is_ok());
    assert!(client.recv_timeout(DEADLINE).is_err());
    client.close();

    assert_eq!(client.stats().to_string(), "sent: 3, received: 2, decode_errors: 1");
}

// R-5, D-17
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
#[test]
fn datagrams_that_the_kernel_has_merged_are_not_returned_as_one() {
    use crate::socket_option::{Switch, set};

    const GRO: Switch = (libc::SOL_UDP, libc::UDP_GRO, 1);

    let (client, peer) = client("127.0.0.1");
    set(&client.socket_ref().unwrap(), GRO).unwrap();
    peer.send("hello");
    let heard = client.recv_timeout(DEADLINE);
    assert!(matches!(heard, Err(ClientRecvError::TooLarge { .. })), "{heard:?}");

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer.socket.local_addr().unwrap()).unwrap();
    set(&socket, GRO).unwrap();
    let error = Client::connect(socket, Text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("UDP_GRO"), "{error}");
}
