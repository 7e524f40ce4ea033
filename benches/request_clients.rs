//! `RequestClient` beside the clients of DNS and CoAP libraries: one request at a time over loopback, each with the
//! codec of that library and the same thread that answers. They are measured in turn, round by round; the medians and
//! the median of the ratios are printed. With `--test`, each runs once.
//!
//! hickory-client opens a socket for each question, so that its port is hard to guess. `RequestClient` keeps one.

use std::{
    hint::black_box,
    net::{SocketAddr, UdpSocket},
    thread,
    time::Instant,
};

use coap::UdpCoAPClient;
use coap_lite::{CoapRequest, MessageType, Packet, RequestType};
use datagrammar::{Correlated, DatagramProtocol, DecodeError, EncodeError, RequestClient};
use datagrammar_benches::quartiles;
use hickory_client::{
    client::{Client, ClientHandle},
    proto::{
        op::{Message, Query},
        rr::{DNSClass, Name, RecordType},
        runtime::TokioRuntimeProvider,
        udp::UdpClientStream,
    },
};

const ROUNDS: usize = 51;
const REQUESTS: u16 = 1_000;

/// DNS messages of hickory-proto.
struct Dns;

impl DatagramProtocol for Dns {
    type Incoming = Message;
    type Outgoing = Message;

    fn decode(&self, datagram: &[u8]) -> Result<Message, DecodeError> {
        Message::from_vec(datagram)
            .map_err(|error| DecodeError::codec("not DNS").with_source(error))
    }

    fn encode(&self, packet: &Message, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let bytes = packet.to_vec();
        let bytes = bytes.map_err(|error| EncodeError::codec("not DNS").with_source(error))?;
        datagram.extend(bytes);
        Ok(())
    }
}

impl Correlated for Dns {
    fn max_id(&self) -> u64 {
        u16::MAX.into()
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        let [a, b, flags, ..] = datagram else { return None };
        (flags & 0x80 != 0).then(|| u16::from_be_bytes([*a, *b]).into())
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        request[..2].copy_from_slice(&(id as u16).to_be_bytes());
    }

    fn is_answer(&self, request: &[u8], datagram: &[u8]) -> bool {
        // The response repeats the question.
        datagram.get(12..request.len()) == request.get(12..)
    }
}

/// CoAP messages of coap-lite.
struct Coap;

impl DatagramProtocol for Coap {
    type Incoming = Packet;
    type Outgoing = Packet;

    fn decode(&self, datagram: &[u8]) -> Result<Packet, DecodeError> {
        Packet::from_bytes(datagram).map_err(|_| DecodeError::codec("not CoAP"))
    }

    fn encode(&self, packet: &Packet, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.extend(packet.to_bytes().map_err(|_| EncodeError::codec("not CoAP"))?);
        Ok(())
    }
}

impl Correlated for Coap {
    fn max_id(&self) -> u64 {
        u16::MAX.into()
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        let [first, _, a, b, ..] = datagram else { return None };
        // An acknowledgment has the message id of its request.
        (first >> 4 & 3 == 2).then(|| u16::from_be_bytes([*a, *b]).into())
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        request[2..4].copy_from_slice(&(id as u16).to_be_bytes());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = if std::env::args().any(|arg| arg == "--test") { 1 } else { ROUNDS };
    dns(rounds).await;
    coap(rounds).await;
}

async fn dns(rounds: usize) {
    let addr = answering(|datagram| datagram[2] |= 0x80);
    let stream = UdpClientStream::builder(addr, TokioRuntimeProvider::default()).build();
    let (mut theirs, background) = Client::connect(stream).await.unwrap();
    tokio::spawn(background);
    let ours = RequestClient::connect(addr, Dns).await.unwrap();
    let name = Name::from_ascii("www.example.com.").unwrap();
    let mut both = Both::default();
    for _ in 0..rounds {
        let begun = Instant::now();
        for _ in 0..REQUESTS {
            let answer = theirs.query(name.clone(), DNSClass::IN, RecordType::A).await;
            black_box(answer.unwrap());
        }
        let between = Instant::now();
        for _ in 0..REQUESTS {
            let mut question = Message::new();
            question.add_query(Query::query(name.clone(), RecordType::A));
            question.set_recursion_desired(true);
            black_box(ours.request(question).await.unwrap());
        }
        both.add(between - begun, between.elapsed());
    }
    both.print("DNS", "hickory-client");
}

async fn coap(rounds: usize) {
    let addr = answering(|datagram| {
        datagram[0] |= 0x20; // an acknowledgment
        datagram[1] = 0x45; // 2.05 Content
    });
    let theirs = UdpCoAPClient::new(addr).await.unwrap();
    let ours = RequestClient::connect(addr, Coap).await.unwrap();
    let mut both = Both::default();
    for _ in 0..rounds {
        let begun = Instant::now();
        for number in 0..REQUESTS {
            black_box(theirs.send(get(number)).await.unwrap());
        }
        let between = Instant::now();
        for number in 0..REQUESTS {
            black_box(ours.request(get(number).message).await.unwrap());
        }
        both.add(between - begun, between.elapsed());
    }
    both.print("CoAP", "coap");
}

/// A request with this token.
fn get(number: u16) -> CoapRequest<SocketAddr> {
    let mut request = CoapRequest::new();
    request.set_method(RequestType::Get);
    request.set_path("/sensors/temperature");
    request.message.header.set_type(MessageType::Confirmable);
    request.message.header.message_id = number;
    request.message.set_token(number.to_be_bytes().to_vec());
    request
}

/// The times of two clients.
#[derive(Default)]
struct Both {
    theirs: Vec<f64>,
    ours: Vec<f64>,
    ratios: Vec<f64>,
}

impl Both {
    fn add(&mut self, theirs: std::time::Duration, ours: std::time::Duration) {
        let [theirs, ours] =
            [theirs, ours].map(|time| time.as_secs_f64() * 1e6 / f64::from(REQUESTS));
        self.theirs.push(theirs);
        self.ours.push(ours);
        self.ratios.push(ours / theirs);
    }

    fn print(self, protocol: &str, name: &str) {
        let [[_, theirs, _], [_, ours, _], [low, ratio, high]] =
            [self.theirs, self.ours, self.ratios].map(quartiles);
        println!("{protocol}: {name} {theirs:.2} µs, RequestClient {ours:.2} µs");
        println!("RequestClient ÷ {name}: {ratio:.3} [{low:.3}–{high:.3}]");
    }
}

/// Starts a thread that sends each datagram back after `change`. It lasts as long as the process.
fn answering(change: fn(&mut [u8])) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).unwrap();
            change(&mut buffer[..len]);
            socket.send_to(&buffer[..len], from).unwrap();
        }
    });
    addr
}
