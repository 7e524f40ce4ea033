//! File descriptors and credentials that travel with packets over Unix sockets.

use std::{
    borrow::Borrow,
    mem,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use super::{Peer, PeerSender, protocol::Encode, recv::Receiving, send::SendPath, step::Step};
use crate::{
    Credentials, RecvError, SendError,
    reply_cache::Keep,
    socket::SocketState,
    transport::{Passing, Scratch, Transport, max_len},
};

impl<Req, Res> Peer<Req, Res> {
    /// Receives the next packet from this peer, with the file descriptors that came with it.
    ///
    /// The descriptors are open, belong to the caller, and are close-on-exec. The list is empty if the peer has
    /// passed none. [`recv`](Self::recv) closes the descriptors that come with its packet. How many
    /// descriptors may wait is limited by [`Limits::max_queued_fds`](crate::Limits::max_queued_fds).
    ///
    /// # Errors
    ///
    /// The errors of [`recv`](Self::recv), and
    ///
    /// - [`RecvError::Unsupported`] if the peer is not on a Unix socket with
    ///   [`fd_passing`](crate::Unix::fd_passing). No datagram is consumed.
    /// - [`RecvError::AncillaryTruncated`] if some descriptors were lost. The others are closed.
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// A handler that writes to a file which its peer has opened:
    ///
    /// ```
    /// use datagrammar::{BoxError, Client, Handler, Peer, Server, Text, Unix};
    /// use std::{fs::File, io::Write, os::fd::AsFd};
    ///
    /// struct Writes;
    ///
    /// impl Handler<String, String> for Writes {
    ///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
    ///         let (text, fds) = peer.recv_with_fds().await?;
    ///         for fd in fds {
    ///             File::from(fd).write_all(text.as_bytes())?;
    ///         }
    ///         Ok(peer.send("written".to_owned()).await?)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # if !cfg!(target_os = "linux") { return Ok(()) }
    /// # let path = std::env::temp_dir().join(format!("datagrammar-fds-{}", std::process::id()));
    /// let server = Server::bind(Unix::new("").fd_passing(true), Text, Writes).await?;
    /// let addr = server.local_addr();
    /// server.spawn();
    ///
    /// let name = [b"\0", addr.as_abstract_name().unwrap()].concat();
    /// # use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    /// let client = Client::connect(Unix::new(OsStr::from_bytes(&name)).fd_passing(true), Text).await?;
    /// let file = File::create(&path)?;
    /// client.send_with_fds("hello".to_owned(), &[file.as_fd()]).await?;
    /// assert_eq!(client.recv().await?, "written");
    /// assert_eq!(std::fs::read_to_string(&path)?, "hello");
    /// # std::fs::remove_file(path)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "SCM_RIGHTS")]
    pub async fn recv_with_fds(&mut self) -> Result<(Req, Vec<OwnedFd>), RecvError> {
        self.receive_with_fds(Duration::MAX).await
    }

    /// Does the same as [`recv_with_fds`](Self::recv_with_fds), and waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The errors of [`recv_with_fds`](Self::recv_with_fds), and [`RecvError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    pub async fn recv_with_fds_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<(Req, Vec<OwnedFd>), RecvError> {
        self.receive_with_fds(timeout).await
    }

    async fn receive_with_fds(
        &mut self,
        timeout: Duration,
    ) -> Result<(Req, Vec<OwnedFd>), RecvError> {
        if !self.path.socket.outbox.transport().passes_fds() {
            return Err(RecvError::Unsupported);
        }
        let asking = Asking::new(self);
        let step = Step::Within(timeout);
        let packet = Receiving { peer: &mut *asking.0, step }.await;
        let (fds, incomplete) = match &mut asking.0.passed {
            Some(passed) => (mem::take(&mut passed.fds), mem::take(&mut passed.incomplete)),
            None => (Vec::new(), false),
        };
        let packet = packet?;
        if incomplete { Err(RecvError::AncillaryTruncated) } else { Ok((packet, fds)) }
    }

    /// Returns the process, user and group that have sent the last datagram. Returns `None` without
    /// [`recv_credentials`](crate::Unix::recv_credentials), and before the first `recv`.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{BoxError, Peer};
    ///
    /// /// Answers root only.
    /// async fn reboot(peer: &mut Peer<String, String>) -> Result<(), BoxError> {
    ///     let request = peer.recv().await?;
    ///     match peer.credentials() {
    ///         Some(sender) if sender.uid() == 0 => peer.send(format!("{request}: done")).await?,
    ///         _ => peer.send("you are not root".to_owned()).await?,
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "SO_PASSCRED")]
    #[must_use]
    pub fn credentials(&self) -> Option<Credentials> {
        self.passed.as_ref()?.credentials
    }

    /// Sends `packet` to this peer, with file descriptors. The peer gets descriptors of its own for the same
    /// files. An empty list sends none.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), and [`SendError::Unsupported`] if the peer is not on a Unix socket
    /// with [`fd_passing`](crate::Unix::fd_passing). Linux passes at most 253 descriptors with one datagram;
    /// more are an error of the kernel ([`SendError::Io`]).
    ///
    /// # Cancel safety
    ///
    /// The same as [`send`](Self::send).
    #[doc(alias = "SCM_RIGHTS")]
    pub async fn send_with_fds(
        &self,
        packet: impl Borrow<Res>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), SendError> {
        self.path.send_passing(packet, Passing::Fds(fds)).await
    }

    /// Sends `packet` to this peer, with these credentials. Only a privileged process can send other ids than
    /// its own. Without this call, a peer that asks for credentials gets those of this process. It needs Linux.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), and [`SendError::Unsupported`] if the peer is not on a Unix socket
    /// of Linux.
    ///
    /// # Cancel safety
    ///
    /// The same as [`send`](Self::send).
    pub async fn send_with_credentials(
        &self,
        packet: impl Borrow<Res>,
        credentials: Credentials,
    ) -> Result<(), SendError> {
        self.path.send_passing(packet, Passing::Credentials(credentials)).await
    }
}

impl<Res> PeerSender<Res> {
    /// Sends `packet` to the peer, with file descriptors, as
    /// [`Peer::send_with_fds`](crate::Peer::send_with_fds) does.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), and [`SendError::Unsupported`] if the peer is not on a Unix socket
    /// with [`fd_passing`](crate::Unix::fd_passing).
    ///
    /// # Cancel safety
    ///
    /// The same as [`send`](Self::send).
    pub async fn send_with_fds(
        &self,
        packet: impl Borrow<Res>,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), SendError> {
        self.path()?.send_passing(packet, Passing::Fds(fds)).await
    }
}

/// Marks that a `recv` asks for descriptors, until it ends or is dropped.
struct Asking<'p, Req, Res>(&'p mut Peer<Req, Res>);

impl<'p, Req, Res> Asking<'p, Req, Res> {
    fn new(peer: &'p mut Peer<Req, Res>) -> Self {
        peer.asks_for_fds = true;
        Self(peer)
    }
}

impl<Req, Res> Drop for Asking<'_, Req, Res> {
    fn drop(&mut self) {
        self.0.asks_for_fds = false;
    }
}

impl<E: ?Sized> SendPath<E> {
    /// Sends `packet` with descriptors or credentials.
    async fn send_passing<Res>(
        &self,
        packet: impl Borrow<Res>,
        passing: Passing<'_>,
    ) -> Result<(), SendError>
    where
        E: Encode<Res>,
    {
        let Self { socket, protocol, route, .. } = self;
        let SocketState { outbox, limits, .. } = &**socket;
        if !outbox.transport().can_pass(passing) {
            return Err(SendError::Unsupported);
        }
        let encode = |datagram: &mut Vec<u8>| protocol.encode(packet.borrow(), datagram);
        let datagram = Scratch::encode(max_len(&route.peer), encode)?;
        // A reply that passes something cannot be repeated.
        let keep = match passing {
            Passing::Fds([]) => Keep::Bytes,
            _ => Keep::Nothing,
        };
        let recorded = self.record(&datagram, keep);
        let send = |socket: &dyn Transport| socket.try_send_passing(route, &datagram, passing);
        socket.send_batched();
        outbox.send_at_once(route, datagram.len(), limits.idle_timeout(), send).await?;
        recorded.sent();
        Ok(())
    }
}
