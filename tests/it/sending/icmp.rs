//! ICMP errors about earlier replies of a server: they cause no loss of later replies.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
};

use crate::support::{BindNow, client_on};

use datagrammar::{PeerSender, Raw, Server, Text};

use crate::{
    icmp::Icmp,
    support::{Bytes, Running, conversing},
};

// S-8
#[tokio::test]
async fn an_earlier_error_causes_no_loss_of_a_new_reply() {
    for ip in ["127.0.0.1", "::1"] {
        let Some(icmp) = Icmp::new(ip.parse().unwrap()).map(Arc::new) else { return };
        let senders = Arc::new(Mutex::new(Vec::<PeerSender<String>>::new()));
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let same = socket.try_clone().unwrap();
        let from = socket.local_addr().unwrap();
        let telling = Arc::clone(&icmp);
        let handler = conversing!(
            [senders, telling] | peer | {
                let count: usize = peer.recv().await?.parse()?;
                senders.lock().unwrap().push(peer.sender());
                let to = peer.addr().socket_addr().unwrap();
                for error in telling.unreachable() {
                    // The replies leave when the handler waits.
                    for n in 0..count {
                        peer.send(&format!("{error:?} {n}")).await?;
                    }
                    telling.tell(error, from, to);
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
        );
        let server = Running::start(Server::builder(Text, handler).bind_now(socket).unwrap()).await;
        let peer = connect(from);
        // The kernel reports ICMP errors only to connected sockets.
        let to = peer.addr().socket_addr().unwrap();
        same.connect(to).unwrap();

        for count in [1, 2, 10] {
            peer.send(count.to_string()).await;
            for error in icmp.unreachable() {
                for n in 0..count {
                    assert_eq!(peer.recv_text().await, format!("{error:?} {n}"));
                }
            }
        }
        let sender = senders.lock().unwrap()[0].clone();
        for error in icmp.unreachable() {
            icmp.tell(error, from, to);
            sender.send(&"pushed".to_owned()).await.unwrap();
            assert_eq!(peer.recv_text().await, "pushed");
        }
        assert_eq!(server.handle.stats().send_errors, 0);
        server.stop().await;
    }
}

fn connect(to: SocketAddr) -> Bytes {
    let socket = UdpSocket::bind((to.ip(), 0)).unwrap();
    socket.connect(to).unwrap();
    Bytes(client_on(socket, Raw).unwrap())
}
