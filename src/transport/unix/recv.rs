//! The receive halves of a Unix socket: many datagrams per system call on Linux, and one elsewhere.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixDatagram},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{Interest, Ready, unix::AsyncFd};

use super::names::Names;
use crate::{
    Addr,
    transport::{
        Passed, RecvBatch, RecvHalf,
        kernel::{
            Aligned,
            unix::{self, NAME, Received},
        },
        shut_down::unless_shut_down,
    },
};

/// A batch ends when it has this many descriptors, because a process has a limited number.
const MOST_FDS: usize = 64;

/// Receives single datagrams.
#[derive(Debug)]
pub(crate) struct Inbox {
    names: Names,
    name: Aligned<NAME>,
    /// Empty if neither descriptors nor credentials are received.
    control: Vec<u8>,
}

impl Inbox {
    /// Makes an inbox with `control` bytes for the ancillary data of a datagram.
    pub(crate) fn new(control: usize) -> Self {
        Self { names: Names::new(), name: Aligned::default(), control: vec![0; control] }
    }

    /// Receives a datagram into `room`. Returns its source, how many of its bytes fitted, and what came with it.
    pub(crate) fn recv(
        &mut self,
        socket: &impl AsFd,
        room: &mut [u8],
    ) -> io::Result<(Addr, usize, Option<Passed>)> {
        let Received { len, name_len, passed } =
            unix::recv(socket.as_fd(), &mut self.name, room, &mut self.control)?;
        Ok((self.names.addr(&self.name.0, name_len), len, passed))
    }
}

/// Receives one datagram per system call.
#[derive(Debug)]
pub(super) struct Single {
    socket: Arc<AsyncFd<UnixDatagram>>,
    inbox: Inbox,
}

impl Single {
    pub(super) fn new(socket: Arc<AsyncFd<UnixDatagram>>, control: usize) -> Self {
        Self { socket, inbox: Inbox::new(control) }
    }

    /// Receives one datagram. Returns whether the batch has room for another one.
    fn recv(&mut self, batch: &mut RecvBatch) -> io::Result<bool> {
        let Some(room) = batch.room() else { return Ok(false) };
        let (from, len, passed) = self.inbox.recv(&*self.socket, room)?;
        let before = batch.len();
        batch.push(from, len);
        if batch.len() > before {
            batch.attach(passed);
        }
        Ok(batch.fds() < MOST_FDS)
    }
}

impl RecvHalf for Single {
    fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        let socket = Arc::clone(&self.socket);
        let received = socket.try_io(Interest::READABLE, |_| {
            while self.recv(batch)? {}
            Ok(())
        });
        match received {
            // An error after a datagram comes again.
            Err(_) if !batch.is_empty() => Ok(()),
            received => received.map_err(|error| unless_shut_down(readiness(&socket), error)),
        }
    }

    fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        loop {
            match self.recv(batch) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(_) if !batch.is_empty() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(cx).map_ok(drop)
    }
}

async fn readiness(socket: &AsyncFd<UnixDatagram>) -> io::Result<Ready> {
    socket.ready(Interest::READABLE).await.map(|guard| guard.ready())
}

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(super) use batched::Batched;

#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod batched {
    use super::*;
    use crate::transport::kernel::mmsg::Receiver;

    /// The most messages that one system call receives, and the fewest slots of a call, as for UDP. The queue
    /// of a Unix socket holds 11 datagrams by default (`net.unix.max_dgram_qlen`).
    const SLOTS: usize = 32;
    const FEW: usize = 4;
    /// So many datagrams at once mean that the queue was full, or nearly.
    const QUEUE: usize = 8;

    /// Receives many datagrams with one system call.
    #[derive(Debug)]
    pub(in super::super) struct Batched {
        socket: Arc<AsyncFd<UnixDatagram>>,
        slots: Slots,
    }

    #[derive(Debug)]
    struct Slots {
        receiver: Receiver<NAME>,
        names: Names,
        /// How many slots the next call has.
        count: usize,
        /// Whether descriptors or credentials are received.
        passing: bool,
    }

    impl Batched {
        pub(in super::super) fn new(
            socket: Arc<AsyncFd<UnixDatagram>>,
            first: usize,
            control: usize,
        ) -> Self {
            let count = first.clamp(FEW, SLOTS);
            let (receiver, names) = (Receiver::new(count, control), Names::new());
            let passing = control > 0;
            Self { socket, slots: Slots { receiver, names, count, passing } }
        }
    }

    impl Slots {
        /// Receives datagrams that have arrived. Returns whether there may be more.
        fn fill(&mut self, socket: &impl AsFd, batch: &mut RecvBatch) -> io::Result<bool> {
            let (bytes, slot) = batch.slots(self.count, false);
            let count = self.receiver.recv(socket.as_fd(), bytes, slot, self.count)?;
            for at in 0..count {
                let message = self.receiver.message(at);
                let from = self.names.addr(&message.name.0, message.name_len);
                let bytes = at * slot..at * slot + message.len;
                let before = batch.len();
                batch.push_at(from, bytes);
                if self.passing {
                    let passed = self.receiver.take_passed(at);
                    if batch.len() > before {
                        batch.attach(passed);
                    }
                }
            }
            // Senders that waited for a full queue have probably filled it again by the next call.
            let full = count == self.count || count >= QUEUE;
            self.count = (2 * count).clamp(FEW, SLOTS);
            Ok(full)
        }
    }

    impl RecvHalf for Batched {
        fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
            let Self { socket, slots } = self;
            let received = socket.try_io(Interest::READABLE, |_| {
                // If some slots are unused, nothing more is there, so tokio may wait again.
                let more = slots
                    .fill(socket, batch)
                    .map_err(|error| unless_shut_down(readiness(socket), error))?;
                if more { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
            });
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !batch.is_empty() => {
                    Ok(())
                }
                received => received,
            }
        }

        fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
            self.slots.fill(&*self.socket, batch).map(drop)
        }

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.socket.poll_read_ready(cx).map_ok(drop)
        }
    }
}
