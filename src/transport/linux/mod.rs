//! UDP on Linux: many datagrams per system call, and several datagrams of one size as one message (GSO, GRO).

mod clock;
mod control;
#[cfg(test)]
mod cut;
pub(super) mod gro;
mod name;
mod recv;
mod reuseport;
mod runs;
mod share;

use std::{
    io, iter,
    os::fd::AsFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use control::ROOM;
pub(super) use gro::merges;
use name::Name;
use recv::LinuxRecvHalf;
use runs::Runs;
use share::Share;
use tokio::io::Interest;

use super::{
    IoMode, Offload, RecvHalf, Route, SendBatch, SocketRef, Transport, WorkerIndex, kernel::mmsg,
    send_despite_the_past, send_singly, udp::Udp,
};
use crate::{
    addr::{Addr, Repr},
    lock::locked,
};

/// UDP with `recvmmsg`, `sendmmsg` and segmentation offload.
#[derive(Debug)]
pub(crate) struct Linux {
    udp: Udp,
    sending: Mutex<Sending>,
    /// The length of the longest segment to try, since the kernel has refused longer ones; 0 if it accepts no
    /// segments.
    segment_limit: AtomicUsize,
    /// The kernel's count of drops when this transport was made.
    drops_before: u32,
    merges: Offload,
    segments: bool,
    /// The peers whose multicast and broadcast datagrams this socket serves, if other sockets receive them too.
    share: Option<Share>,
    index: WorkerIndex,
}

/// What decides whether the kernel merges received datagrams and splits sent ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Merging {
    /// Whether the caller wants both.
    pub(crate) asked: Option<bool>,
    /// Whether there is a kernel filter. The kernel would run it once for merged datagrams. So with one that is
    /// invalid in front, a stranger could make the kernel drop those of a peer.
    pub(crate) is_filtered: bool,
    /// Whether the kernel looks at the header of a proxy to choose the socket. It would choose one for merged datagrams.
    pub(crate) is_spread_by_header: bool,
}

type Sender = mmsg::Sender<{ mmsg::NAME }>;

#[derive(Debug, Default)]
struct Sending {
    sender: Sender,
    /// For single datagrams while a batch is being sent.
    alone: Sender,
    runs: Runs,
    unsent: Vec<bool>,
}

impl Linux {
    /// Drives `udp` in batches. Unless `merging.asked` is `Some(false)`, the kernel splits sent messages (GSO). It
    /// merges received datagrams (GRO) if the socket is our `own` or `merging.asked` is `Some(true)`. It reports the
    /// address that a datagram came to if the socket is our own. On a socket of the user's, we leave these
    /// options to the user.
    pub(crate) fn new(udp: Udp, place: WorkerIndex, own: bool, merging: Merging) -> Self {
        let Merging { asked, is_filtered, is_spread_by_header } = merging;
        let fd = udp.socket.as_fd();
        let offload = asked.unwrap_or(true);
        let merges = match (own || asked.is_some(), offload) {
            _ if is_filtered || is_spread_by_header => {
                // As below.
                let _ = mmsg::disable(fd, libc::SOL_UDP, libc::UDP_GRO);
                if is_filtered { Offload::Filtered } else { Offload::Proxied }
            }
            (true, false) => {
                // A kernel that does not support it merges nothing.
                let _ = mmsg::disable(fd, libc::SOL_UDP, libc::UDP_GRO);
                Offload::Disabled
            }
            // A kernel that does not support it returns an error, and delivers datagrams singly.
            (true, true) if mmsg::enable(fd, libc::SOL_UDP, libc::UDP_GRO).is_ok() => Offload::On,
            (true, true) => Offload::Refused,
            (false, _) if merges(&fd) => Offload::On,
            (false, _) => Offload::CallerSocket,
        };
        let drops_before = if own { 0 } else { mmsg::drops(fd).unwrap_or(0) };
        let bound = udp.local_addr.ip_socket();
        let share = Share::new(place, bound.ip());
        if own && (bound.ip().is_unspecified() || share.is_some()) {
            // On an IPv6 socket, the first one is for its IPv4 peers, if it has any. A kernel that supports
            // neither chooses the source of replies by its routing table.
            let _ = mmsg::enable(fd, libc::IPPROTO_IP, libc::IP_PKTINFO);
            if bound.is_ipv6() {
                let _ = mmsg::enable(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO);
            }
        }
        Self {
            udp,
            sending: Mutex::default(),
            segment_limit: AtomicUsize::new(if offload { usize::MAX } else { 0 }),
            drops_before,
            merges,
            segments: offload,
            share,
            index: place,
        }
    }
}

/// Makes the kernel choose among the first `count` sockets that share the port of `socket`. The choice
/// depends only on the peer, not on the address of this host that the peer sends to. With `has_proxies`, a peer may be behind
/// a proxy.
pub(super) fn spread(socket: &impl AsFd, count: u32, has_proxies: bool) -> io::Result<()> {
    mmsg::pick_by(socket.as_fd(), &mut reuseport::program(count, has_proxies))
}

impl Transport for Linux {
    fn local_addr(&self) -> &Addr {
        &self.udp.local_addr
    }

    fn socket(&self) -> Option<SocketRef<'_>> {
        Some((&*self.udp.socket).into())
    }

    fn io_mode(&self) -> IoMode {
        IoMode::Batched
    }

    fn recv_offload(&self) -> Offload {
        self.merges
    }

    fn send_offload(&self) -> Offload {
        match self.segment_limit.load(Relaxed) {
            _ if !self.segments => Offload::Disabled,
            0 => Offload::Refused,
            usize::MAX => Offload::On,
            bytes => Offload::UpTo(bytes),
        }
    }

    fn worker_index(&self) -> WorkerIndex {
        self.index
    }

    fn recv_half(&self, first: usize) -> Box<dyn RecvHalf> {
        let socket = Arc::clone(&self.udp.socket);
        Box::new(LinuxRecvHalf::new(socket, first, ROOM, self.merged(), self.share))
    }

    fn is_for(&self, peer: &Addr) -> bool {
        Share::of(self.index).is_none_or(|share| share.has(peer))
    }

    fn kernel_drops(&self) -> Option<u32> {
        let drops = mmsg::drops(self.udp.socket.as_fd()).ok()?;
        Some(drops.wrapping_sub(self.drops_before))
    }

    fn try_send(&self, to: &Route, datagram: &[u8]) -> io::Result<()> {
        if to.local.is_none() {
            return self.udp.try_send(to, datagram);
        }
        self.send_alone(&mut locked(&self.sending).alone, to, datagram)
    }

    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.udp.socket.poll_send_ready(cx)
    }

    fn send_batch(&self, batch: &mut SendBatch, refused: &mut dyn FnMut(&Addr, io::Error)) -> bool {
        if batch.len() == 1 {
            // For one datagram, a plain system call is cheaper.
            return send_singly(|to, datagram| self.try_send(to, datagram), batch, refused);
        }
        let mut sending = locked(&self.sending);
        let Sending { sender, alone, runs, unsent } = &mut *sending;
        runs.sort(batch, self.segment_limit.load(Relaxed));
        let Err(Full { run, datagrams }) = self.send_runs(sender, alone, runs, batch, refused)
        else {
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

/// The position at which the kernel had no more room: a run, and how many of its datagrams were sent.
struct Full {
    run: usize,
    datagrams: usize,
}

impl Linux {
    /// Whether a received message may consist of several datagrams. On a socket of the user's, the user may
    /// switch this on at any time.
    fn merged(&self) -> bool {
        matches!(self.merges, Offload::On | Offload::CallerSocket)
    }

    /// Sends the runs one after the other.
    fn send_runs(
        &self,
        sender: &mut Sender,
        alone: &mut Sender,
        runs: &Runs,
        batch: &SendBatch,
        refused: &mut dyn FnMut(&Addr, io::Error),
    ) -> Result<(), Full> {
        let mut filling = sender.fill(batch.len());
        for run in runs.runs() {
            let (to, first) = batch.get(run.first.into());
            let name = |name: &mut Name| self.name(to, name);
            if run.segments == 1 {
                filling.push(name, |control| control.write(to.local, None), iter::once(first));
                continue;
            }
            let pieces = runs.datagrams(run).map(|i| batch.get(i).1);
            filling.push(name, |control| control.write(to.local, Some(run.segment)), pieces);
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
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            // Sends each datagram of the run again, alone: the error may be about the segments, about one
            // datagram, or about a datagram that was sent earlier.
            let mut accepted = false;
            for (datagrams, (to, datagram)) in runs.datagrams(run).map(|i| batch.get(i)).enumerate()
            {
                match self.send_alone(alone, to, datagram) {
                    Ok(()) => accepted = true,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Err(Full { run: done, datagrams });
                    }
                    Err(error) => refused(&to.peer, error),
                }
            }
            // If the kernel accepts none, the peer cannot be reached, and the error is not about segments.
            if accepted && run.segments > 1 {
                self.remember(&error, run.segment.into());
            }
            done += 1;
        }
        Ok(())
    }

    /// Sends one datagram from the local address of its route.
    fn send_alone(&self, sender: &mut Sender, to: &Route, datagram: &[u8]) -> io::Result<()> {
        if to.local.is_none() {
            return self.udp.try_send(to, datagram);
        }
        let mut filling = sender.fill(1);
        let pieces = iter::once(datagram);
        filling.push(|name| self.name(to, name), |control| control.write(to.local, None), pieces);
        send_despite_the_past(|| {
            let send = || filling.send(self.udp.socket.as_fd(), 0);
            self.udp.socket.try_io(Interest::WRITABLE, send).map(drop)
        })
    }

    /// Writes the address of the peer, unless the socket is connected; returns how many bytes it wrote.
    #[inline]
    fn name(&self, to: &Route, name: &mut Name) -> libc::socklen_t {
        match &to.peer.0 {
            Repr::Ip(addr) if !self.udp.connected => name.write(addr, self.udp.ipv6),
            Repr::Rare(_) if !self.udp.connected => name.write(to.peer.ip_socket(), self.udp.ipv6),
            _ => 0,
        }
    }

    /// Remembers segments that the kernel refused, so that they are not tried again: segments that are longer
    /// than the path carries, or all segments, on an interface that cannot compute their checksums.
    fn remember(&self, error: &io::Error, segment: usize) {
        let limit = match error.raw_os_error() {
            Some(libc::EMSGSIZE | libc::EINVAL) => segment - 1,
            Some(libc::EIO) => 0,
            _ => return,
        };
        self.segment_limit.fetch_min(limit, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn transport(own: bool, offload: Option<bool>) -> Linux {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let merging = Merging { asked: offload, ..Merging::default() };
        Linux::new(Udp::new(socket).unwrap(), WorkerIndex::ALONE, own, merging)
    }

    // S-12
    #[tokio::test]
    async fn segments_that_the_kernel_refused_are_remembered_and_reported() {
        let transport = transport(true, None);
        let refuse = |errno, len| transport.remember(&io::Error::from_raw_os_error(errno), len);

        assert_eq!(transport.send_offload(), Offload::On);
        refuse(libc::ENETUNREACH, 1_000);
        assert_eq!(transport.send_offload(), Offload::On);
        refuse(libc::EMSGSIZE, 1_472);
        refuse(libc::EMSGSIZE, 2_000);
        assert_eq!(transport.send_offload(), Offload::UpTo(1_471));
        refuse(libc::EIO, 100);
        assert_eq!(transport.send_offload(), Offload::Refused);
    }

    // B-13
    #[tokio::test]
    async fn the_reason_why_nothing_is_merged_is_reported() {
        let offloads = |own, offload| {
            let transport = transport(own, offload);
            (transport.recv_offload(), transport.send_offload())
        };

        for own in [true, false] {
            assert_eq!(offloads(own, Some(true)), (Offload::On, Offload::On));
            assert_eq!(offloads(own, Some(false)), (Offload::Disabled, Offload::Disabled));
        }
        assert_eq!(offloads(true, None), (Offload::On, Offload::On));
        assert_eq!(offloads(false, None), (Offload::CallerSocket, Offload::On));
    }
}
