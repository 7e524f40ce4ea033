//! The traffic class of datagrams.
#![cfg(all(target_os = "linux", not(datagrammar_portable)))]

use datagrammar::{Client, Ecn, Server, Text, TrafficClass, Udp};
use tokio::task::yield_now;

use crate::support::{BindNow, Running, conversing, until, within_deadline};

/// A server that answers each request with its traffic class.
async fn serve(addr: &str, asked: bool) -> (Running, u16) {
    let handler = conversing!(|peer| {
        loop {
            let request = peer.recv().await?;
            let class = peer.traffic_class().map(|class| class.to_string());
            peer.send(&class.unwrap_or_else(|| "nothing".to_owned())).await?;
            if request == "as a task" {
                yield_now().await;
            }
        }
    });
    let builder = Server::builder(Text, handler);
    let server =
        builder.bind(Udp::new(format!("{addr}:0")).recv_traffic_class(asked)).await.unwrap();
    let port = server.local_addr().port().unwrap();
    (Running::start(server).await, port)
}

async fn ask(client: &Client<Text>, request: &str) -> String {
    client.send(&request.to_owned()).await.unwrap();
    within_deadline(client.recv()).await.unwrap()
}

/// Sets the traffic class of all datagrams that `client` sends from now on.
fn mark(client: &Client<Text>, byte: u8) {
    let socket = client.socket_ref().unwrap();
    let socket = socket2::SockRef::from(&socket);
    match client.local_addr().socket_addr().unwrap().is_ipv4() {
        true => socket.set_tos_v4(byte.into()),
        false => socket.set_tclass_v6(byte.into()),
    }
    .unwrap();
}

#[tokio::test]
async fn each_datagram_has_its_traffic_class_whether_it_waited_or_not() {
    for (bound, peer) in [("127.0.0.1", "127.0.0.1"), ("[::]", "127.0.0.1"), ("[::]", "[::1]")] {
        let (server, port) = serve(bound, true).await;
        let builder = Client::builder(Text);
        let client = builder
            .connect(Udp::new(format!("{peer}:{port}")).dscp(46).ecn(Ecn::Ect0))
            .await
            .unwrap();

        assert_eq!(ask(&client, "").await, "DSCP 46, ECT(0)");
        mark(&client, 0x03);
        assert_eq!(ask(&client, "as a task").await, "DSCP 0, CE");
        mark(&client, 0x21);
        assert_eq!(ask(&client, "as a task").await, "DSCP 8, ECT(1)");
        mark(&client, 0);
        assert_eq!(ask(&client, "").await, "DSCP 0, Not-ECT");
        server.stop().await;
    }
}

// D-17
#[tokio::test]
async fn merged_datagrams_have_the_traffic_class_of_their_own_send() {
    let (server, port) = serve("127.0.0.1", true).await;
    let client = Client::connect(("127.0.0.1", port), Text).await.unwrap();
    let datagrams = vec!["datagram".to_owned(); 20];

    for byte in [0x02, 0x03] {
        mark(&client, byte);
        client.send_all(&datagrams).await.unwrap();
    }

    for class in ["DSCP 0, ECT(0)", "DSCP 0, CE"] {
        for _ in 0..datagrams.len() {
            assert_eq!(within_deadline(client.recv()).await.unwrap(), class);
        }
    }
    until(|| server.handle.stats().received == 40).await;
    server.stop().await;
}

#[tokio::test]
async fn without_recv_traffic_class_there_is_no_traffic_class() {
    let (server, port) = serve("127.0.0.1", false).await;
    let builder = Client::builder(Text);
    let client = builder.connect(Udp::new(("127.0.0.1", port)).dscp(46)).await.unwrap();

    assert_eq!(ask(&client, "").await, "nothing");
    server.stop().await;
}

// B-13
#[tokio::test]
async fn a_users_socket_reports_the_traffic_class_if_the_user_enabled_it() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&socket).set_recv_tos_v4(true).unwrap();
    let addr = socket.local_addr().unwrap();
    let handler = conversing!(|peer| {
        peer.recv().await?;
        let class = peer.traffic_class().map(u8::from);
        Ok(peer.send(&format!("{class:?}")).await?)
    });
    let server = Server::builder(Text, handler).bind_now(socket).unwrap();
    let server = Running::start(server).await;
    let client = Client::builder(Text).connect(Udp::new(addr).ecn(Ecn::Ce)).await.unwrap();

    assert_eq!(ask(&client, "").await, format!("{:?}", Some(u8::from(TrafficClass::from(3)))));
    server.stop().await;
}
