//! ICMP errors about earlier datagrams: they cause no loss of later datagrams.

use std::{net::UdpSocket, time::Duration};

use crate::support::client_on;

use datagrammar::{Client, ClientRecvError, Raw, Text, Udp};

use crate::{
    icmp::{Icmp, told},
    support::Bytes,
};

const WAYS: [(&str, bool); 4] =
    [("127.0.0.1", false), ("127.0.0.1", true), ("::1", false), ("::1", true)];

async fn client(ip: &str, portable: bool) -> (Client<Text>, Bytes) {
    let peer = UdpSocket::bind((ip, 0)).unwrap();
    let client = Client::builder(Text);
    let client =
        client.connect(Udp::new(peer.local_addr().unwrap()).batch_io(!portable)).await.unwrap();
    peer.connect(client.local_addr().socket_addr().unwrap()).unwrap();
    (client, Bytes(client_on(peer, Raw).unwrap()))
}

async fn hears_nothing(client: &Client<Text>) -> bool {
    matches!(client.recv_timeout(Duration::ZERO).await, Err(ClientRecvError::TimedOut))
}

// C-6
#[tokio::test]
async fn an_earlier_error_causes_no_loss_of_a_new_datagram() {
    for (ip, portable) in WAYS {
        let Some(icmp) = Icmp::new(ip.parse().unwrap()) else { return };
        let (client, peer) = client(ip, portable).await;
        let [from, to] =
            [client.local_addr(), client.peer_addr()].map(|a| a.socket_addr().unwrap());
        for error in icmp.unreachable() {
            let late = async || {
                icmp.tell(error, from, to);
                told(client.socket_ref().unwrap()).await;
            };

            late().await;
            client.send(&"one".to_owned()).await.unwrap();
            assert_eq!(peer.recv_text().await, "one");

            for texts in [&["alone"][..], &["of", "on"], &["of", "some", "some", "lengths"]] {
                late().await;
                client.send_all(texts.iter().map(|text| (*text).to_owned())).await.unwrap();
                for text in texts {
                    assert_eq!(peer.recv_text().await, *text);
                }
            }

            late().await;
            assert!(hears_nothing(&client).await, "{error:?}");
            late().await;
            peer.send("answer").await;
            assert_eq!(client.recv().await.unwrap(), "answer");
            assert!(peer.hears_nothing().await);
        }
    }
}
