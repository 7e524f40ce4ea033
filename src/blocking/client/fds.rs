//! File descriptors that travel with the packets of a blocking client over Unix sockets.

use std::{
    borrow::Borrow,
    mem,
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use super::{endpoint::Client, shared::RecvDetails};
use crate::{
    ClientRecvError, ClientSendError, DatagramProtocol, blocking::block_on::is_inside_runtime,
    transport::Passing,
};

impl<P: DatagramProtocol> Client<P> {
    /// Receives the next packet, with the file descriptors that came with it, as
    /// [`Client::recv_with_fds`](crate::Client::recv_with_fds) does.
    ///
    /// # Errors
    ///
    /// The errors of [`recv`](Self::recv), and
    ///
    /// - [`ClientRecvError::Unsupported`] if this client does not use a Unix socket with
    ///   [`fd_passing`](crate::Unix::fd_passing). No datagram is consumed.
    /// - [`ClientRecvError::AncillaryTruncated`] if some descriptors were lost. The others are closed.
    #[doc(alias = "SCM_RIGHTS")]
    pub fn recv_with_fds(&self) -> Result<(P::Incoming, Vec<OwnedFd>), ClientRecvError> {
        self.receive_with_fds(None)
    }

    /// Does the same as [`recv_with_fds`](Self::recv_with_fds), and waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The errors of [`recv_with_fds`](Self::recv_with_fds), and [`ClientRecvError::TimedOut`].
    pub fn recv_with_fds_timeout(
        &self,
        timeout: Duration,
    ) -> Result<(P::Incoming, Vec<OwnedFd>), ClientRecvError> {
        self.receive_with_fds(Instant::now().checked_add(timeout))
    }

    fn receive_with_fds(
        &self,
        deadline: Option<Instant>,
    ) -> Result<(P::Incoming, Vec<OwnedFd>), ClientRecvError> {
        if is_inside_runtime() {
            return Err(ClientRecvError::InsideRuntime);
        }
        self.passes_fds(ClientRecvError::Closed, ClientRecvError::Unsupported)?;
        let mut details = RecvDetails::default();
        let packet = self.shared.receive(deadline, &mut details)?;
        let Some(mut passed) = details.passed else { return Ok((packet, Vec::new())) };
        if passed.incomplete {
            return Err(ClientRecvError::AncillaryTruncated);
        }
        Ok((packet, mem::take(&mut passed.fds)))
    }

    /// Sends `packet` to the peer, with file descriptors, as
    /// [`Client::send_with_fds`](crate::Client::send_with_fds) does.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), and [`ClientSendError::Unsupported`] if this client does not use a
    /// Unix socket with [`fd_passing`](crate::Unix::fd_passing).
    #[doc(alias = "SCM_RIGHTS")]
    pub fn send_with_fds(
        &self,
        packet: impl Borrow<P::Outgoing>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), ClientSendError> {
        if is_inside_runtime() {
            return Err(ClientSendError::InsideRuntime);
        }
        self.passes_fds(ClientSendError::Closed, ClientSendError::Unsupported)?;
        let control = Passing::Fds(fds).control();
        self.shared.send_by(packet.borrow(), |link, datagram| match link.unix() {
            Some(unix) => unix.send(datagram, &control),
            None => link.try_send(datagram),
        })
    }

    /// Returns one of the errors if the client cannot pass descriptors.
    fn passes_fds<E>(&self, closed: E, unsupported: E) -> Result<(), E> {
        let link = self.shared.link().ok_or(closed)?;
        if link.unix().is_some_and(|unix| unix.passes_fds()) { Ok(()) } else { Err(unsupported) }
    }
}
