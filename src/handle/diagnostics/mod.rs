//! Diagnostics: how a server is set up, and what the kernel granted and dropped.

mod buffer;

use std::fmt;

pub use buffer::Buffer;

use crate::{Addr, BatchSizes, DropReason, IoMode, Offload, ServerStats, events};

/// How a server is set up, which buffer sizes the kernel granted, and how many datagrams each read returned;
/// returned by [`ServerHandle::diagnostics`](crate::ServerHandle::diagnostics).
///
/// Read it to find the cause of lost datagrams or of a high load. `Display` shows a short text of several
/// lines, and says which Linux setting to change.
///
/// # Examples
///
/// ```
/// use datagrammar::{Server, Text, Udp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let udp = Udp::new("127.0.0.1:0").recv_buffer_size(65_536);
/// let server = Server::bind(udp, Text, async |text: String| text).await?;
///
/// let diagnostics = server.handle().diagnostics();
/// # #[cfg(target_os = "linux")]
/// assert!(diagnostics.to_string().contains("receive buffer: 64 KiB\n"), "{diagnostics}");
/// assert_eq!(diagnostics.sockets()[0].workers(), 1);
/// # Ok(())
/// # }
/// ```
///
/// On Linux with its default limits the text may be (long lines are wrapped here):
///
/// ```text
/// [::]:9000: 1 worker, many datagrams per system call
///   receive buffer: 208 KiB of 4 MiB requested;
///     `sysctl -w net.core.rmem_max=4194304` allows that much
///   send buffer: 208 KiB of 4 MiB requested;
///     `sysctl -w net.core.wmem_max=4194304` allows that much
///   offload: received (GRO): on;
///     sent (GSO): on up to 1471 bytes, the kernel refused more
///   dropped by the kernel: 17
/// datagrams per batch: 1: 8120, 2: 640, 3–4: 12
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    sockets: Vec<SocketDiagnostics>,
    stats: ServerStats,
}

impl Diagnostics {
    pub(super) const fn new(sockets: Vec<SocketDiagnostics>, stats: ServerStats) -> Self {
        Self { sockets, stats }
    }

    /// Returns the diagnostics of each address that the server is bound to. The list is empty once the server
    /// is dropped.
    #[must_use]
    pub fn sockets(&self) -> &[SocketDiagnostics] {
        &self.sockets
    }

    /// Returns how many datagrams each read of a socket returned, over all sockets.
    #[must_use]
    pub const fn batches(&self) -> &BatchSizes {
        &self.stats.batches
    }

    /// Returns how many datagrams the kernel has dropped, over all sockets that report them. See
    /// [`DropReason::Kernel`].
    #[must_use]
    pub const fn kernel_drops(&self) -> u64 {
        self.stats.dropped(DropReason::Kernel)
    }

    /// Logs all buffers that are smaller than requested, in one event.
    pub(crate) fn tell_short_buffers(&self) {
        let text = |addr: &Addr, name, buffer: &Option<Buffer>| {
            let short = buffer.as_ref().filter(|buffer| buffer.is_short())?;
            Some(format!("{addr}: {name} buffer: {short}"))
        };
        let short: Vec<_> = self
            .sockets
            .iter()
            .flat_map(|SocketDiagnostics { addr, recv_buffer, send_buffer, .. }| {
                [text(addr, "receive", recv_buffer), text(addr, "send", send_buffer)]
            })
            .flatten()
            .collect();
        if !short.is_empty() {
            events::buffers_are_short(&short);
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sockets.is_empty() {
            writeln!(f, "nothing is bound")?;
        }
        for address in &self.sockets {
            writeln!(f, "{address}")?;
        }
        write!(f, "datagrams per batch: {}", self.batches())
    }
}

/// The diagnostics of one address of a server; an element of [`Diagnostics::sockets`].
///
/// # Examples
///
/// ```
/// use datagrammar::{Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
///
/// let diagnostics = server.handle().diagnostics();
/// let socket = &diagnostics.sockets()[0];
/// assert_eq!(socket.local_addr(), &server.local_addr());
/// assert_eq!(socket.workers(), 1);
/// if socket.recv_buffer().is_some_and(|buffer| buffer.is_short()) {
///     println!("{socket}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketDiagnostics {
    pub(super) addr: Addr,
    pub(super) workers: usize,
    pub(super) io_mode: IoMode,
    pub(super) recv_buffer: Option<Buffer>,
    pub(super) send_buffer: Option<Buffer>,
    pub(super) recv_offload: Offload,
    pub(super) send_offload: Offload,
    pub(super) kernel_drops: Option<u64>,
    pub(super) kernel_filter: Option<usize>,
}

impl SocketDiagnostics {
    /// Returns the address that the server is bound to.
    #[must_use]
    pub const fn local_addr(&self) -> &Addr {
        &self.addr
    }

    /// Returns how many workers share the address. Each worker has its own socket.
    #[must_use]
    pub const fn workers(&self) -> usize {
        self.workers
    }

    /// Returns whether one system call handles one datagram or many.
    #[must_use]
    pub const fn io_mode(&self) -> IoMode {
        self.io_mode
    }

    /// Returns the receive buffer of each socket at this address, or `None` on a network in memory.
    #[must_use]
    pub const fn recv_buffer(&self) -> Option<&Buffer> {
        self.recv_buffer.as_ref()
    }

    /// Returns the send buffer of each socket at this address, or `None` on a network in memory.
    #[must_use]
    pub const fn send_buffer(&self) -> Option<&Buffer> {
        self.send_buffer.as_ref()
    }

    /// Returns whether the kernel merges received datagrams of one size (GRO).
    #[must_use]
    pub const fn recv_offload(&self) -> Offload {
        self.recv_offload
    }

    /// Returns whether the kernel splits a large buffer into datagrams of one size when it sends (GSO).
    #[must_use]
    pub const fn send_offload(&self) -> Offload {
        self.send_offload
    }

    /// Returns how many datagrams to this address the kernel has dropped, or `None` if the kernel does not
    /// report them. With a [filter](Self::kernel_filter), it may have dropped them. See [`DropReason::Kernel`].
    #[must_use]
    pub const fn kernel_drops(&self) -> Option<u64> {
        self.kernel_drops
    }

    /// Returns how many instructions the filter has that is attached to the socket, or `None` if there is none. It is
    /// that of [`ServerBuilder::kernel_filter`](crate::ServerBuilder::kernel_filter), or one that you attached to your
    /// own socket. For a program of the extended form (eBPF), the number is 0, as the kernel does not tell it.
    #[must_use]
    pub const fn kernel_filter(&self) -> Option<usize> {
        self.kernel_filter
    }

    /// Adds another worker at the same address.
    pub(super) fn join(&mut self, other: &Self) {
        self.workers += other.workers;
        self.kernel_drops =
            self.kernel_drops.zip(other.kernel_drops).map(|(these, those)| these + those);
    }
}

impl fmt::Display for SocketDiagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.workers == 1 { "" } else { "s" };
        write!(f, "{}: {} worker{plural}, {}", self.addr, self.workers, self.io_mode)?;
        if let Some(buffer) = &self.recv_buffer {
            write!(f, "\n  receive buffer: {buffer}")?;
        }
        if let Some(buffer) = &self.send_buffer {
            write!(f, "\n  send buffer: {buffer}")?;
        }
        if self.io_mode == IoMode::Batched {
            let (received, sent) = (self.recv_offload, self.send_offload);
            write!(f, "\n  offload: received (GRO): {received}; sent (GSO): {sent}")?;
        }
        match self.kernel_filter {
            Some(0) => f.write_str("\n  kernel filter: an eBPF program")?,
            Some(len) => write!(f, "\n  kernel filter: {len} instructions")?,
            None => {}
        }
        if let Some(dropped) = self.kernel_drops {
            write!(f, "\n  dropped by the kernel: {dropped}")?;
            // The kernel has one counter for both.
            if self.kernel_filter.is_some() {
                f.write_str(" (by the filter, or because the buffer was full)")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, SocketAddr};

    use super::*;

    fn report() -> SocketDiagnostics {
        SocketDiagnostics {
            addr: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9000)).into(),
            workers: 1,
            io_mode: IoMode::Batched,
            recv_buffer: Some(buffer(Some(4 << 20), 212_992)),
            send_buffer: Some(buffer(None, 65_537)),
            recv_offload: Offload::On,
            send_offload: Offload::UpTo(1_471),
            kernel_drops: Some(17),
            kernel_filter: None,
        }
    }

    fn buffer(requested: Option<usize>, granted: usize) -> Buffer {
        Buffer::new(requested, granted, "net.core.rmem_max")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_text_says_what_is_set_and_what_to_change() {
        let diagnostics = Diagnostics::new(vec![report()], ServerStats::default());

        let expected = "\
[::]:9000: 1 worker, many datagrams per system call
  receive buffer: 208 KiB of 4 MiB requested; `sysctl -w net.core.rmem_max=4194304` allows that much
  send buffer: 65537 bytes, unchanged on the caller's own socket
  offload: received (GRO): on; sent (GSO): on up to 1471 bytes, the kernel refused more
  dropped by the kernel: 17
datagrams per batch: none";
        assert_eq!(diagnostics.to_string(), expected);
    }

    // A-23
    #[test]
    fn with_a_filter_the_text_does_not_say_that_a_buffer_was_full() {
        let text = |len| SocketDiagnostics { kernel_filter: Some(len), ..report() }.to_string();

        let end = "\n  dropped by the kernel: 17 (by the filter, or because the buffer was full)";
        assert!(text(9).ends_with(&format!("\n  kernel filter: 9 instructions{end}")));
        assert!(text(0).ends_with(&format!("\n  kernel filter: an eBPF program{end}")));
    }

    #[test]
    fn a_dropped_server_is_bound_to_nothing() {
        let diagnostics = Diagnostics::new(Vec::new(), ServerStats::default());

        assert_eq!(diagnostics.to_string(), "nothing is bound\ndatagrams per batch: none");
    }

    #[test]
    fn workers_at_one_address_are_one_report() {
        let mut reports = report();

        reports.join(&report());

        assert_eq!((reports.workers(), reports.kernel_drops()), (2, Some(34)));
        assert!(reports.to_string().contains("2 workers"), "{reports}");
    }
}
