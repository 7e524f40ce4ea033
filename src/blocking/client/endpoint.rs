//! A connected client for programs without async.

use std::{
    borrow::Borrow,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    link::Link,
    shared::{RecvDetails, Shared},
};
use crate::{
    Addr, ClientRecvError, ClientSendError, ClientStats, DatagramProtocol, SocketRef,
    blocking::block_on::is_inside_runtime,
};

/// A client that exchanges typed packets with one peer, for programs without async.
///
/// It is cheap to clone. Clones share one UDP or Unix socket, without a thread or a runtime. The socket is
/// closed by [`close`](Self::close), or when the last clone is dropped.
///
/// It does not match responses with requests; see
/// [`datagrammar::Client`](crate::Client#requests-responses-and-retries), which also says how to treat errors
/// of `send`, and when to take [`exchange`](Self::exchange) or a
/// [`RequestClient`](crate::blocking::RequestClient) instead.
///
/// # Several threads
///
/// Any number of threads may send and receive at the same time, and `close` ends the calls that wait. Each
/// packet goes to one of the waiting threads. Packets that no thread receives stay in the kernel's buffer.
/// When it is full, further packets are lost.
///
/// # Inside an async runtime
///
/// A program with async uses [`datagrammar::Client`](crate::Client). Inside a runtime, `connect` and the
/// calls that may wait return an `InsideRuntime` error, because they would block the thread of other tasks.
/// The closure of `tokio::task::spawn_blocking` counts as inside. A thread of `std::thread::spawn` does not,
/// and neither does a function in [`blocking::handler`](crate::blocking::handler).
///
/// # Systems
///
/// On Unix systems a call that waits sleeps in `poll`, and returns at once when a datagram arrives or another
/// thread calls `close`. On Windows it asks the socket again every millisecond.
///
/// If you keep a clone of your own socket (`try_clone`), know that `close` shuts the socket down while a call
/// waits. Then the clone sends and receives nothing any more.
///
/// # Examples
///
/// ```
/// use datagrammar::{Text, blocking::Client};
/// use std::{net::UdpSocket, time::Duration};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let peer = UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::connect(peer.local_addr()?, Text)?;
///
/// client.send("hello".to_owned())?;
/// let mut datagram = [0; 16];
/// let (len, from) = peer.recv_from(&mut datagram)?;
/// assert_eq!(&datagram[..len], b"hello");
///
/// peer.send_to(b"hello to you", from)?;
/// assert_eq!(client.recv_timeout(Duration::from_secs(5))?, "hello to you");
/// # Ok(())
/// # }
/// ```
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
    /// It waits while the kernel's send buffer is full. `Ok` does not mean that the datagram arrives.
    ///
    /// # Errors
    ///
    /// The errors of [`datagrammar::Client::send`](crate::Client::send), and
    /// [`ClientSendError::InsideRuntime`] inside an async runtime. After all of these except
    /// [`Closed`](ClientSendError::Closed) the client stays usable.
    pub fn send(&self, packet: impl Borrow<P::Outgoing>) -> Result<(), ClientSendError> {
        if is_inside_runtime() {
            return Err(ClientSendError::InsideRuntime);
        }
        self.shared.send(packet.borrow())
    }

    /// Sends `packets` to the peer, in order.
    ///
    /// # Errors
    ///
    /// The errors of [`send`](Self::send), for the first packet that fails. The packets before it were sent,
    /// and those after it were not.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Text, blocking::Client};
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let peer = UdpSocket::bind("127.0.0.1:0")?;
    /// let client = Client::connect(peer.local_addr()?, Text)?;
    ///
    /// client.send_all((1..=3).map(|n| format!("measurement {n}")))?;
    ///
    /// let mut datagram = [0; 16];
    /// for expected in [b"measurement 1", b"measurement 2", b"measurement 3"] {
    ///     let len = peer.recv(&mut datagram)?;
    ///     assert_eq!(&datagram[..len], expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_all<I>(&self, packets: I) -> Result<(), ClientSendError>
    where
        I: IntoIterator<Item: Borrow<P::Outgoing>>,
    {
        if is_inside_runtime() {
            return Err(ClientSendError::InsideRuntime);
        }
        self.shared.send_all(packets)
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
    /// - [`ClientRecvError::InsideRuntime`] inside an async runtime.
    pub fn recv(&self) -> Result<P::Incoming, ClientRecvError> {
        self.receive(None)
    }

    /// Receives the next packet, and waits for at most `timeout`. A packet that has arrived already is
    /// returned even if `timeout` is zero.
    ///
    /// # Errors
    ///
    /// The errors of [`recv`](Self::recv), and [`ClientRecvError::TimedOut`].
    #[doc(alias = "timeout")]
    #[doc(alias = "set_read_timeout")]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<P::Incoming, ClientRecvError> {
        self.receive(Instant::now().checked_add(timeout))
    }

    /// Receives the next packet, and waits until `deadline` at most. Use it in a loop that skips some
    /// packets: the packets that it skips do not make it wait longer. A packet that has arrived already is
    /// returned even if `deadline` has passed.
    ///
    /// # Errors
    ///
    /// The errors of [`recv_timeout`](Self::recv_timeout).
    #[doc(alias = "timeout")]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<P::Incoming, ClientRecvError> {
        self.receive(Some(deadline))
    }

    /// Returns a packet that has arrived already, or `None` if there is none. It does not wait.
    ///
    /// # Errors
    ///
    /// The same as [`recv`](Self::recv), except that it can be called inside an async runtime.
    #[must_use = "dropping the packet loses it"]
    pub fn try_recv(&self) -> Option<Result<P::Incoming, ClientRecvError>> {
        self.shared.receive_now()
    }

    /// Closes the client and all its clones. Calls that wait on other threads return `Closed` at once, and so
    /// does every later call. The socket is closed as soon as no call waits any more. A second `close` has no
    /// effect.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Returns whether the client was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
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
    /// client is closed.
    ///
    /// If the client is closed while a [`SocketRef`] exists, the socket stays open until the `SocketRef` is
    /// dropped.
    #[must_use]
    pub fn socket_ref(&self) -> Option<SocketRef<'_>> {
        Some(self.shared.link()?.socket())
    }

    pub(super) fn receive(
        &self,
        deadline: Option<Instant>,
    ) -> Result<P::Incoming, ClientRecvError> {
        if is_inside_runtime() {
            return Err(ClientRecvError::InsideRuntime);
        }
        self.shared.receive(deadline, &mut RecvDetails::default())
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
