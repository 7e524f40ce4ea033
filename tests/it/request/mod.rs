//! The request client.

mod ends;
mod envelope;
mod in_flight;
mod lossy;
mod replies;
mod servers;
mod timers;
mod unreachable;

use std::time::Duration;

use datagrammar::{
    Addr, Client, Raw, RequestClient, RequestClientBuilder, Server, ServerHandle, Tagged,
    TaggedServer, Text, tagged,
    testing::{Conditions, Network},
};

use crate::support::{Net, Running, within_deadline};

type TextClient = RequestClient<Tagged<Text>>;

fn options() -> RequestClientBuilder<Tagged<Text>> {
    RequestClient::builder(Tagged::new(Text)).seed(7)
}

/// A client of the server at the other end of `net`.
async fn client_of(net: &Net, server: &ServerHandle) -> TextClient {
    let addr = server.local_addrs().swap_remove(0);
    match net {
        Net::Memory(network) => {
            let socket = network.connect("10.0.0.3:0", addr.socket_addr().unwrap()).unwrap();
            options().connect(socket).await.unwrap()
        }
        _ => options().connect(addr).await.unwrap(),
    }
}

/// A server that answers with the same text.
async fn echo(net: &Net) -> Running {
    net.serve(Server::builder(TaggedServer::new(Text), tagged(async |text: String| text))).await
}

/// A network without a server: a client, and the socket that it is connected to.
async fn alone(builder: RequestClientBuilder<Tagged<Text>>) -> (TextClient, Client<Raw>) {
    let network = Network::new(1, Conditions::default());
    let server = network.connect("10.0.0.1:9000", "10.0.0.2:9000").unwrap();
    let client = network.connect("10.0.0.2:9000", "10.0.0.1:9000").unwrap();
    let server = Client::connect(server, Raw).await.unwrap();
    (builder.connect(client).await.unwrap(), server)
}

/// A request as the server sees it: its tag, and its text.
async fn request_at(server: &Client<Raw>) -> (Vec<u8>, String) {
    let datagram = within_deadline(server.recv()).await.unwrap();
    let (tag, text) = datagram.split_at(5);
    (tag.to_vec(), String::from_utf8(text.to_vec()).unwrap())
}

/// Answers the request with this tag.
async fn answer(server: &Client<Raw>, tag: &[u8], text: &str) {
    let datagram = [&[1], &tag[1..], text.as_bytes()].concat();
    server.send(&datagram.into()).await.unwrap();
}

const SECOND: Duration = Duration::from_secs(1);

fn text(text: &str) -> String {
    text.to_owned()
}

fn addr(addr: &str) -> Addr {
    addr.parse::<std::net::SocketAddr>().unwrap().into()
}
