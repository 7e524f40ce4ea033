//! Keeps peers that do not read from filling the send buffer of a server.
//!
//! Linux charges a datagram to the send buffer of its sender until it is read. It limits the queue of a peer to
//! a few datagrams, but not if the peer is connected to the server. So one such peer could fill the buffer, and
//! then no other peer would be answered. While at least half of the buffer is in use, this module asks which
//! peers have something unread, and sends nothing more to those.

mod diag;

use std::{
    collections::HashMap,
    io,
    os::fd::BorrowedFd,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use diag::{Diag, Names};

use crate::{
    Addr,
    addr::{Rare, Repr, UnixName},
    lock::locked,
    transport::kernel::mmsg::send_buffer,
};

/// What is known of the datagrams that the peers of one socket have not read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// At most this much of the send buffer is in use.
    used: AtomicUsize,
    /// As long as less is in use, all peers may get datagrams; 0 before the first look.
    plenty: AtomicUsize,
    crowded: Mutex<Crowded>,
}

/// What is known while at least half of the send buffer is in use.
#[derive(Debug, Default)]
struct Crowded {
    diag: Option<Diag>,
    /// The system cannot tell which sockets have something unread. So all peers get datagrams.
    blind: bool,
    asked: Option<Instant>,
    /// The sockets that had something unread when the kernel was asked last.
    unread: Names,
    /// How much the other peers got since then.
    sent: HashMap<Addr, usize>,
    /// How much each of them may get.
    share: usize,
}

/// The shortest time between two questions to the kernel, which describes all sockets of the system.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// After so many peers, the kernel is asked again at once.
const MOST_PEERS: usize = 1_024;

impl Unread {
    /// Whether a datagram of `len` bytes may be sent to `peer`. Returns false if most of the send buffer of `fd`
    /// is in use, and this peer has datagrams that it has not read.
    #[inline]
    pub(super) fn allows(&self, fd: BorrowedFd<'_>, peer: &Addr, len: usize) -> bool {
        let cost = cost(len);
        self.used.fetch_add(cost, Relaxed) + cost < self.plenty.load(Relaxed)
            || self.look(fd, peer, cost)
    }

    /// Asks the kernel how much of the send buffer is in use.
    #[cold]
    fn look(&self, fd: BorrowedFd<'_>, peer: &Addr, cost: usize) -> bool {
        let Ok((used, size)) = send_buffer(fd) else {
            // An old kernel does not tell. The sum must not grow without a look.
            self.used.store(0, Relaxed);
            return true;
        };
        self.used.store(used + cost, Relaxed);
        self.plenty.store(size / 2, Relaxed);
        let mut crowded = locked(&self.crowded);
        if used < size / 2 {
            *crowded = Crowded::default();
            return true;
        }
        crowded.allows(peer, cost, size.saturating_sub(used))
    }
}

impl Crowded {
    /// Whether `peer` may get a datagram while `room` is left.
    fn allows(&mut self, peer: &Addr, cost: usize, room: usize) -> bool {
        if self.blind || self.asked.is_some() && self.take_share(peer, cost) {
            return true;
        }
        let many = self.sent.len() >= MOST_PEERS;
        if !many && self.asked.is_some_and(|asked| asked.elapsed() < ASK_EVERY) {
            return false;
        }
        self.blind = self.ask(room).is_err();
        self.blind || self.take_share(peer, cost)
    }

    /// Takes `cost` of the share of `peer`. A peer that has read everything gets at least one datagram.
    fn take_share(&mut self, peer: &Addr, cost: usize) -> bool {
        let Repr::Rare(Rare::Unix(UnixName::Named(name))) = &peer.0 else { return true };
        if self.unread.contains(&**name) || self.sent.len() >= MOST_PEERS {
            return false;
        }
        let sent = self.sent.entry(peer.clone()).or_default();
        let takes = *sent == 0 || *sent + cost <= self.share;
        if takes {
            *sent += cost;
        }
        takes
    }

    /// Asks the kernel which sockets have something unread.
    fn ask(&mut self, room: usize) -> io::Result<()> {
        /// A peer that stops to read now gets at most this part of the room that is left.
        const PART: usize = 8;

        self.asked = Some(Instant::now());
        self.sent.clear();
        self.share = room / PART;
        let diag = match &mut self.diag {
            Some(diag) => diag,
            none => none.insert(Diag::new()?),
        };
        self.unread = diag.unread()?;
        Ok(())
    }
}

/// About how much of the send buffer a datagram of `len` bytes occupies at most: the kernel rounds up, and adds
/// its own data.
const fn cost(len: usize) -> usize {
    1_024 + 2 * len
}

#[cfg(test)]
mod tests {
    use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};

    use super::*;

    fn peer(n: usize) -> Addr {
        Addr::from(SocketAddr::from_abstract_name(format!("peer {n}")).unwrap())
    }

    /// The kernel was just asked: `unread` have something unread, and others may get up to `share`.
    fn crowded(unread: &[usize], share: usize) -> Crowded {
        let name = |n: &usize| format!("\0peer {n}").into_bytes().into();
        Crowded {
            asked: Some(Instant::now() + Duration::from_secs(60)),
            unread: unread.iter().map(name).collect(),
            share,
            ..Crowded::default()
        }
    }

    // U-9
    #[test]
    fn peers_that_have_read_everything_get_their_share_and_others_nothing() {
        let mut crowded = crowded(&[1], 3 * cost(10));

        let mut takes = |n, len| crowded.allows(&peer(n), cost(len), 0);

        assert!(!takes(1, 10));
        assert!(takes(2, 10) && takes(2, 10) && takes(2, 10) && !takes(2, 10));
        // At least one datagram.
        assert!(takes(3, 100_000) && !takes(3, 10));
    }

    // U-9
    #[test]
    fn a_system_that_cannot_tell_answers_all_peers() {
        let mut crowded = Crowded { blind: true, ..crowded(&[1], 0) };

        assert!(crowded.allows(&peer(1), cost(10), 0) && crowded.allows(&peer(1), cost(10), 0));
    }

    // U-9
    #[test]
    fn it_remembers_a_limited_number_of_peers() {
        let mut crowded = crowded(&[], 0);

        for n in 0..3 * MOST_PEERS {
            assert!(crowded.allows(&peer(n), cost(10), 1 << 20));
            assert!(crowded.sent.len() <= MOST_PEERS);
        }
    }

    // U-9
    #[test]
    fn the_kernel_is_asked_only_while_half_of_the_buffer_is_in_use() {
        use std::os::{fd::AsFd, unix::net::UnixDatagram};

        let (sender, receiver) = UnixDatagram::pair().unwrap();
        let (unread, fd) = (Unread::default(), sender.as_fd());
        let asked = || locked(&unread.crowded).asked.is_some();
        sender.set_nonblocking(true).unwrap();
        let (_, size) = send_buffer(fd).unwrap();

        let mut sent = 0;
        while unread.allows(fd, &peer(1), 1_000) && !asked() {
            sender.send(&[0; 1_000]).unwrap();
            sent += 1;
        }

        let (used, _) = send_buffer(fd).unwrap();
        assert!(used >= size / 2 && used < size / 2 + 2 * cost(1_000), "{used} of {size}");
        (0..sent).for_each(|_| assert_eq!(receiver.recv(&mut [0; 1_000]).unwrap(), 1_000));
        while asked() {
            assert!(unread.allows(fd, &peer(1), 1_000));
        }
    }
}
