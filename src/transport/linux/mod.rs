//! UDP on Linux: many datagrams per system call, and trains of them per datagram of the kernel's.

mod control;
mod mmsg;
mod name;
mod runs;
mod spread;

use std::{
    io,
    net::UdpSocket,
    os::fd::AsFd,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use control::Control;
use mmsg::{Receiver, Sender};
use name::Name;
use runs::Runs;
use tokio::io::Interest;

use super::{RecvBatch, SendBatch, Transport, udp::Udp};
use crate::PeerAddr;

/// How many messages one system call receives. 16 already give everything that batching can give.
const SLOTS: usize = 32;

/// UDP with `recvmmsg`, `sendmmsg` and segmentation offload.
#[derive(Debug)]
pub(crate) struct Linux {
    udp: Udp,
    receiving: Mutex<Receiver>,
    sending: Mutex<Sending>,
    /// The longest segment that the kernel has not refused; 0 if it takes none.
    segment_limit: AtomicUsize,
}

#[derive(Debug)]
struct Sending {
    sender: Sender,
    runs: Runs,
    unsent: Vec<bool>,
}

impl Linux {
    /// Drives `udp` in batches. With `merge` the kernel merges trains that it receives, with `segment`
    /// it splits those that are sent.
    pub(crate) fn new(udp: Udp, merge: bool, segment: bool) -> Self {
        if merge {
            // A kernel that does not know of it says so, and delivers datagrams singly.
            let _ = mmsg::enable(udp.socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO);
        }
        let sending = Sending { sender: Sender::new(), runs: Runs::default(), unsent: Vec::new() };
        Self {
            udp,
            receiving: Mutex::new(Receiver::new(SLOTS)),
            sending: Mutex::new(sending),
            segment_limit: AtomicUsize::new(if segment { usize::MAX } else { 0 }),
        }
    }
}

/// Has the kernel choose among the first `count` sockets that share the port of `socket` by the peer
/// alone, whatever address of this host it talks to.
pub(super) fn spread(socket: &UdpSocket, count: usize) -> io::Result<()> {
    let count = count.try_into().map_err(io::Error::other)?;
    mmsg::pick_by(socket.as_fd(), &mut spread::program(count))
}

impl Transport for Linux {
    fn local_addr(&self) -> &PeerAddr {
        self.udp.local_addr()
    }

    fn max_len(&self, to: &PeerAddr) -> usize {
        self.udp.max_len(to)
    }

    fn try_recv(&self, batch: &mut RecvBatch) -> io::Result<()> {
        let mut receiver = locked(&self.receiving);
        let received = self.udp.socket.try_io(Interest::READABLE, || {
            let (octets, slot) = batch.slots(SLOTS);
            let count = receiver.recv(self.udp.socket.as_fd(), octets, slot, SLOTS)?;
            for i in 0..count {
                let (len, whole) = receiver.len(i);
                let Some(from) = receiver.name(i).addr() else { continue };
                if whole {
                    let segment = control::read(receiver.control(i)).segment.unwrap_or(usize::MAX);
                    let octets = i * slot..i * slot + len;
                    batch.push_segments(&PeerAddr::canonical(from), octets, segment);
                } else {
                    batch.push_truncated();
                }
            }
            // That not all slots were used says that nothing more is there: tokio may wait again
            // without another call that finds nothing.
            if count < SLOTS { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !batch.is_empty() => Ok(()),
            received => received,
        }
    }

    fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.udp.poll_recv_ready(cx)
    }

    fn discard(&self, most: usize) -> usize {
        self.udp.discard(most)
    }

    fn try_send(&self, to: &PeerAddr, datagram: &[u8]) -> io::Result<()> {
        self.udp.try_send(to, datagram)
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.udp.poll_send_ready(cx)
    }

    fn send_batch(
        &self,
        batch: &mut SendBatch,
        refused: &mut dyn FnMut(&PeerAddr, io::Error),
    ) -> bool {
        let mut sending = locked(&self.sending);
        let Sending { sender, runs, unsent } = &mut *sending;
        runs.sort(batch, self.segment_limit.load(Relaxed));
        let Err(Full { run, datagrams }) = self.send_runs(sender, runs, batch, refused) else {
            batch.clear();
            return true;
        };
        unsent.clear();
        unsent.resize(batch.len(), false);
        let rest = runs.runs()[run..].iter().flat_map(|run| runs.datagrams(run));
        rest.skip(datagrams).for_each(|i| unsent[i] = true);
        batch.retain(|i| unsent[i]);
        false
    }
}

/// Where the kernel had no more room: at which run, and after how many of its datagrams.
struct Full {
    run: usize,
    datagrams: usize,
}

impl Linux {
    /// Sends one run after the other.
    fn send_runs(
        &self,
        sender: &mut Sender,
        runs: &Runs,
        batch: &SendBatch,
        refused: &mut dyn FnMut(&PeerAddr, io::Error),
    ) -> Result<(), Full> {
        let mut filling = sender.fill();
        for run in runs.runs() {
            let mut control = Control::default();
            let segment = (run.segments > 1).then_some(run.segment);
            let len = control.write(None, segment);
            let to = Name::from(self.udp.name(batch.get(run.first.into()).0));
            filling.push(to, control, len, runs.datagrams(run).map(|i| batch.get(i).1));
        }
        let mut done = 0;
        while let Some(run) = runs.runs().get(done) {
            let send = || filling.send(self.udp.socket.as_fd(), done);
            let error = match self.udp.socket.try_io(Interest::WRITABLE, send) {
                Ok(sent) => {
                    done += sent;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Full { run: done, datagrams: 0 });
                }
                Err(error) => error,
            };
            // Each once more, alone: the error may be about the segments, about one datagram, or about
            // something that was sent earlier.
            let mut accepted = false;
            for (datagrams, (to, datagram)) in runs.datagrams(run).map(|i| batch.get(i)).enumerate()
            {
                match self.udp.try_send(to, datagram) {
                    Ok(()) => accepted = true,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Err(Full { run: done, datagrams });
                    }
                    Err(error) => refused(to, error),
                }
            }
            // A peer that cannot be reached at all says nothing about segments.
            if accepted && run.segments > 1 {
                self.remember(&error, run.segment.into());
            }
            done += 1;
        }
        Ok(())
    }

    /// Tries nothing again that the kernel has refused once: segments that are longer than the path
    /// carries, or any at all, on an interface that cannot sum them up.
    fn remember(&self, error: &io::Error, segment: usize) {
        let limit = match error.raw_os_error() {
            Some(libc::EMSGSIZE | libc::EINVAL) => segment - 1,
            Some(libc::EIO) => 0,
            _ => return,
        };
        self.segment_limit.fetch_min(limit, Relaxed);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
