//! A connected client.

use std::{borrow::Borrow, fmt, io, ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{task::coop, time::Instant};

use super::{link::Link, shared::Shared};
#[cfg(doc)]
use crate::Connect;

use crate::{
    Addr, ClientRecvError, ClientSendError, ClientStats, DatagramProtocol, SocketRef,
    lock::locked,
    stats::add,
    transport::{BATCH, Scratch},
};

/// An endpoint that exchanges typed packets with one peer, over UDP and other [transports](Connect).
///
/// It is cheap to clone. Clones share one socket, which is closed by [`close`](Self::close) or with
/// the last clone.
///
/// Any number of tasks may send and receive at the same time. Each packet goes to one of the tasks that wait; a
/// task that waits again soon may get all of them. Packets that no task receives stay in the kernel's buffer,
/// except for one batch that was fetched already; those that the buffer cannot hold are lost.
///
/// A client does not know which answer belongs to which request: an answer that comes after the timeout of its
/// request is returned by the next `recv`. Put a number into your packets where that matters.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, Client};
/// use std::{net::UdpSocket, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let peer = UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::connect(peer.local_addr()?, Text).await?;
///
/// client.send(&"hello".to_owned()).await?;
/// let mut datagram = [0; 16];
/// let (len, from) = peer.recv_from(&mut datagram)?;
/// assert_eq!(&datagram[..len], b"hello");
///
/// peer.send_to(b"hello to you", from)?;
/// assert_eq!(client.recv_timeout(Duration::from_secs(5)).await?, "hello to you");
/// # Ok(())
/// # }
/// ```
pub struct Client<P> {
    pub(super) shared: Arc<Shared<P>>,
}

impl<P: DatagramProtocol> Client<P> {
    pub(super) fn new(link: Link, protocol: P, max_datagram_size: usize) -> Self {
        Self { shared: Arc::new(Shared::new(link, protocol, max_datagram_size)) }
    }

    /// Sends `packet` to the peer.
    ///
    /// It waits while the kernel has no room. `Ok` does not mean that the datagram arrives.
    ///
    /// # Errors
    ///
    /// [`ClientSendError::Encode`] and [`ClientSendError::TooLarge`] if the packet cannot go out as a datagram,
    /// [`ClientSendError::Io`] if the kernel refuses it, [`ClientSendError::Closed`] after [`close`](Self::close). The
    /// client stays usable.
    ///
    /// If no socket is bound to the port of a peer on the same host, Linux reports that at once: each `send`
    /// fails with [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), even while other tasks send. The ICMP
    /// error of another host comes later. It is ignored, since it is about an earlier datagram; but a `send` that
    /// is in progress when it arrives may return it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the datagram was sent whole or not at all.
    pub async fn send(&self, packet: impl Borrow<P::Outgoing>) -> Result<(), ClientSendError> {
        coop::consume_budget().await;
        let mut link = self.shared.link().ok_or(ClientSendError::Closed)?;
        let encode =
            |datagram: &mut Vec<u8>| self.shared.protocol.encode(packet.borrow(), datagram);
        let datagram = Scratch::encode(link.max_len(), encode);
        let datagram = datagram.map_err(ClientSendError::of_encoding)?;
        loop {
            match link.try_send(&datagram) {
                Ok(()) => {
                    add(&self.shared.counters.sent, 1);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    add(&self.shared.counters.send_errors, 1);
                    return Err(ClientSendError::Io(error));
                }
            }
            link = self.shared.writable().await?;
        }
    }

    /// Sends `packets` to the peer, in order and with few system calls: on Linux, one call sends 64 packets of
    /// one length, which the kernel splits (GSO).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), for the first packet that fails. The packets before it were sent. If the kernel
    /// refused the packet, some of those after it may have been sent too.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some of the packets were sent, in order from the first, and each of them whole.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, Client};
    /// use std::net::UdpSocket;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let peer = UdpSocket::bind("127.0.0.1:0")?;
    /// let client = Client::connect(peer.local_addr()?, Text).await?;
    ///
    /// client.send_all((1..=3).map(|n| format!("measurement {n}"))).await?;
    ///
    /// let mut datagram = [0; 16];
    /// for expected in [b"measurement 1", b"measurement 2", b"measurement 3"] {
    ///     let len = peer.recv(&mut datagram)?;
    ///     assert_eq!(&datagram[..len], expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_all<I>(&self, packets: I) -> Result<(), ClientSendError>
    where
        I: IntoIterator<Item: Borrow<P::Outgoing>>,
    {
        let mut packets = packets.into_iter();
        let mut batch = locked(&self.shared.batches).pop().unwrap_or_default();
        loop {
            coop::consume_budget().await;
            let filled = self.shared.fill(&mut batch, &mut packets);
            let last = filled.is_err() || batch.len() < BATCH;
            if !batch.is_empty() {
                self.shared.flush(&mut batch).await?;
            }
            if last {
                // One that an error or a dropped future has left half sent is not used again.
                locked(&self.shared.batches).push(batch);
                return filled;
            }
        }
    }

    /// Receives the next packet.
    ///
    /// # Errors
    ///
    /// [`ClientRecvError::Decode`] if a datagram is not a packet, [`ClientRecvError::TooLarge`] if it is too long, [`ClientRecvError::Io`] if the socket fails: the
    /// client stays usable. [`ClientRecvError::Closed`] after [`close`](Self::close), at once.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost.
    pub async fn recv(&self) -> Result<P::Incoming, ClientRecvError> {
        self.receive(None).await
    }

    /// Receives the next packet, waiting for at most `timeout`. A packet that is there is returned even
    /// when `timeout` is zero.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`ClientRecvError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn recv_timeout(&self, timeout: Duration) -> Result<P::Incoming, ClientRecvError> {
        self.receive(Instant::now().checked_add(timeout)).await
    }

    /// Receives the next packet, waiting until `deadline` at most. Use it in a loop that skips some packets, so
    /// that these do not make it wait longer. A packet that is there is returned even when `deadline` has passed.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn recv_deadline(&self, deadline: Instant) -> Result<P::Incoming, ClientRecvError> {
        self.receive(Some(deadline)).await
    }

    /// Receives a packet that is there already, or returns `None`.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Option<Result<P::Incoming, ClientRecvError>> {
        self.shared.receive_now()
    }

    /// Closes the client and all its clones: calls that wait return `Closed` at once, and so does every later
    /// call. The socket is closed as soon as no call waits any more. Closing twice is fine.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Returns whether the client was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.link().is_none()
    }

    /// Returns what the client and its clones have counted, also after it was closed.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        self.shared.counters.read()
    }

    /// Returns the address of the client, from which its datagrams leave.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.shared.local_addr.clone()
    }

    /// Returns the address of the peer.
    #[must_use]
    pub fn peer_addr(&self) -> Addr {
        self.shared.peer_addr.clone()
    }

    /// Returns the socket, for options that [`Udp`](crate::Udp) has no setter for, or `None` if
    /// the client was closed or is on a network in memory.
    ///
    /// A socket that is lent when the client is closed stays open until it is given back.
    #[must_use]
    pub fn socket_ref(&self) -> Option<SocketRef<'_>> {
        self.shared.link()?.socket()
    }

    async fn receive(&self, until: Option<Instant>) -> Result<P::Incoming, ClientRecvError> {
        coop::consume_budget().await;
        loop {
            match self.shared.receive(until) {
                ControlFlow::Break(packet) => return packet,
                ControlFlow::Continue(wait) => wait.over().await?,
            }
        }
    }
}

impl<P> Clone for Client<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<P> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("local_addr", &self.shared.local_addr)
            .field("peer_addr", &self.shared.peer_addr)
            .finish_non_exhaustive()
    }
}
