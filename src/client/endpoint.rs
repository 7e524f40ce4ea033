//! A connected client.

use std::{borrow::Borrow, fmt, io, ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{task::coop, time::Instant};

use super::{
    link::Link,
    shared::{RecvDetails, Shared},
};
#[cfg(doc)]
use crate::Connect;
use crate::{
    Addr, ClientRecvError, ClientSendError, ClientStats, DatagramProtocol, SocketRef, lock::locked,
    transport::BATCH,
};

/// A client that exchanges typed packets with one peer, over UDP, Unix sockets and other [transports](Connect).
///
/// It is cheap to clone. Clones share one socket. The socket is closed by [`close`](Self::close), or when the
/// last clone is dropped.
///
/// # Requests, responses and retries
///
/// A client does not match responses with requests: `recv` returns packets in the order of arrival. So a late
/// response looks like the response to the next request. Two others do more:
///
/// - [`RequestClient`](crate::RequestClient) matches and repeats requests. It needs ids in the packets, which
///   [`Tagged`](crate::Tagged) adds.
/// - [`exchange`](Self::exchange) of this type is for protocols without ids, such as TFTP: it repeats a packet until
///   the next packet of the peer arrives, whatever that is.
///
/// [The cookbook](crate::_documentation::cookbook#retries) has the loop by hand, for a protocol whose packets have
/// numbers of their own.
///
/// A program that retries must treat [`ClientSendError::Io`] as a lost datagram, and must not stop because of
/// it. Usually its kind is [`ConnectionRefused`](io::ErrorKind::ConnectionRefused): no server runs at that
/// address yet, or it is restarting. Over a Unix socket it can also be [`NotFound`](io::ErrorKind::NotFound), and
/// once a new server is bound to the same path, `send` connects to that one.
///
/// # Several tasks
///
/// Any number of tasks may send and receive at the same time. Each packet goes to one of the waiting tasks.
/// The tasks do not take turns: one that calls `recv` again at once may get all packets. Packets that no task
/// receives stay in the kernel's buffer, except for one batch that the client has fetched already. When the
/// buffer is full, further packets are lost. Over a Unix socket none is lost: the server waits.
///
/// # Programs without async
///
/// Use [`blocking::Client`](crate::blocking::Client) (feature `blocking`), which needs no runtime.
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
#[doc(alias = "UdpFramed")]
#[doc(alias = "UdpSocket")]
pub struct Client<P> {
    pub(super) shared: Arc<Shared<P>>,
}

impl<P: DatagramProtocol> Client<P> {
    pub(super) fn new(
        link: Link,
        protocol: P,
        max_datagram_size: usize,
        has_envelope: bool,
    ) -> Self {
        Self { shared: Arc::new(Shared::new(link, protocol, max_datagram_size, has_envelope)) }
    }

    /// Sends `packet`, or a reference to one, to the peer.
    ///
    /// It waits while the kernel's send buffer is full. `Ok` does not mean that the datagram arrives. Over a Unix
    /// socket it waits while the server does not read, without a timeout, and `Ok` means that the datagram is in
    /// the queue of the server.
    ///
    /// # Errors
    ///
    /// After all of these errors except `Closed` the client stays usable.
    ///
    /// - [`ClientSendError::Encode`] if the protocol cannot encode the packet.
    /// - [`ClientSendError::TooLarge`] if the datagram is longer than the transport can carry.
    /// - [`ClientSendError::Io`] if the kernel refuses the datagram.
    /// - [`ClientSendError::Closed`] after [`close`](Self::close).
    ///
    /// If the peer is on the same host and no socket is bound to its port, Linux reports that at once. Then
    /// each `send` fails with the `Io` error [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), also
    /// when several tasks send. If the peer is on another host, its ICMP error comes later and is ignored,
    /// because it is about an earlier datagram. Only a `send` in progress at that moment may return it. A
    /// program that retries treats an `Io` error as a lost datagram.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the whole datagram was sent, or nothing.
    pub async fn send(&self, packet: impl Borrow<P::Outgoing>) -> Result<(), ClientSendError> {
        self.send_by(packet, Link::try_send).await
    }

    /// Encodes `packet` and sends it with `try_send`, as soon as there is room.
    pub(super) async fn send_by(
        &self,
        packet: impl Borrow<P::Outgoing>,
        try_send: impl Fn(&Link, &[u8]) -> io::Result<()>,
    ) -> Result<(), ClientSendError> {
        coop::consume_budget().await;
        let link = self.shared.link().ok_or(ClientSendError::Closed)?;
        let mut datagram = self.shared.encode(&link, packet.borrow())?;
        self.shared.send(link, &mut datagram, try_send).await
    }

    /// Sends `packets` to the peer, in order and with few system calls. On Linux, one call sends up to 64
    /// packets of the same length, and the kernel splits them (GSO).
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), for the first packet that fails. The packets before it were sent.
    /// If the kernel refused that packet, some of the packets after it may have been sent too.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some packets were sent, from the first on and each of them whole; the rest
    /// were not.
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
                // A batch that is half sent, after an error or because the future was dropped, is not used
                // again.
                locked(&self.shared.batches).push(batch);
                return filled;
            }
        }
    }

    /// Receives the next packet. It waits without a timeout; see [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Errors
    ///
    /// After all of these errors except `Closed` the client stays usable.
    ///
    /// - [`ClientRecvError::Decode`] if a datagram is not a packet of the protocol.
    /// - [`ClientRecvError::TooLarge`] if a datagram is longer than
    ///   [`max_datagram_size`](crate::ClientBuilder::max_datagram_size).
    /// - [`ClientRecvError::Io`] if the socket fails.
    /// - [`ClientRecvError::Closed`] after [`close`](Self::close), at once.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no packet is lost.
    pub async fn recv(&self) -> Result<P::Incoming, ClientRecvError> {
        self.receive(None, &mut RecvDetails::default()).await
    }

    /// Receives the next packet, and waits for at most `timeout`. A packet that has arrived already is
    /// returned even if `timeout` is zero.
    ///
    /// # Errors
    ///
    /// The errors of [`recv`](Self::recv), and [`ClientRecvError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    #[doc(alias = "timeout")]
    pub async fn recv_timeout(&self, timeout: Duration) -> Result<P::Incoming, ClientRecvError> {
        self.receive(Instant::now().checked_add(timeout), &mut RecvDetails::default()).await
    }

    /// Receives the next packet, and waits until `deadline` at most. Use it in a loop that skips some
    /// packets: the packets that it skips do not make it wait longer. A packet that has arrived already is
    /// returned even if `deadline` has passed.
    ///
    /// # Errors
    ///
    /// The errors of [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Cancel safety
    ///
    /// The same as [`recv`](Self::recv).
    #[doc(alias = "timeout")]
    pub async fn recv_deadline(&self, deadline: Instant) -> Result<P::Incoming, ClientRecvError> {
        self.receive(Some(deadline), &mut RecvDetails::default()).await
    }

    /// Returns a packet that has arrived already, or `None` if there is none. It does not wait.
    ///
    /// # Errors
    ///
    /// The same as [`recv`](Self::recv).
    #[must_use = "dropping the packet loses it"]
    pub fn try_recv(&self) -> Option<Result<P::Incoming, ClientRecvError>> {
        self.shared.receive_now()
    }

    /// Closes the client and all its clones. Calls that wait return `Closed` at once, and so does every later
    /// call. The socket is closed as soon as no call waits any more. A second `close` has no effect.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Returns whether the client was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.link().is_none()
    }

    /// Returns the counters of the client and its clones. It works after [`close`](Self::close) too.
    #[doc(alias = "counters")]
    #[doc(alias = "metrics")]
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        self.shared.counters.read()
    }

    /// Returns the local address, from which this client sends.
    #[must_use]
    pub fn local_addr(&self) -> Addr {
        self.shared.local_addr.clone()
    }

    /// Returns the address of the peer.
    #[must_use]
    pub fn peer_addr(&self) -> Addr {
        self.shared.peer_addr.clone()
    }

    /// Returns the socket, to set options for which [`Udp`](crate::Udp) has no setter. Returns `None` if the
    /// client is closed or uses a network in memory.
    ///
    /// If the client is closed while a [`SocketRef`] exists, the socket stays open until the `SocketRef` is
    /// dropped.
    #[must_use]
    pub fn socket_ref(&self) -> Option<SocketRef<'_>> {
        self.shared.link()?.socket()
    }

    /// Receives the next packet until `until`. Afterwards `details` has what it learned besides the packet.
    pub(super) async fn receive(
        &self,
        until: Option<Instant>,
        details: &mut RecvDetails,
    ) -> Result<P::Incoming, ClientRecvError> {
        coop::consume_budget().await;
        loop {
            match self.shared.receive(until, details) {
                ControlFlow::Break(packet) => return packet,
                ControlFlow::Continue(wait) => wait.over().await?,
            }
            details.waited = true;
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
