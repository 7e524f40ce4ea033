//! packets that are longer than one datagram.

mod envelope;
mod hostile;
mod lossy;
mod options;
mod sizes;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{
    Chunked, DropReason, IntoHandler, RequestClient, RequestClientBuilder, Server, ServerBuilder,
    ServerHandle, Tagged, TaggedRequest, TaggedResponse, TaggedServer, Text, tagged, with_state,
};

use crate::support::{Net, Running, everywhere, until, within_deadline};

type TextClient = RequestClient<Tagged<Text>>;

const LIMIT: usize = 200_000;

/// The most bytes of text in one datagram: without the kind of the datagram and the tag of the packet.
const SHORT: usize = 1_200 - 1 - 5;

/// The bytes of a packet in one chunk.
const CHUNK: usize = 1_200 - 17;

fn server<Form>(
    handler: impl IntoHandler<
        TaggedRequest<String>,
        TaggedResponse<String>,
        Form,
        Handler: datagrammar::Handler<TaggedRequest<String>, TaggedResponse<String>>,
    >,
) -> ServerBuilder<TaggedServer<Text>> {
    Server::builder(TaggedServer::new(Text), handler).chunked(Chunked::with_limit(LIMIT))
}

fn options() -> RequestClientBuilder<Tagged<Text>> {
    RequestClient::builder(Tagged::new(Text)).chunked(Chunked::with_limit(LIMIT)).seed(7)
}

async fn connect(
    net: &Net,
    server: &ServerHandle,
    options: RequestClientBuilder<Tagged<Text>>,
) -> TextClient {
    let addr = server.local_addrs().swap_remove(0);
    match net {
        Net::Memory(network) => {
            let socket = network.connect("10.0.0.3:0", addr.socket_addr().unwrap()).unwrap();
            options.connect(socket).await.unwrap()
        }
        _ => options.connect(addr).await.unwrap(),
    }
}

/// Text of this length. All its parts differ, so that none can take the place of another.
fn text(len: usize) -> String {
    let mut text = String::with_capacity(len + 8);
    while text.len() < len {
        text.push_str(&format!("{:07x} ", text.len()));
    }
    text.truncate(len);
    text
}

/// A request asks for text of a length, and may itself have any length: `"100 and more"`.
fn wanted(request: &str) -> String {
    let wanted = request.split(' ').next().unwrap();
    text(wanted.parse().unwrap())
}

/// A request of `len` bytes for a response of `wanted` bytes.
fn request(len: usize, wanted: usize) -> String {
    let mut request = format!("{wanted} ");
    request.push_str(&text(len - request.len()));
    request
}

/// Everything that arrived is accounted for.
fn check_balance(server: &ServerHandle) {
    let stats = server.stats();
    assert_eq!(stats.received, stats.delivered + stats.chunks + stats.total_dropped(), "{stats}");
}

async fn stop(server: Running) {
    let handle = server.handle.clone();
    server.stop().await;
    check_balance(&handle);
}

const SECOND: Duration = Duration::from_secs(1);
