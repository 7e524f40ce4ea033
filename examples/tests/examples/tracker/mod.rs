//! The tracker: packets of BEP 15 by hand, and the swarms behind them.

#[path = "../../../tracker/main.rs"]
#[allow(dead_code, reason = "only a program calls `main`")]
mod server;

mod packets;
mod swarms;

use std::net::UdpSocket;

use crate::program::{DEADLINE, Program, recv};

const HASH: [u8; 20] = *b"hash of one torrent!";

const CONNECT: &[u8] = b"\x00\x00\x04\x17\x27\x10\x19\x80\0\0\0\0\x01\x02\x03\x04";

/// An announce request without the connection id: a peer that has nothing and listens at this port.
fn announce(event: u8, left: u64, port: u16) -> Vec<u8> {
    let mut request = b"\0\0\0\x01\x05\x06\x07\x08".to_vec();
    request.extend(HASH);
    request.extend(b"-XX0001-0123456789ab"); // the peer id
    request.extend([1_u64, left, 2].map(u64::to_be_bytes).concat());
    request.extend([0, 0, 0, event]);
    request.extend([203, 0, 113, 7]); // an address, which is not believed
    request.extend(*b"key.");
    request.extend((-1_i32).to_be_bytes());
    request.extend(port.to_be_bytes());
    request
}

fn scrape(hashes: &[[u8; 20]]) -> Vec<u8> {
    [&b"\0\0\0\x02\x09\x0a\x0b\x0c"[..], &hashes.concat()].concat()
}

/// A client with a socket of its own.
struct Client {
    socket: UdpSocket,
    id: Vec<u8>,
}

impl Client {
    fn connect(addr: &str) -> Self {
        let local = if addr.starts_with('[') { "[::1]:0" } else { "127.0.0.1:0" };
        let socket = UdpSocket::bind(local).unwrap();
        socket.connect(addr).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut client = Self { socket, id: Vec::new() };
        client.renew();
        client
    }

    fn renew(&mut self) {
        self.send(CONNECT);
        let response = self.recv();
        assert_eq!((response.len(), &response[..8]), (16, &b"\0\0\0\0\x01\x02\x03\x04"[..]));
        self.id = response[8..].to_vec();
    }

    fn send(&self, datagram: &[u8]) {
        self.socket.send(datagram).unwrap();
    }

    fn recv(&self) -> Vec<u8> {
        recv(&self.socket)
    }

    /// Sends a request with the connection id.
    fn ask(&self, request: &[u8]) -> Vec<u8> {
        self.send(&[&self.id, request].concat());
        self.recv()
    }

    fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    /// Asserts that the server has sent nothing that was not received. Datagrams of one source are served in order.
    fn expect_nothing(&self) {
        assert_eq!(
            self.ask(&scrape(&[[0; 20]])),
            b"\0\0\0\x02\x09\x0a\x0b\x0c\0\0\0\0\0\0\0\0\0\0\0\0"
        );
    }
}

fn start(addr: &str) -> (Program, String) {
    let program = Program::start("tracker", [addr]);
    let addr = program.addr();
    (program, addr)
}

/// An announce response without its interval: the leechers, the seeders and the peers.
fn announced(response: &[u8]) -> (u32, u32, &[u8]) {
    let number = |at: usize| u32::from_be_bytes(response[at..at + 4].try_into().unwrap());
    assert_eq!(response[..8], *b"\0\0\0\x01\x05\x06\x07\x08");
    assert_eq!(number(8), 900);
    (number(12), number(16), &response[20..])
}

#[test]
fn tracker_tells_peers_about_each_other() {
    let (_program, addr) = start("127.0.0.1:0");
    let [seeder, leecher] = [Client::connect(&addr), Client::connect(&addr)];

    assert_eq!(announced(&seeder.ask(&announce(2, 0, 0x1234))), (0, 1, &[][..]));
    let response = leecher.ask(&announce(2, 7, 0x5678));
    assert_eq!(announced(&response), (1, 1, &[127, 0, 0, 1, 0x12, 0x34][..]));

    let other = *b"another hash........";
    let expected =
        b"\0\0\0\x02\x09\x0a\x0b\x0c\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(seeder.ask(&scrape(&[HASH, other])), expected);
    let response = leecher.ask(&announce(1, 0, 0x5678));
    assert_eq!(announced(&response), (0, 2, &[127, 0, 0, 1, 0x12, 0x34][..]));
    assert_eq!(announced(&leecher.ask(&announce(3, 0, 0x5678))), (0, 1, &[][..]));
    let expected = b"\0\0\0\x02\x09\x0a\x0b\x0c\0\0\0\x01\0\0\0\x01\0\0\0\0";
    assert_eq!(seeder.ask(&scrape(&[HASH])), expected);
}

#[test]
fn tracker_gives_ipv6_peers_those_of_their_family() {
    let (_program, addr) = start("[::]:0");
    let port = addr.rsplit(':').next().unwrap();
    let [v4, v6] = ["127.0.0.1", "[::1]"].map(|ip| format!("{ip}:{port}"));
    let [a, b] = [Client::connect(&v6), Client::connect(&v6)];
    let [c, d] = [Client::connect(&v4), Client::connect(&v4)];

    assert_eq!(announced(&a.ask(&announce(2, 1, 0x1234))), (1, 0, &[][..]));
    assert_eq!(announced(&c.ask(&announce(2, 1, 0x5678))), (1, 0, &[][..]));

    let peer = [&[0; 15][..], &[1, 0x12, 0x34]].concat();
    assert_eq!(announced(&b.ask(&announce(2, 1, 0x1235))), (2, 0, &peer[..]));
    let peer = [127, 0, 0, 1, 0x56, 0x78];
    assert_eq!(announced(&d.ask(&announce(2, 1, 0x5679))), (2, 0, &peer[..]));
}

#[test]
fn tracker_does_not_answer_a_wrong_connection_id() {
    let (_program, addr) = start("127.0.0.1:0");
    let [client, other] = [Client::connect(&addr), Client::connect(&addr)];
    assert_ne!(client.port(), other.port());

    let mut wrong = vec![other.id.clone(), CONNECT[..8].to_vec(), vec![0; 8], vec![0xff; 8]];
    wrong.extend((0..8).map(|at| {
        let mut id = client.id.clone();
        id[at] ^= 0x40;
        id
    }));
    for id in wrong {
        client.send(&[&id[..], &announce(2, 0, 1)].concat());
        client.send(&[&id[..], &scrape(&[HASH])].concat());
    }

    client.expect_nothing();
    assert_eq!(client.ask(&scrape(&[HASH]))[8..], [0; 12]);
}

#[test]
fn tracker_does_not_answer_what_is_cut_or_unknown() {
    let (_program, addr) = start("127.0.0.1:0");
    let mut client = Client::connect(&addr);
    let whole = [&client.id[..], &announce(2, 0, 1)].concat();
    assert_eq!(whole.len(), 98);

    for len in 0..98 {
        client.send(&whole[..len]);
    }
    for len in 0..16 {
        client.send(&CONNECT[..len]);
    }
    let hashes = scrape(&[HASH, HASH]);
    for len in (8..hashes.len()).filter(|len| *len != 28) {
        client.send(&[&client.id[..], &hashes[..len]].concat());
    }
    for action in [0, 3, 4, 0xff] {
        client.send(&[&client.id[..], &[0, 0, 0, action], &announce(2, 0, 1)[4..]].concat());
    }

    client.expect_nothing();
    assert_eq!(client.ask(&scrape(&[HASH]))[8..], [0; 12]);
    client.renew();
}

#[test]
fn tracker_answers_requests_and_connects_in_one_burst() {
    let (_program, addr) = start("127.0.0.1:0");
    let client = Client::connect(&addr);

    for _ in 0..50 {
        client.send(&[&client.id[..], &announce(2, 0, 1)].concat());
        client.send(CONNECT);
    }

    // Announces are answered by conversations and connects by none, so the order may differ.
    let mut lens = [(); 100].map(|()| client.recv().len());
    lens.sort_unstable();
    assert_eq!((lens[..50].to_vec(), lens[50..].to_vec()), (vec![16; 50], vec![20; 50]));
}

#[test]
fn tracker_says_what_is_wrong_with_a_port() {
    let (_program, addr) = start("127.0.0.1:0");

    let response = Client::connect(&addr).ask(&announce(2, 0, 0));

    assert_eq!(response, b"\0\0\0\x03\x05\x06\x07\x08port is 0");
}
