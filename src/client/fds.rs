//! File descriptors and credentials that travel with the packets of a client over Unix sockets.

use std::{
    borrow::Borrow,
    mem,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use tokio::time::Instant;

use super::{endpoint::Client, shared::RecvDetails};
use crate::{ClientRecvError, ClientSendError, Credentials, DatagramProtocol, transport::Passing};

impl<P: DatagramProtocol> Client<P> {
    /// Receives the next packet, with the file descriptors that came with it.
    ///
    /// The descriptors are open, belong to the caller, and are close-on-exec. The list is empty if the peer has
    /// passed none. [`recv`](Self::recv) closes the descriptors that come with its packet.
    ///
    /// # Errors
    ///
    /// The errors of [`recv`](Self::recv), and
    ///
    /// - [`ClientRecvError::Unsupported`] if this client does not use a Unix socket with
    ///   [`fd_passing`](crate::Unix::fd_passing). No datagram is consumed.
    /// - [`ClientRecvError::AncillaryTruncated`] if some descriptors were lost. The others are closed.
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    #[doc(alias = "SCM_RIGHTS")]
    pub async fn recv_with_fds(&self) -> Result<(P::Incoming, Vec<OwnedFd>), ClientRecvError> {
        self.receive_with_fds(None).await
    }

    /// Does the same as [`recv_with_fds`](Self::recv_with_fds), and waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The errors of [`recv_with_fds`](Self::recv_with_fds), and [`ClientRecvError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    pub async fn recv_with_fds_timeout(
        &self,
        timeout: Duration,
    ) -> Result<(P::Incoming, Vec<OwnedFd>), ClientRecvError> {
        self.receive_with_fds(Instant::now().checked_add(timeout)).await
    }

    async fn receive_with_fds(
        &self,
        until: Option<Instant>,
    ) -> Result<(P::Incoming, Vec<OwnedFd>), ClientRecvError> {
        let link = self.shared.link().ok_or(ClientRecvError::Closed)?;
        if !link.passes_fds() {
            return Err(ClientRecvError::Unsupported);
        }
        drop(link);
        let mut details = RecvDetails::default();
        let packet = self.receive(until, &mut details).await?;
        let Some(mut passed) = details.passed else { return Ok((packet, Vec::new())) };
        if passed.incomplete {
            return Err(ClientRecvError::AncillaryTruncated);
        }
        Ok((packet, mem::take(&mut passed.fds)))
    }

    /// Sends `packet` to the peer, with file descriptors. The peer gets descriptors of its own for the same
    /// files. An empty list sends none.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), and [`ClientSendError::Unsupported`] if this client does not use a
    /// Unix socket with [`fd_passing`](crate::Unix::fd_passing). Linux passes at most 253 descriptors with one
    /// datagram; more are an error of the kernel ([`ClientSendError::Io`]).
    ///
    /// # Cancel safety
    ///
    /// The same as [`send`](Self::send).
    #[doc(alias = "SCM_RIGHTS")]
    pub async fn send_with_fds(
        &self,
        packet: impl Borrow<P::Outgoing>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), ClientSendError> {
        self.send_passing(packet, Passing::Fds(fds)).await
    }

    /// Sends `packet` to the peer, with these credentials. Only a privileged process can send other ids than
    /// its own. Without this call, a peer that asks for credentials gets those of this process. It needs Linux.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), and [`ClientSendError::Unsupported`] if this client does not use a
    /// Unix socket of Linux.
    ///
    /// # Cancel safety
    ///
    /// The same as [`send`](Self::send).
    pub async fn send_with_credentials(
        &self,
        packet: impl Borrow<P::Outgoing>,
        credentials: Credentials,
    ) -> Result<(), ClientSendError> {
        self.send_passing(packet, Passing::Credentials(credentials)).await
    }

    async fn send_passing(
        &self,
        packet: impl Borrow<P::Outgoing>,
        passing: Passing<'_>,
    ) -> Result<(), ClientSendError> {
        let link = self.shared.link().ok_or(ClientSendError::Closed)?;
        if !link.passes(passing) {
            return Err(ClientSendError::Unsupported);
        }
        drop(link);
        self.send_by(packet, |link, datagram| link.try_send_passing(datagram, passing)).await
    }
}
