//! A socket that is shut down for reading: from then on the kernel always reports it as readable.

use std::{io::ErrorKind, net::Shutdown};

use datagrammar::{Client, ClientRecvError, ServeError, Server, SocketRef, Text, Udp};
use socket2::SockRef;

use crate::support::{BindNow, Net, Running, within_deadline};

fn shut_down(socket: &SocketRef<'_>) {
    // For a socket without a peer, the call fails with "not connected", but it still shuts the socket down.
    let _ = SockRef::from(socket).shutdown(Shutdown::Read);
}

// L-24
#[tokio::test]
async fn serving_ends_with_an_error_when_its_socket_is_shut_down_for_reading() {
    for net in [Net::Loopback("127.0.0.1"), Net::Portable("::1"), Net::Threads("127.0.0.1")] {
        let server = net.bind(Server::builder(Text, async |text: String| text));
        server.sockets().for_each(|socket| shut_down(&socket));

        let error = within_deadline(server.serve()).await.unwrap_err();

        let ServeError::Io(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(error.to_string().contains("shut down for reading"), "{error}");
    }
}

// L-24
#[tokio::test]
async fn serving_ends_with_an_error_when_its_socket_is_shut_down_later() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let same = socket.try_clone().unwrap();
    let builder = Server::builder(Text, async |text: String| text);
    let server = Running::start(builder.bind_now(socket).unwrap()).await;
    let peer = Net::Loopback("127.0.0.1").peer_of(&server.handle).await;
    assert_eq!(peer.ask("before").await, "before");

    let _ = SockRef::from(&same).shutdown(Shutdown::Read);

    let served = within_deadline(server.serving).await.unwrap();
    assert!(matches!(served, Err(ServeError::Io(_))), "{served:?}");
}

// C-12
#[tokio::test]
async fn recv_of_a_client_fails_when_its_socket_is_shut_down_for_reading() {
    for portable in [false, true] {
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = Client::builder(Text);
        let client =
            client.connect(Udp::new(peer.local_addr().unwrap()).batch_io(!portable)).await.unwrap();
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.recv().await }
        });
        tokio::task::yield_now().await;

        shut_down(&client.socket_ref().unwrap());

        for received in
            [within_deadline(waiting).await.unwrap(), within_deadline(client.recv()).await]
        {
            let Err(ClientRecvError::Io(error)) = received else { panic!("{received:?}") };
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        }
    }
}
