//! Datagrams that strangers sent before the socket was connected. The kernel keeps them, but the client must
//! not return them.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    thread,
    time::Duration,
};

use datagrammar::{Client, ClientRecvError, Text, Udp};

use crate::support::{client_on, within_deadline};

/// A stranger, the peer, and a socket that is not connected yet.
struct Three {
    stranger: UdpSocket,
    peer: UdpSocket,
    socket: UdpSocket,
    to: SocketAddr,
}

fn three(ip: &str) -> Three {
    let [stranger, peer, socket] = [(); 3].map(|()| UdpSocket::bind((ip, 0)).unwrap());
    let to = socket.local_addr().unwrap();
    Three { stranger, peer, socket, to }
}

impl Three {
    fn stranger_sends(&self, datagram: &[u8]) {
        self.stranger.send_to(datagram, self.to).unwrap();
    }

    fn peer_sends(&self, datagram: &[u8]) {
        self.peer.send_to(datagram, self.to).unwrap();
    }

    /// Connects to the peer: from now on only datagrams of the peer arrive.
    fn connect(&self) -> Client<Text> {
        self.socket.connect(self.peer.local_addr().unwrap()).unwrap();
        client_on(self.socket.try_clone().unwrap(), Text).unwrap()
    }
}

async fn hears(client: &Client<Text>, texts: &[&str]) {
    for text in texts {
        assert_eq!(within_deadline(client.recv()).await.unwrap(), *text);
    }
    let heard = client.recv_timeout(Duration::ZERO).await;
    assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
}

const IPS: [&str; 2] = ["127.0.0.1", "::1"];

// C-3
#[tokio::test]
async fn datagrams_of_strangers_between_those_of_the_peer_are_not_returned() {
    for ip in IPS {
        let three = three(ip);
        for _ in 0..50 {
            three.stranger_sends(b"you");
            three.peer_sends(b"me");
            three.stranger_sends(b"");
            three.peer_sends(b"");
        }
        three.stranger_sends(b"\xe9");

        let client = three.connect();

        hears(&client, &["me", ""].repeat(50)).await;
        three.peer_sends(b"later");
        hears(&client, &["later"]).await;
    }
}

// C-3, C-5
#[tokio::test]
async fn recv_waits_if_only_strangers_have_sent() {
    for ip in IPS {
        let three = three(ip);
        for _ in 0..100 {
            three.stranger_sends(b"you");
        }
        let client = three.connect();

        let heard = client.recv_timeout(Duration::from_millis(10)).await;

        assert!(matches!(heard, Err(ClientRecvError::TimedOut)), "{heard:?}");
        let waiting = tokio::spawn(async move { client.recv().await });
        tokio::task::yield_now().await;
        three.peer_sends(b"me");
        assert_eq!(within_deadline(waiting).await.unwrap().unwrap(), "me");
    }
}

// C-3, C-6
#[cfg(target_os = "linux")]
#[tokio::test]
async fn datagrams_of_strangers_are_not_returned_if_the_socket_has_an_error() {
    for ip in IPS {
        let three = three(ip);
        three.stranger_sends(b"you");
        let at = three.peer.local_addr().unwrap();
        three.socket.connect(at).unwrap();
        // The peer is connected to itself, so the kernel refuses datagrams of others.
        three.peer.connect(at).unwrap();
        three.socket.send(b"anybody there?").unwrap();
        three.peer.connect(three.to).unwrap();
        three.peer.send(b"me").unwrap();

        let client = client_on(three.socket, Text).unwrap();

        hears(&client, &["me"]).await;
    }
}

// C-3, B-8
#[tokio::test]
async fn an_ipv4_peer_is_recognized_by_each_form_of_its_address() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    for name in ["127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::ffff:0.0.0.0]"] {
        let client = Client::connect(format!("{name}:{port}"), Text).await.unwrap();
        client.send(&"hello".to_owned()).await.unwrap();
        let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
        peer.send_to(b"me", from).unwrap();
        hears(&client, &["me"]).await;
    }
}

// C-3
#[tokio::test]
async fn an_ipv6_peer_is_recognized_by_each_form_of_its_address() {
    let peer = UdpSocket::bind("[::1]:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    for name in ["::1", "::1%1", "::"] {
        let client = Client::connect(format!("[{name}]:{port}"), Text).await.unwrap();
        client.send(&"hello".to_owned()).await.unwrap();
        let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
        peer.send_to(b"me", from).unwrap();
        hears(&client, &["me"]).await;
    }
}

// C-3, R-12
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_of_strangers_is_not_returned_by_a_client_with_a_known_address() {
    let Three { stranger, peer, socket, to: _ } = three("127.0.0.36");
    let (at, peer_at) = (socket.local_addr().unwrap(), peer.local_addr().unwrap());
    drop(socket);
    let going = Arc::new(());
    let here = Arc::downgrade(&going);
    let sending = thread::spawn(move || {
        while here.strong_count() > 0 {
            // The kernel refuses the datagram while no socket is bound there.
            let _ = stranger.send_to(b"a long greeting of a stranger", at);
        }
    });

    for portable in [false, true].repeat(100) {
        let client = Client::builder(Text);
        let client = client
            .max_datagram_size(4)
            .connect(Udp::new(peer_at).local_addr(at).batch_io(!portable))
            .await
            .unwrap();
        peer.send_to(b"me", at).unwrap();
        hears(&client, &["me"]).await;
    }

    drop(going);
    sending.join().unwrap();
}
