//! The end of a client.

use std::{net::UdpSocket, pin::pin, time::Duration};

use datagrammar::{Client, ClientRecvError, ClientSendError, Text, Udp};

use super::{client, waits};
use crate::support::{Net, everywhere, within_deadline};

fn is_closed<T>(received: &Result<T, ClientRecvError>) -> bool {
    matches!(received, Err(ClientRecvError::Closed))
}

everywhere! {
    // C-8
    async fn after_close_all_calls_return_closed(net) {
        let (client, peer) = client(&net);
        let same = client.clone();
        peer.send("too late").await;

        client.close();
        client.close();

        for client in [&client, &same] {
            assert!(client.is_closed());
            assert!(is_closed(&client.recv().await));
            assert!(is_closed(&client.recv_timeout(Duration::ZERO).await));
            let sent = client.send(&"hello".to_owned()).await;
            assert!(matches!(sent, Err(ClientSendError::Closed)), "{sent:?}");
        }
    }

    // C-9
    async fn closing_ends_the_recvs_that_wait(net) {
        let (client, _peer) = client(&net);
        let mut forever = pin!(client.recv());
        let mut limited = pin!(client.recv_timeout(Duration::from_secs(3_600)));
        waits(forever.as_mut()).await;
        waits(limited.as_mut()).await;

        client.close();

        assert!(is_closed(&within_deadline(forever).await));
        assert!(is_closed(&within_deadline(limited).await));
    }

    // C-9
    async fn closing_in_another_task_ends_a_recv_that_waits(net) {
        let (client, _peer) = client(&net);
        let same = client.clone();
        let receiving = tokio::spawn(async move { same.recv().await });
        tokio::task::yield_now().await;

        client.close();

        assert!(is_closed(&within_deadline(receiving).await.unwrap()));
    }
}

// C-8, C-9
#[tokio::test(start_paused = true)]
async fn closing_ends_a_send_that_waits_for_room() {
    let net = Net::memory();
    let Net::Memory(network) = &net else { unreachable!() };
    let (client, _peer) = client(&net);
    network.hold_sends(client.local_addr().clone(), true);
    let packet = "hello".to_owned();
    let mut sending = pin!(client.send(&packet));
    waits(sending.as_mut()).await;

    client.close();

    assert!(matches!(within_deadline(sending).await, Err(ClientSendError::Closed)));
}

#[cfg(target_os = "linux")]
async fn client_at(ip: &str) -> Client<Text> {
    let local = format!("{ip}:0");
    Client::connect(Udp::new("127.0.0.1:9").local_addr(local), Text).await.unwrap()
}

// C-8
#[cfg(target_os = "linux")]
#[tokio::test]
async fn close_closes_the_socket_even_if_there_are_clones() {
    let client = client_at("127.0.0.33").await;
    let (addr, _same) = (client.local_addr().socket_addr().unwrap(), client.clone());
    assert!(UdpSocket::bind(addr).is_err());

    client.close();

    assert!(UdpSocket::bind(addr).is_ok());
}

// C-8
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_last_clone_closes_the_socket() {
    let client = client_at("127.0.0.34").await;
    let (addr, same) = (client.local_addr().socket_addr().unwrap(), client.clone());

    drop(client);
    assert!(UdpSocket::bind(addr).is_err());
    drop(same);

    assert!(UdpSocket::bind(addr).is_ok());
}
