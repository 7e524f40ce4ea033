//! Servers on tokio that answer typed JSON. Those without `UdpFramed` take `codec=sonic` as in `json`.

use std::io;

use bytes::{BufMut, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::{io::Interest, net::UdpSocket};
use tokio_util::{
    codec::{Decoder, Encoder},
    udp::UdpFramed,
};

use crate::{
    json::{self, Request, Response},
    mmsg::{Received, Sender},
    options::Options,
};

/// `recv_from` and `send_to`, with one buffer for all responses.
pub async fn one_by_one(socket: UdpSocket, options: Options) {
    let codec = json::Codec::new(&options);
    let mut buffer = vec![0; 65_536];
    let mut response = Vec::with_capacity(1024);
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut buffer).await
            && codec.answer(&buffer[..len], &mut response)
        {
            let _ = socket.send_to(&response, from).await;
        }
    }
}

/// `recvmmsg` and `sendmmsg` when tokio says that the socket is ready.
pub async fn batches(socket: UdpSocket, options: Options) {
    let codec = json::Codec::new(&options);
    let mut received = Received::new(options.batch(), 9216, false);
    let mut sender = Sender::new(options.batch());
    let mut responses = json::buffers(options.batch());
    loop {
        let receive = || received.receive(&socket, libc::MSG_DONTWAIT);
        let Ok(count) = socket.async_io(Interest::READABLE, receive).await else { continue };
        sender.send(&socket, codec.responses(received.messages(count), &mut responses));
    }
}

/// `UdpFramed` of tokio-util with a codec on serde_json.
pub async fn framed(socket: UdpSocket, _: Options) {
    let mut framed = UdpFramed::new(socket, JsonCodec);
    while let Some(next) = framed.next().await {
        if let Ok((request, from)) = next {
            let _ = framed.send((Response::from(request), from)).await;
        }
    }
}

struct JsonCodec;

impl Decoder for JsonCodec {
    type Item = Request;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Request>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let request = serde_json::from_slice(bytes);
        bytes.clear();
        Ok(Some(request?))
    }
}

impl Encoder<Response> for JsonCodec {
    type Error = io::Error;

    fn encode(&mut self, response: Response, bytes: &mut BytesMut) -> io::Result<()> {
        Ok(serde_json::to_writer(bytes.writer(), &response)?)
    }
}
