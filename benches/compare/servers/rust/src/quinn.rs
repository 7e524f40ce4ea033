//! A server on tokio with quinn-udp: `recvmmsg` with GRO, `sendmsg` with GSO.

use std::{
    array,
    io::{ErrorKind, IoSliceMut},
};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

use crate::options::Options;

pub async fn echo(socket: UdpSocket, _: Options) {
    let state = UdpSocketState::new((&socket).into()).expect("a socket of quinn-udp");
    let room = (9216 * state.gro_segments()).min(65_536);
    let mut buffer = vec![0; room * BATCH_SIZE];
    loop {
        if socket.readable().await.is_err() {
            continue;
        }
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let received = {
            let mut chunks = buffer.chunks_mut(room);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] = array::from_fn(|_| {
                IoSliceMut::new(chunks.next().expect("a chunk for each message"))
            });
            socket
                .try_io(Interest::READABLE, || state.recv((&socket).into(), &mut slices, &mut meta))
        };
        let Ok(count) = received else { continue };
        for (i, meta) in meta[..count].iter().enumerate() {
            let transmit = Transmit {
                destination: meta.addr,
                ecn: None,
                contents: &buffer[i * room..i * room + meta.len],
                segment_size: (meta.len > meta.stride).then_some(meta.stride),
                src_ip: None,
            };
            let send = || state.try_send((&socket).into(), &transmit);
            while let Err(error) = socket.try_io(Interest::WRITABLE, send) {
                if error.kind() != ErrorKind::WouldBlock || socket.writable().await.is_err() {
                    break;
                }
            }
        }
    }
}
