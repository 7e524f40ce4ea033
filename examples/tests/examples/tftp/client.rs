//! A client that is as simple as can be, over a path that may lose and repeat datagrams.

use datagrammar::DatagramProtocol;

use super::*;
use crate::program::DEADLINE;

pub(super) struct Client {
    pub(super) socket: UdpSocket,
    /// Where packets go: to the server, and to the port of the transfer after its first packet.
    pub(super) to: SocketAddr,
    server: SocketAddr,
    /// Of 100 datagrams in each direction, this many are lost, and as many come twice.
    trouble: u64,
    random: u64,
    again: Option<Packet>,
    /// How many datagrams the server has sent.
    pub(super) received: usize,
}

impl Client {
    pub(super) fn new(served: &Served) -> Self {
        Self::troubled(served.addr, 0, 0)
    }

    pub(super) fn troubled(server: SocketAddr, trouble: u64, seed: u64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let timeout = if trouble == 0 { DEADLINE } else { Duration::from_millis(300) };
        socket.set_read_timeout(Some(timeout)).unwrap();
        Self { socket, to: server, server, trouble, random: seed, again: None, received: 0 }
    }

    /// How often the next datagram arrives.
    fn copies(&mut self) -> usize {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

        self.random = self.random.wrapping_add(STEP);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        match (mixed ^ (mixed >> 27)) % 100 {
            percent if percent < self.trouble => 0,
            percent if percent < 2 * self.trouble => 2,
            _ => 1,
        }
    }

    pub(super) fn send(&mut self, packet: &Packet) {
        let mut datagram = Vec::new();
        Tftp.encode(packet, &mut datagram).unwrap();
        for _ in 0..self.copies() {
            self.socket.send_to(&datagram, self.to).unwrap();
        }
    }

    /// The next packet of the server, or `None` if none comes in time.
    pub(super) fn recv(&mut self) -> Option<Packet> {
        if self.again.is_some() {
            return self.again.take();
        }
        let mut datagram = vec![0; 65_535];
        loop {
            let (len, from) = match self.socket.recv_from(&mut datagram) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                received => received.unwrap(),
            };
            self.received += 1;
            let copies = self.copies();
            if copies == 0 {
                continue;
            }
            if self.to == self.server {
                self.to = from;
            }
            assert_eq!(from, self.to);
            let packet = Tftp.decode(&datagram[..len]).unwrap();
            self.again = (copies == 2).then(|| packet.clone());
            return Some(packet);
        }
    }

    /// The next packet of the server, which must come.
    pub(super) fn expect(&mut self) -> Packet {
        self.recv().expect("a packet comes in time")
    }

    /// Sends `packet` until a packet comes that `wanted` takes.
    fn exchange<T>(&mut self, packet: &Packet, wanted: impl Fn(Packet) -> Option<T>) -> T {
        for _ in 0..100 {
            self.send(packet);
            while let Some(received) = self.recv() {
                if let Packet::Error { code, message } = &received {
                    panic!("error {code}: {message}");
                }
                if let Some(taken) = wanted(received) {
                    return taken;
                }
            }
        }
        panic!("no answer to {packet:?}")
    }

    /// Reads a file.
    pub(super) fn read(&mut self, file: &str, options: &[(&str, &str)]) -> Vec<u8> {
        let (mut content, mut block) = (Vec::new(), 0_u16);
        let mut packet = Packet::Read(request(file, options));
        if !options.is_empty() {
            self.exchange(&packet, |packet| matches!(packet, Packet::OptionAck(_)).then_some(()));
            packet = Packet::Ack(0);
        }
        let size = block_size(options);
        loop {
            block = block.wrapping_add(1);
            let bytes = self.exchange(&packet, |packet| match packet {
                Packet::Data { block: number, bytes } if number == block => Some(bytes),
                _ => None,
            });
            content.extend(&bytes);
            packet = Packet::Ack(block);
            if bytes.len() < size {
                self.send(&packet);
                return content;
            }
        }
    }

    /// Writes a file.
    pub(super) fn write(&mut self, file: &str, content: &[u8], options: &[(&str, &str)]) {
        let is_first = |packet| match packet {
            Packet::Ack(0) | Packet::OptionAck(_) => Some(()),
            _ => None,
        };
        self.exchange(&Packet::Write(request(file, options)), is_first);
        let size = block_size(options);
        let mut block = 0_u16;
        for n in 0..=content.len() / size {
            let bytes = content[n * size..content.len().min((n + 1) * size)].to_vec();
            block = block.wrapping_add(1);
            let is_ack = |packet| (packet == Packet::Ack(block)).then_some(());
            self.exchange(&Packet::Data { block, bytes }, is_ack);
        }
    }
}

fn block_size(options: &[(&str, &str)]) -> usize {
    options
        .iter()
        .find(|(name, _)| *name == "blksize")
        .map_or(512, |(_, size)| size.parse().unwrap())
}
