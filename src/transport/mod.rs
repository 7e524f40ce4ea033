//! Transports carry datagrams in batches. Each has a shared half that sends, and a half that receives.

pub(crate) mod config;
#[cfg(unix)]
pub(crate) mod fd_stream;
pub(crate) mod filter;
mod icmp;
#[cfg(unix)]
pub(crate) mod inherited;
mod io_mode;
#[cfg(unix)]
mod kernel;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod linux;
#[cfg(feature = "testing")]
pub(crate) mod memory;
mod multicast;
pub(crate) mod options;
#[cfg(unix)]
pub(crate) mod passed;
#[cfg(unix)]
mod passing;
mod reach;
mod recv_batch;
mod resolve;
mod route;
mod scratch;
mod send_batch;
mod shut_down;
mod signal;
mod size;
pub(crate) mod socket;
mod socket_ref;
mod targets;
mod udp;
#[cfg(unix)]
pub(crate) mod unix;
mod unnamed;
mod worker_index;

use std::{
    fmt, io,
    sync::Arc,
    task::{Context, Poll, ready},
};

pub(crate) use filter::Filter;
pub(crate) use icmp::is_about_sending;
pub(crate) use icmp::send_despite_the_past;
pub(crate) use io_mode::buffers;
pub use io_mode::{IoMode, Offload};
#[cfg(all(feature = "blocking", unix))]
pub(crate) use kernel::poll::poll;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(crate) use linux::Linux;
pub use multicast::Interface;
pub(crate) use multicast::{Membership, check as check_group, hears};
#[cfg(unix)]
pub(crate) use passed::Passed;
#[cfg(unix)]
pub(crate) use passing::Passing;
pub(crate) use reach::reaches;
pub(crate) use recv_batch::RecvBatch;
pub(crate) use resolve::{Resolver, unmapped};
pub(crate) use route::{Ancillary, Local, Route};
pub(crate) use scratch::Scratch;
pub(crate) use send_batch::SendBatch;
pub(crate) use signal::Signal;
#[cfg(all(feature = "blocking", unix))]
pub(crate) use size::LONGEST_UNIX;
pub(crate) use size::{BATCH, LONGEST, max_len};
pub use socket_ref::SocketRef;
pub(crate) use targets::Target;
pub use targets::ToAddrs;
pub(crate) use udp::Udp;
pub use unnamed::UnnamedPeers;
pub(crate) use worker_index::WorkerIndex;

#[cfg(not(unix))]
use crate::reply_cache::Ticket;
use crate::{Addr, limits::LiveLimits};

/// One bound socket. All senders share it. The worker of a server, or a client, owns the
/// [receive half](Self::recv_half).
pub(crate) trait Transport: fmt::Debug + Send + Sync + 'static {
    fn local_addr(&self) -> &Addr;

    /// The socket of the operating system, if there is one.
    fn socket(&self) -> Option<SocketRef<'_>> {
        None
    }

    /// The length of the longest datagram that can arrive, in bytes. A limit above it must not cost memory.
    fn longest(&self) -> usize {
        LONGEST
    }

    /// The length of the longest datagram that the kernel accepts, in bytes, if the address of the peer does
    /// not determine it.
    fn max_len(&self) -> usize {
        LONGEST
    }

    /// Whether `error` says that a datagram is longer than the kernel accepts.
    fn is_too_large(&self, _: &io::Error) -> bool {
        false
    }

    /// Whether each datagram is sent at once, so that the sender gets the error of the kernel. A full queue of
    /// one peer must not affect others, so such a transport has no backlog.
    fn sends_at_once(&self) -> bool {
        false
    }

    /// What happens to datagrams from peers that have no name.
    fn unnamed_peers(&self) -> UnnamedPeers {
        UnnamedPeers::Drop
    }

    /// The position of the socket among those that share its address.
    #[cfg(unix)]
    fn worker_index(&self) -> WorkerIndex {
        WorkerIndex::ALONE
    }

    /// Whether credentials of peers are received.
    #[cfg(unix)]
    fn recv_credentials(&self) -> bool {
        false
    }

    /// Whether descriptors can be received and sent.
    #[cfg(unix)]
    fn passes_fds(&self) -> bool {
        false
    }

    /// Whether a datagram can pass this.
    #[cfg(unix)]
    fn can_pass(&self, _: Passing<'_>) -> bool {
        false
    }

    /// Does the same as [`try_send`](Self::try_send), and passes descriptors or credentials with the datagram.
    #[cfg(unix)]
    fn try_send_passing(&self, _: &Route, _: &[u8], _: Passing<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How datagrams get from the network into the program and back.
    fn io_mode(&self) -> IoMode {
        IoMode::Memory
    }

    /// Whether the kernel merges received datagrams (GRO), or why not.
    fn recv_offload(&self) -> Offload {
        Offload::Unavailable
    }

    /// Whether the kernel splits sent messages into datagrams (GSO), or why not.
    fn send_offload(&self) -> Offload {
        Offload::Unavailable
    }

    /// Makes the receive half, with room for about `first` datagrams at the beginning. Datagrams that have
    /// arrived stay in the socket, so each serving may make a new receive half.
    fn recv_half(&self, first: usize) -> Box<dyn RecvHalf>;

    /// Whether the kernel delivers the datagrams of `peer` to this socket, and not to another one on its
    /// address.
    fn is_for(&self, _peer: &Addr) -> bool {
        true
    }

    /// How many datagrams the kernel has dropped on their way to this socket since the transport was made, modulo
    /// 2^32; `None` if the system does not report it.
    fn kernel_drops(&self) -> Option<u32> {
        None
    }

    /// Hands one datagram to the kernel, whole or not at all; `WouldBlock` when there is no room.
    fn try_send(&self, to: &Route, datagram: &[u8]) -> io::Result<()>;

    /// Completes when the socket may have room to send.
    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Drops datagrams that have arrived, about `most` of them; returns how many.
    fn discard(&self, most: usize) -> usize {
        // If an error persists, the worker handles it.
        const MOST_FAILURES: usize = 64;

        let (mut half, mut batch) = (self.recv_half(BATCH), RecvBatch::new(self.longest()));
        let (mut discarded, mut failures) = (0, 0);
        while discarded < most {
            batch.clear();
            match half.recv_now(&mut batch) {
                Ok(()) => discarded += batch.len() + batch.truncated(),
                Err(error) if is_about_sending(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) if failures == MOST_FAILURES => break,
                Err(_) => failures += 1,
            }
        }
        discarded
    }

    /// Sends the datagrams of `batch` in order, and removes them from it. Returns false if the kernel has no
    /// room for the rest. Each datagram that the kernel refuses is reported to `refused`, and the others are
    /// still sent.
    fn send_batch(&self, batch: &mut SendBatch, refused: &mut dyn FnMut(&Addr, io::Error)) -> bool {
        send_singly(|to, datagram| self.try_send(to, datagram), batch, refused)
    }
}

/// The receive half of a socket. It keeps the socket open.
pub(crate) trait RecvHalf: fmt::Debug + Send + 'static {
    /// Adds datagrams that have arrived to `batch`, up to its bounds; `WouldBlock` when none is there.
    ///
    /// If an error comes after at least one datagram, this call succeeds. The next call returns the error: the
    /// transport keeps it or the kernel returns it again. So the datagrams are not lost.
    fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()>;

    /// Does the same as [`try_recv`](Self::try_recv), but asks the kernel even if the runtime considers the
    /// socket not readable.
    fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()>;

    /// Makes the system report when datagrams arrived, by the clock of the `limits`, or no longer. Returns false if it cannot.
    fn set_timestamps(&mut self, _limits: Option<&Arc<LiveLimits>>) -> bool {
        false
    }

    /// Completes when there may be something to receive.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Receives at least one datagram into `batch`, which must be empty.
    fn poll_recv(&mut self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_ready(cx))?;
            match self.try_recv(batch) {
                // All messages were copies for other workers.
                Ok(()) if batch.is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return Poll::Ready(received),
            }
        }
    }
}

/// What comes with a datagram besides its bytes: nothing, on systems without Unix sockets.
#[cfg(not(unix))]
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) ticket: Option<Ticket>,
    pub(crate) from: Option<Box<Addr>>,
}

#[cfg(not(unix))]
impl Passed {
    pub(crate) const fn count(&self) -> usize {
        0
    }
}

/// Sends the datagrams of `batch`, with one call of `try_send` for each.
fn send_singly(
    try_send: impl Fn(&Route, &[u8]) -> io::Result<()>,
    batch: &mut SendBatch,
    refused: &mut dyn FnMut(&Addr, io::Error),
) -> bool {
    while !batch.is_empty() {
        if !send_front(&try_send, batch, refused) {
            return false;
        }
    }
    true
}

/// Sends the first datagram of `batch`, and removes it unless there is no room. Returns false then.
fn send_front(
    try_send: &impl Fn(&Route, &[u8]) -> io::Result<()>,
    batch: &mut SendBatch,
    refused: &mut dyn FnMut(&Addr, io::Error),
) -> bool {
    while let Some((to, datagram)) = batch.front() {
        match try_send(to, datagram) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => refused(&to.peer, error),
        }
        batch.pop_front();
        break;
    }
    true
}
