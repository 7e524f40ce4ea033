//! What carries datagrams, behind one trait: batches in, batches out.

mod batch;
mod icmp;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod linux;
#[cfg(feature = "testing")]
pub(crate) mod memory;
mod scratch;
mod signal;
pub(crate) mod socket;
mod udp;

use std::{
    fmt, io,
    task::{Context, Poll},
};

pub(crate) use batch::{RecvBatch, SendBatch};
pub(crate) use icmp::is_about_sending;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(crate) use linux::Linux;
pub(crate) use scratch::Scratch;
pub(crate) use signal::Signal;
pub(crate) use udp::{LONGEST, Udp, max_len};

use crate::PeerAddr;

/// One bound socket of a server. Only the worker that drives it polls; anybody may send.
pub(crate) trait Transport: fmt::Debug + Send + Sync + 'static {
    fn local_addr(&self) -> &PeerAddr;

    /// The longest datagram that can go to `to`, in octets.
    fn max_len(&self, to: &PeerAddr) -> usize;

    /// Adds what has arrived to `batch`, up to its bounds; `WouldBlock` when nothing is there.
    ///
    /// An error that comes after at least one datagram is kept for the next call by the transport or
    /// told again by the kernel, so that no datagram is lost by it.
    fn try_recv(&self, batch: &mut RecvBatch) -> io::Result<()>;

    /// Completes when `try_recv` is worth trying.
    fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Drops up to `most` datagrams that have arrived, whether or not the runtime has heard of them;
    /// returns how many.
    fn discard(&self, most: usize) -> usize;

    /// Hands one datagram to the kernel, whole or not at all; `WouldBlock` when there is no room.
    fn try_send(&self, to: &PeerAddr, datagram: &[u8]) -> io::Result<()>;

    /// Completes when `try_send` is worth trying.
    fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends what `batch` holds, in order, and takes it out; false when the kernel has no more room
    /// for the rest. A datagram that is refused goes to `refused` and costs no other its place.
    fn send_batch(
        &self,
        batch: &mut SendBatch,
        refused: &mut dyn FnMut(&PeerAddr, io::Error),
    ) -> bool {
        while let Some((to, datagram)) = batch.front() {
            match self.try_send(to, datagram) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => refused(to, error),
            }
            batch.pop_front();
        }
        true
    }
}
