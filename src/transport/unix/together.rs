//! Sends many Unix datagrams with one system call, on Linux.

use std::{
    io, iter,
    os::{fd::AsFd, unix::net::UnixDatagram},
};

use tokio::io::Interest;

use super::{
    UnixSocket,
    names::{can_write, write},
};
use crate::{
    Addr,
    lock::locked,
    transport::{
        Route, SendBatch, Transport,
        kernel::{Aligned, unix::NAME},
        send_front,
    },
};

impl UnixSocket {
    /// Sends the datagrams of `batch` in order with few system calls, as
    /// [`send_batch`](Transport::send_batch) does.
    pub(super) fn send_together(
        &self,
        batch: &mut SendBatch,
        refused: &mut dyn FnMut(&Addr, io::Error),
    ) -> bool {
        while !batch.is_empty() {
            let sent = self.send_first(batch);
            (0..sent).for_each(|_| batch.pop_front());
            // The kernel has not said why it did not send the next one. The error is about it or about its peer.
            let try_send = |to: &Route, datagram: &[u8]| self.try_send(to, datagram);
            if !batch.is_empty() && !send_front(&try_send, batch, refused) {
                return false;
            }
        }
        true
    }

    /// Sends the first datagrams of `batch` with one system call; returns how many.
    fn send_first(&self, batch: &SendBatch) -> usize {
        let connected = self.peer.is_some();
        let fits = |to: &Addr, datagram: &[u8]| {
            connected
                || can_write(to) && self.unread.allows(self.socket.as_fd(), to, datagram.len())
        };
        let mut sender = locked(&self.sender);
        let mut filling = sender.fill(batch.len());
        for (to, datagram) in batch.iter().take_while(|(to, datagram)| fits(&to.peer, datagram)) {
            let name = |name: &mut Aligned<NAME>| if connected { 0 } else { write(&to.peer, name) };
            filling.push(name, |_| 0, iter::once(&datagram[..]));
        }
        if filling.is_empty() {
            return 0;
        }
        let mut send = |socket: &UnixDatagram| filling.send(socket.as_fd(), 0);
        // tokio must learn that the peer of a connected socket has no room. A server does not wait for that.
        let sent = if connected {
            self.socket.try_io(Interest::WRITABLE, send)
        } else {
            send(self.socket.get_ref())
        };
        sent.unwrap_or(0)
    }
}
