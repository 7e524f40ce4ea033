//! The sockets of a server, for its handles and diagnostics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::diagnostics::{Buffer, SocketDiagnostics};
use crate::{
    Addr,
    socket::{SocketState, pulse::Beat},
    stats::{Counters, DropReason},
    transport::{buffers, filter::attached},
};

/// The sockets of a server, for its handles. It keeps none of them alive.
///
/// Readers hold the lock while they use a socket, and the server takes the lock when it is dropped. So a
/// reader never holds the last reference to a socket.
#[derive(Debug)]
pub(crate) struct SocketWatch(Mutex<Vec<Watched>>);

/// One socket of a server.
#[derive(Debug)]
pub(crate) struct Watched {
    socket: Weak<SocketState>,
    /// The kernel's counter at the last reading. It has 32 bits. At a million drops per second it wraps
    /// around after about an hour, so a program that reads less often misses a whole round.
    seen: u32,
    dropped: u64,
    /// The requested sizes of the receive buffer and the send buffer, in bytes.
    asked: [Option<usize>; 2],
}

impl Watched {
    /// `asked` are the requested sizes of the receive buffer and the send buffer, in bytes.
    pub(crate) fn new(socket: &Arc<SocketState>, asked: [Option<usize>; 2]) -> Self {
        Self { socket: Arc::downgrade(socket), seen: 0, dropped: 0, asked }
    }

    /// Counts the datagrams that the kernel has dropped since the last call. If there are any, returns the address, and
    /// whether a filter may have dropped them.
    fn count_drops(&mut self, counters: &Counters) -> Option<(Addr, bool)> {
        let socket = self.socket.upgrade()?;
        let transport = socket.outbox.transport();
        let now = transport.kernel_drops()?;
        let dropped = now.wrapping_sub(self.seen).into();
        counters.dropped(DropReason::Kernel, dropped);
        self.seen = now;
        self.dropped += dropped;
        (dropped > 0).then(|| {
            let filter = transport.socket().and_then(|socket| attached(&socket));
            (transport.local_addr().clone(), filter.is_some())
        })
    }

    fn report(&self) -> Option<SocketDiagnostics> {
        let socket = self.socket.upgrade()?;
        let transport = socket.outbox.transport();
        let granted = transport.socket().and_then(|socket| buffers(&socket).ok());
        let buffer = |i: usize, sysctl| {
            let granted = granted?[i];
            Some(Buffer::new(self.asked[i], granted, sysctl))
        };
        Some(SocketDiagnostics {
            addr: transport.local_addr().clone(),
            workers: 1,
            io_mode: transport.io_mode(),
            recv_buffer: buffer(0, "net.core.rmem_max"),
            send_buffer: buffer(1, "net.core.wmem_max"),
            recv_offload: transport.recv_offload(),
            send_offload: transport.send_offload(),
            kernel_drops: transport.kernel_drops().map(|_| self.dropped),
            kernel_filter: transport.socket().and_then(|socket| attached(&socket)),
        })
    }
}

impl SocketWatch {
    pub(crate) const fn new(sockets: Vec<Watched>) -> Self {
        Self(Mutex::new(sockets))
    }

    /// Counts the datagrams that the kernel has dropped since the last call. Returns an address where there
    /// were any, and whether a filter may have dropped them.
    pub(crate) fn count_drops(&self, counters: &Counters) -> Option<(Addr, bool)> {
        let mut found = None;
        for socket in &mut *self.lock() {
            let dropped = socket.count_drops(counters);
            found = found.or(dropped);
        }
        found
    }

    /// Returns the diagnostics of each address.
    pub(crate) fn explain(&self, counters: &Counters) -> Vec<SocketDiagnostics> {
        let mut reports: Vec<SocketDiagnostics> = Vec::new();
        for socket in &mut *self.lock() {
            socket.count_drops(counters);
            let Some(report) = socket.report() else { continue };
            match reports.iter_mut().find(|known| known.addr == report.addr) {
                Some(known) => known.join(&report),
                None => reports.push(report),
            }
        }
        reports
    }

    /// Returns the first `Some` that `find` returns for a socket, and whether the server still exists. `find`
    /// must not keep the socket.
    pub(super) fn find<T>(
        &self,
        find: impl Fn(&Arc<SocketState>) -> Option<T>,
    ) -> (Option<T>, bool) {
        let sockets = self.lock();
        let found = sockets
            .iter()
            .filter_map(|watched| watched.socket.upgrade())
            .find_map(|socket| find(&socket));
        (found, !sockets.is_empty())
    }

    /// Returns the sockets while the server exists. The caller must not keep them longer than the server.
    pub(super) fn sockets(&self) -> Vec<Arc<SocketState>> {
        self.lock().iter().filter_map(|watched| watched.socket.upgrade()).collect()
    }

    /// Wakes all workers. Returns those whose loops turn, each by the place of its socket, and their pulses.
    pub(super) fn wake_workers(&self) -> Vec<(usize, Beat)> {
        let sockets = self.lock();
        let woken = sockets.iter().enumerate().filter_map(|(place, watched)| {
            let socket = watched.socket.upgrade()?;
            let beat = socket.pulse.now()?;
            socket.outbox.signal.wake();
            Some((place, beat))
        });
        woken.collect()
    }

    /// Whether the pulse of a worker is still the same.
    pub(super) fn is_still(&self, (place, beat): (usize, Beat)) -> bool {
        let sockets = self.lock();
        let socket = sockets.get(place).and_then(|watched| watched.socket.upgrade());
        socket.is_some_and(|socket| socket.pulse.now() == Some(beat))
    }

    /// Returns the address of a worker, its number there from 1, and how many workers are there.
    pub(super) fn worker(&self, place: usize) -> Option<(Addr, usize, usize)> {
        let sockets = self.lock();
        let addr = |watched: &Watched| {
            watched.socket.upgrade().map(|socket| socket.outbox.transport().local_addr().clone())
        };
        let here = sockets.get(place).and_then(addr)?;
        let count = |sockets: &[Watched]| {
            sockets.iter().filter(|watched| addr(watched).as_ref() == Some(&here)).count()
        };
        Some((here.clone(), count(&sockets[..=place]), count(&sockets)))
    }

    /// Reads the sockets for the last time, because the server is being dropped.
    pub(crate) fn gone(&self, counters: &Counters) {
        for mut socket in self.lock().drain(..) {
            socket.count_drops(counters);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
