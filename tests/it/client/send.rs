//! What `send` of a client returns.

use std::{io::ErrorKind, net::UdpSocket, pin::pin, time::Duration};

use datagrammar::{Client, ClientRecvError, ClientSendError, Raw, Text};
use socket2::SockRef;
use tokio::time::timeout;

use super::{client, client_of, waits};
use crate::{
    clients::Fragile,
    support::{Bytes, Net, client_on, everywhere, within_deadline},
};

everywhere! {
    // C-6, S-5
    async fn a_packet_that_cannot_be_encoded_is_not_sent_and_the_client_stays_usable(net) {
        let (client, peer) = client_of(&net, Fragile);

        let refused = client.send(&"error".to_owned()).await;
        client.send(&"fine".to_owned()).await.unwrap();

        let Err(ClientSendError::Encode(error)) = refused else { panic!("the packet was encoded") };
        assert_eq!(error.to_string(), "this text is refused");
        assert_eq!(peer.recv_text().await, "fine");
        assert!(peer.hears_nothing().await);
    }

    // C-4
    async fn a_panic_of_the_codec_reaches_the_caller_and_nothing_is_sent(net) {
        let (client, peer) = client_of(&net, Fragile);
        let same = client.clone();

        let panicked = tokio::spawn(async move { same.send(&"panic".to_owned()).await }).await;
        client.send(&"fine".to_owned()).await.unwrap();

        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(peer.recv_text().await, "fine");
        assert!(peer.hears_nothing().await);
    }

    // C-6, S-6, S-7
    async fn a_packet_longer_than_a_datagram_is_refused_and_one_of_exactly_the_limit_is_sent(net) {
        let (client, peer) = client(&net);
        let longest = match client.peer_addr().socket_addr() {
            Some(addr) => if addr.is_ipv4() { 65_507 } else { 65_527 },
            None => SockRef::from(&client.socket_ref().unwrap()).send_buffer_size().unwrap() - 32,
        };

        let long = client.send(&"x".repeat(longest + 1)).await;
        client.send(&"x".repeat(longest)).await.unwrap();

        let Err(ClientSendError::TooLarge { len, max, .. }) = long else { panic!("a packet that is too long was sent") };
        assert_eq!((len, max), (longest + 1, longest));
        match peer.0.recv().await {
            Ok(packet) => assert_eq!(packet.len(), longest),
            Err(error) => assert!(!net.loses() && matches!(error, ClientRecvError::TooLarge { .. })),
        }
        assert!(peer.hears_nothing().await);
    }
}

// C-6, S-10
#[tokio::test(start_paused = true)]
async fn without_room_a_send_waits_and_recv_goes_on() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, peer) = client(&net);
    network.hold_sends(client.local_addr().clone(), true);
    let same = client.clone();
    let sending = tokio::spawn(async move { same.send(&"patience".to_owned()).await });
    peer.send("meanwhile").await;

    let meanwhile = timeout(Duration::from_secs(3_600), client.recv()).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;

    assert_eq!(meanwhile.unwrap().unwrap(), "meanwhile");
    assert!(!sending.is_finished());
    network.hold_sends(client.local_addr().clone(), false);
    within_deadline(sending).await.unwrap().unwrap();
    assert_eq!(peer.recv_text().await, "patience");
    assert!(peer.hears_nothing().await);
}

// C-6, S-11
#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_while_it_waits_sends_nothing() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, peer) = client(&net);
    network.hold_sends(client.local_addr().clone(), true);
    {
        let packet = "dropped".to_owned();
        waits(pin!(client.send(&packet))).await;
    }

    network.hold_sends(client.local_addr().clone(), false);
    client.send(&"later".to_owned()).await.unwrap();

    assert_eq!(peer.recv_text().await, "later");
    assert!(peer.hears_nothing().await);
}

// C-6
#[tokio::test(start_paused = true)]
async fn a_datagram_that_the_kernel_refuses_fails_only_its_own_send() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, peer) = client(&net);
    network.fail_send(client.local_addr().clone(), ErrorKind::PermissionDenied, 1);

    let refused = client.send(&"refused".to_owned()).await;
    peer.send("hello").await;

    assert!(
        matches!(refused, Err(ClientSendError::Io(error)) if error.kind() == ErrorKind::PermissionDenied)
    );
    assert_eq!(client.recv().await.unwrap(), "hello");
    client.send(&"fine".to_owned()).await.unwrap();
    assert_eq!(peer.recv_text().await, "fine");
}

/// A closed port. It stays closed, because no other socket can take it.
#[cfg(target_os = "linux")]
pub(super) fn closed_port(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    // The socket is connected to itself, so the kernel refuses datagrams of others.
    socket.connect(socket.local_addr().unwrap()).unwrap();
    socket
}

#[cfg(target_os = "linux")]
fn is_refused(sent: &Result<(), ClientSendError>) -> bool {
    matches!(sent, Err(ClientSendError::Io(error)) if error.kind() == ErrorKind::ConnectionRefused)
}

// C-7, C-6
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_send_to_a_closed_port_is_refused_each_time_and_recv_does_not_report_it() {
    for ip in ["127.0.0.1", "::1"] {
        let closed = closed_port(ip);
        let client = Client::connect(closed.local_addr().unwrap(), Text).await.unwrap();

        for _ in 0..3 {
            let sent = client.send(&"anybody there?".to_owned()).await;
            assert!(is_refused(&sent), "{sent:?}");
            let heard = client.recv_timeout(Duration::from_millis(1)).await;
            assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
        }
        assert!(!client.is_closed());
    }
}

// C-7
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_closed_port_refuses_packets_until_it_is_open_again() {
    for ip in ["127.0.0.1", "::1"] {
        let port = UdpSocket::bind((ip, 0)).unwrap();
        let at = port.local_addr().unwrap();
        let client = Client::connect(at, Text).await.unwrap();
        let to = client.local_addr().socket_addr().unwrap();
        let switch = port.try_clone().unwrap();
        switch.connect(to).unwrap();
        let peer = Bytes(client_on(port, Raw).unwrap());

        for round in ["one", "two"] {
            switch.connect(to).unwrap();
            client.send(&round.to_owned()).await.unwrap();
            assert_eq!(peer.recv_text().await, round);
            switch.connect(at).unwrap();
            for _ in 0..2 {
                let sent = client.send(&"anybody there?".to_owned()).await;
                assert!(is_refused(&sent), "{sent:?}");
            }
        }
    }
}
