//! The receive half on Linux: `recvmmsg`, and datagrams that the kernel has merged (GRO).

use std::{
    io,
    ops::Range,
    os::fd::AsFd,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{io::Interest, net::UdpSocket};

use super::{
    clock::Clock,
    control::{self, Told},
    share::Share,
};
use crate::{
    addr::{Addr, Repr},
    limits::LiveLimits,
    transport::{
        RecvBatch, RecvHalf,
        kernel::mmsg::{Message, NAME, Receiver},
        shut_down::unless_shut_down,
    },
};

/// The most messages that one system call receives. 16 are enough for the full benefit of batching.
pub(super) const SLOTS: usize = 32;
/// The fewest slots of a call: one slot must stay empty to show that nothing more is there. A call has twice
/// as many slots as the last call received messages.
const FEW: usize = 4;

#[derive(Debug)]
pub(super) struct LinuxRecvHalf {
    socket: Arc<UdpSocket>,
    slots: Slots,
}

/// The memory for the messages of one system call.
#[derive(Debug)]
struct Slots {
    receiver: Receiver<NAME>,
    /// How many slots the next call has.
    count: usize,
    /// Whether a message may consist of several datagrams, so that it may be longer than the limit of a
    /// datagram.
    merged: bool,
    /// The clock for the times of arrival, while the kernel reports them.
    clock: Option<Clock>,
    /// The peers whose multicast and broadcast datagrams this socket serves, if other sockets receive them too.
    share: Option<Share>,
}

impl LinuxRecvHalf {
    /// Makes a receive half with slots for about `first` messages, and `room` bytes for the control messages
    /// of each.
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        first: usize,
        room: usize,
        merged: bool,
        share: Option<Share>,
    ) -> Self {
        let count = first.clamp(FEW, SLOTS);
        let receiver = Receiver::new(count, room);
        Self { socket, slots: Slots { receiver, count, merged, clock: None, share } }
    }
}

impl Slots {
    /// Receives datagrams that have arrived. Returns whether all slots were used, because then there may be
    /// more.
    fn fill(&mut self, socket: &UdpSocket, batch: &mut RecvBatch) -> io::Result<bool> {
        let (bytes, slot) = batch.slots(self.count, self.merged);
        let count = self.receiver.recv(socket.as_fd(), bytes, slot, self.count)?;
        let read = self.clock.as_ref().map(Clock::read);
        for (i, message) in self.receiver.messages(count).enumerate() {
            let bytes = i * slot..i * slot + message.len;
            // A fast path for most messages: IPv4 without control messages.
            match message.name.v4() {
                Some(v4) if message.told == 0 && message.is_whole() => {
                    batch.push_at(Addr(Repr::Ip(v4.into())), bytes);
                }
                _ => {
                    let mut told = control::read(self.receiver.control(i, &message));
                    if let (Some(read), Some(arrived)) = (&read, told.arrived) {
                        told.ancillary.arrived = read.stamp(arrived);
                    }
                    take(&message, told, bytes, batch, self.share);
                }
            }
        }
        let full = count == self.count;
        self.count = (2 * count).clamp(FEW, SLOTS);
        Ok(full)
    }
}

impl RecvHalf for LinuxRecvHalf {
    fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        let Self { socket, slots } = self;
        let received = socket.try_io(Interest::READABLE, || {
            // If some slots are unused, nothing more is there. So tokio may wait again, without another call
            // that would find nothing.
            let more = slots
                .fill(socket, batch)
                .map_err(|error| unless_shut_down(socket.ready(Interest::READABLE), error))?;
            if more { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !batch.is_empty() => Ok(()),
            received => received,
        }
    }

    fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        self.slots.fill(&self.socket, batch).map(drop)
    }

    fn set_timestamps(&mut self, limits: Option<&Arc<LiveLimits>>) -> bool {
        let clock = self.slots.clock.take();
        match limits {
            Some(limits) => self.slots.clock = Clock::start(&self.socket, limits),
            None => clock.iter().for_each(|clock| clock.stop(&self.socket)),
        }
        self.slots.clock.is_some()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }
}

impl Drop for LinuxRecvHalf {
    fn drop(&mut self) {
        // The socket may serve again later, or belong to the caller.
        self.set_timestamps(None);
    }
}

/// Adds a message together with the report of the kernel.
fn take(
    message: &Message<'_, NAME>,
    told: Told,
    at: Range<usize>,
    batch: &mut RecvBatch,
    share: Option<Share>,
) {
    let Some(peer) = message.name.peer() else { return };
    if told.many && share.is_some_and(|share| !share.has(&peer)) {
        // This is a copy. The socket that serves this peer also counts the datagram.
        return;
    }
    // Something was cut off. It may be an address, or the size at which to split the datagrams.
    if !message.is_whole() {
        batch.push_truncated(Some(peer));
        return;
    }
    let segment = told.segment.unwrap_or(usize::MAX);
    batch.push_segments(&peer, told.ancillary, at, segment);
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::transport::kernel::mmsg;
    use crate::transport::{
        Transport, Udp, WorkerIndex,
        linux::{Linux, Merging},
    };

    /// How many bytes a batch has for messages, after `bursts` of that many datagrams.
    async fn room(limit: usize, offload: bool, bursts: &[usize]) -> usize {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let addr = socket.local_addr().unwrap();
        let udp = Udp::new(socket).unwrap();
        let transport = Linux::new(
            udp,
            WorkerIndex::ALONE,
            true,
            Merging { asked: Some(offload), ..Merging::default() },
        );
        let mut half = transport.recv_half(1);
        let mut batch = RecvBatch::new(limit);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for burst in bursts {
            (0..*burst).for_each(|_| assert_eq!(sender.send_to(b"hello", addr).unwrap(), 5));
            let mut received = 0;
            while received < *burst {
                batch.clear();
                half.recv_now(&mut batch).unwrap();
                received += batch.len();
            }
        }
        batch.capacity()
    }

    // G-5
    #[tokio::test]
    async fn the_memory_of_a_batch_follows_the_limit_and_how_many_datagrams_come_at_once() {
        assert_eq!(room(512, false, &[1, 1, 1]).await, FEW * 513);
        assert_eq!(room(512, false, &[1, 8]).await, 8 * 513);
        assert_eq!(room(512, false, &[100]).await, SLOTS * 513);
        assert_eq!(room(65_535, false, &[1]).await, FEW * 65_536);
        // Merged datagrams together may be as long as the longest message.
        assert_eq!(room(512, true, &[1]).await, FEW * 65_536);
    }

    //
    #[tokio::test]
    async fn the_kernel_reports_times_no_longer_than_the_half_lives() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let copy = socket.try_clone().unwrap();
        let reports =
            || mmsg::option(copy.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS).unwrap();
        let udp = Udp::new(socket).unwrap();
        let merging = Merging { asked: Some(false), ..Merging::default() };
        let transport = Linux::new(udp, WorkerIndex::ALONE, true, merging);
        let limits = Arc::new(LiveLimits::new(&crate::Limits::default()));

        let mut half = transport.recv_half(1);
        assert!(half.set_timestamps(Some(&limits)));
        assert_eq!(reports(), 1);
        drop(half);
        assert_eq!(reports(), 0);

        mmsg::enable(copy.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS).unwrap();
        let mut half = transport.recv_half(1);
        assert!(half.set_timestamps(Some(&limits)));
        drop(half);
        assert_eq!(reports(), 1, "the caller wanted them before");
    }

    //
    #[tokio::test]
    async fn a_datagram_that_is_longer_than_its_slot_is_counted() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let addr = socket.local_addr().unwrap();
        let udp = Udp::new(socket).unwrap();
        let mut half = Linux::new(
            udp,
            WorkerIndex::ALONE,
            true,
            Merging { asked: Some(false), ..Merging::default() },
        )
        .recv_half(1);
        let mut batch = RecvBatch::new(4);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in [&b"1234"[..], b"12345", b"123456789", b""] {
            sender.send_to(datagram, addr).unwrap();
        }

        half.recv_now(&mut batch).unwrap();

        assert_eq!((batch.len(), batch.truncated()), (2, 2));
        assert_eq!((batch.datagram(0), batch.datagram(1)), (&b"1234"[..], &b""[..]));
    }
}
