//! The errors of `send`, and errors of the network that do not fail it.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    sync::{Arc, Mutex},
};

use crate::support::{BindNow, client_on};

use datagrammar::{
    Client, DatagramProtocol, DecodeError, EncodeError, PeerSender, Raw, SendError, Server, Text,
};
use tracing::Level;

use super::{WAYS, send};
use crate::{
    log::Log,
    support::{Bytes, Gate, Net, Running, conversing, everywhere, until},
};

/// Text that refuses to encode one text.
#[derive(Clone, Copy, Debug)]
struct AllBut(&'static str);

impl DatagramProtocol for AllBut {
    type Incoming = String;
    type Outgoing = String;

    fn decode(&self, datagram: &[u8]) -> Result<String, DecodeError> {
        Text.decode(datagram)
    }

    fn encode(&self, packet: &String, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        Text.encode(packet, datagram)?;
        if packet == self.0 { Err(EncodeError::codec("this text is refused")) } else { Ok(()) }
    }
}

everywhere! {
    // S-5
    async fn a_packet_that_cannot_be_encoded_is_not_sent_and_the_conversation_goes_on(net) {
        let server = net.serve(Server::builder(AllBut("never"), conversing!(|peer| {
            loop {
                let way = peer.recv().await?;
                let SendError::Encode(error) = send(&way, peer, "never").await?.unwrap_err() else {
                    panic!("the packet was encoded");
                };
                peer.send(&error.to_string()).await?;
            }
        }))).await;
        let peer = net.peer_of(&server.handle).await;

        for way in WAYS {
            assert_eq!(peer.ask(way).await, "this text is refused");
        }

        until(|| server.handle.stats().sent == WAYS.len() as u64).await;
        assert!(peer.hears_nothing().await);
        server.stop().await;
    }

    // S-8
    async fn a_peer_that_has_left_fails_no_send_and_no_receive(net) {
        if !net.loses() {
            return; // U-8
        }
        let gate = Gate::closed();
        let server = net.serve_text(conversing!([gate] |peer| {
            let request = peer.recv().await?;
            if request == "going" {
                gate.pass().await;
            }
            for _ in 0..10 {
                peer.send(&request).await?;
            }
            Ok(())
        })).await;
        for _ in 0..10 {
            net.peer_of(&server.handle).await.send("going").await;
        }
        until(|| server.handle.stats().received == 10).await;
        gate.open();
        until(|| server.handle.stats().sent == 100).await;

        let reply = net.peer_of(&server.handle).await.ask("staying").await;

        assert_eq!(reply, "staying");
        let stats = server.handle.stats();
        assert_eq!((stats.failed, stats.send_errors), (0, 0));
        server.stop().await;
    }
}

// S-8
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_icmp_error_does_not_fail_the_send_of_another_datagram() {
    let senders = Arc::new(Mutex::new(Vec::<PeerSender<String>>::new()));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let same = socket.try_clone().unwrap();
    let handler = conversing!(
        [senders] | peer | {
            let request = peer.recv().await?;
            senders.lock().unwrap().push(peer.sender());
            Ok(peer.send(&request).await?)
        }
    );
    let server = Running::start(Server::builder(Text, handler).bind_now(socket).unwrap()).await;
    let [staying, going] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let (staying_at, going_at) = (staying.local_addr().unwrap(), going.local_addr().unwrap());
    let connect = |peer: UdpSocket| {
        peer.connect(same.local_addr().unwrap()).unwrap();
        Bytes(client_on(peer, Raw).unwrap())
    };
    let (staying, going) = (connect(staying), connect(going));
    assert_eq!(staying.ask("hello").await, "hello");
    assert_eq!(going.ask("hello").await, "hello");
    // The kernel reports ICMP errors only to connected sockets. After this drop, no socket is bound there.
    drop(going);
    let _taken = Bytes(Client::connect(staying_at, Raw).await.unwrap());
    same.connect(going_at).unwrap();
    let [to_staying, to_going] = {
        let senders = senders.lock().unwrap();
        [&senders[0], &senders[1]].map(Clone::clone)
    };

    for _ in 0..10 {
        to_going.send(&"anybody there?".to_owned()).await.unwrap();
        to_staying.send(&"still there?".to_owned()).await.unwrap();
    }

    for _ in 0..10 {
        assert_eq!(staying.recv_text().await, "still there?");
    }
    assert_eq!(server.handle.stats().send_errors, 0);
    server.stop().await;
}

/// A server on a network in memory that answers all of `peers` in one batch, while the kernel refuses
/// the first `refused` of its replies.
async fn refuse_in_a_batch(refused: usize, peers: usize) -> (Vec<bool>, Log, Running) {
    let log = Log::capture();
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let server = net.serve_text(async |text: String| text).await;
    let addr = server.handle.local_addrs().remove(0);
    network.fail_send(addr, ErrorKind::PermissionDenied, refused);
    let mut asking = Vec::new();
    for _ in 0..peers {
        let peer = net.peer_of(&server.handle).await;
        peer.send("hello").await;
        asking.push(peer);
    }
    let stats = || server.handle.stats();
    until(|| stats().sent + stats().send_errors == peers as u64).await;

    let mut answered = Vec::new();
    for peer in asking {
        answered.push(!peer.hears_nothing().await);
    }
    (answered, log, server)
}

// S-9; `socket::outbox::tests` tests every position in a batch
#[tokio::test(start_paused = true)]
async fn a_reply_that_the_kernel_refuses_is_logged_and_fails_no_other() {
    let (answered, log, server) = refuse_in_a_batch(1, 3).await;

    assert_eq!(answered, [false, true, true]);
    let told = log.alarm();
    assert_eq!(told.level, Level::WARN);
    assert_eq!(told.field("peer"), "10.0.0.2:49152");
    assert_eq!(server.handle.stats().send_errors, 1);
    server.stop().await;
}

// S-9, H-11
#[tokio::test(start_paused = true)]
async fn many_refused_replies_do_not_flood_the_log() {
    let (answered, log, server) = refuse_in_a_batch(30, 40).await;

    assert_eq!(answered.iter().filter(|answered| **answered).count(), 10);
    assert_eq!(log.alarms().len(), 10);
    assert_eq!(server.handle.stats().send_errors, 30);
    server.stop().await;
}

// S-9
#[tokio::test(start_paused = true)]
async fn a_datagram_that_the_kernel_refuses_does_not_fail_send() {
    let log = Log::capture();
    let net = Net::memory();
    let Net::Memory(network) = net.clone() else { unreachable!() };
    let server = net
        .serve_text(conversing!(
            [network] | peer | {
                while let Ok(way) = peer.recv().await {
                    network.fail_send(peer.local_addr().clone(), ErrorKind::PermissionDenied, 1);
                    send(&way, peer, "refused").await??;
                    tokio::task::yield_now().await;
                    peer.send(&way).await?;
                }
                Ok(())
            }
        ))
        .await;
    let peer = net.peer_of(&server.handle).await;

    for way in WAYS {
        assert_eq!(peer.ask(way).await, way);
    }

    let stats = server.handle.stats();
    assert_eq!((stats.failed, stats.send_errors), (0, 3));
    assert_eq!(log.messages(Level::WARN).len(), 3);
    server.stop().await;
}
