//! Tests of messages whose control messages the kernel had to cut.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use super::*;
use crate::transport::{RecvBatch, kernel::mmsg};

const MERGED: usize = 16;
const LEN: usize = 48;

/// A transport on `ip`, and its receive half with `room` bytes for the control messages of each datagram. The
/// kernel adds many of them here.
fn transport(ip: &str, room: usize) -> (Linux, LinuxRecvHalf) {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let transport = Linux::new(
        Udp::new(socket).unwrap(),
        WorkerIndex::ALONE,
        true,
        Merging { asked: Some(true), ..Merging::default() },
    );
    let fd = transport.udp.socket.as_fd();
    mmsg::enable(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS).unwrap();
    mmsg::enable(fd, libc::IPPROTO_IP, libc::IP_RECVTOS).unwrap();
    mmsg::enable(fd, libc::IPPROTO_IP, libc::IP_RECVTTL).unwrap();
    let half = LinuxRecvHalf::new(Arc::clone(&transport.udp.socket), 1, room, true, None);
    (transport, half)
}

fn addr(transport: &Linux) -> SocketAddr {
    transport.local_addr().socket_addr().unwrap()
}

/// Receives everything that has arrived.
fn received(half: &mut LinuxRecvHalf) -> RecvBatch {
    let mut batch = RecvBatch::new(LEN);
    loop {
        match half.recv_now(&mut batch) {
            Ok(()) => assert!(batch.len() <= MERGED),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return batch,
            Err(error) => panic!("{error}"),
        }
    }
}

// S-2, R-5, D-17
#[tokio::test]
async fn merged_datagrams_are_split_correctly_with_their_local_address_or_are_dropped() {
    let asked: IpAddr = [127, 0, 0, 2].into();
    let mut whole = 0;
    for room in 8..=160 {
        for bound in ["0.0.0.0", "::"] {
            let (transport, mut half) = transport(bound, room);
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.set_nonblocking(true).unwrap();
            client.connect((asked, addr(&transport).port())).unwrap();
            let sender = Linux::new(
                Udp::connected(client).unwrap(),
                WorkerIndex::ALONE,
                true,
                Merging { asked: Some(true), ..Merging::default() },
            );
            let mut merged = SendBatch::default();
            let to = Route::from(transport.local_addr().clone());
            for n in 0..MERGED {
                merged.push(&to, &[n as u8; LEN]);
            }
            sender.udp.socket.writable().await.unwrap();
            assert!(sender.send_batch(&mut merged, &mut |_, error| panic!("{error}")));

            let batch = received(&mut half);

            if batch.truncated() > 0 {
                assert_eq!((batch.len(), batch.truncated()), (0, 1), "{bound} {room}");
                continue;
            }
            whole += 1;
            assert_eq!(batch.len(), MERGED, "{bound} {room}");
            for n in 0..MERGED {
                let told = batch.ancillary(n);
                assert_eq!(batch.datagram(n), [n as u8; LEN]);
                assert_eq!(told.local.unwrap().ip, asked);
                assert_eq!(told.traffic_class, Some(0.into()));
            }
        }
    }
    assert!(whole > 0);
}
