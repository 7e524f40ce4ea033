//! The errors of sending a packet.

use std::{error::Error, fmt, io};

use super::connect::CLIENT_INSIDE_RUNTIME;
use crate::EncodeError;

/// The error of [`Peer::send`](crate::Peer::send) and [`PeerSender::send`](crate::PeerSender::send).
///
/// # Examples
///
/// Skips packets that are too large for one datagram:
///
/// ```
/// use datagrammar::{BoxError, Peer, SendError};
///
/// async fn send_all(peer: &Peer<String, String>, lines: &[String]) -> Result<(), BoxError> {
///     for line in lines {
///         match peer.send(line).await {
///             Err(SendError::TooLarge { len, max, .. }) => {
///                 eprintln!("skipped {len} bytes, the limit is {max}");
///             }
///             sent => sent?,
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The server does not serve any more, or not yet.
    Closed,
    /// The protocol could not encode the packet.
    Encode(EncodeError),
    /// The kernel refused the datagram. This happens over Unix sockets only: the peer has closed its socket
    /// ([`ConnectionRefused`](io::ErrorKind::ConnectionRefused), [`NotFound`](io::ErrorKind::NotFound)), has no
    /// name ([`InvalidInput`](io::ErrorKind::InvalidInput)), or did not read for
    /// [`Limits::idle_timeout`](crate::Limits::idle_timeout) ([`TimedOut`](io::ErrorKind::TimedOut)). Over UDP,
    /// the kernel refuses a datagram after `send` has returned.
    Io(io::Error),
    /// The address of the peer is not validated, and the [guard](crate::Guard::reply_factor) allows no more bytes to it.
    #[non_exhaustive]
    OverBudget {
        /// The length of the datagram, in bytes.
        len: usize,
        /// How many more bytes may be sent to this peer.
        left: usize,
    },
    /// The address of the peer is not validated, and the [guard](crate::Guard::reply_rate) allows no more datagrams to
    /// its address or network at the moment.
    OverRate,
    /// The datagram is longer than the transport can carry.
    #[non_exhaustive]
    TooLarge {
        /// The length of the encoded packet, in bytes.
        len: usize,
        /// The longest datagram that can be sent to this peer, in bytes: 65,507 over IPv4, 65,527 over IPv6. A
        /// Unix socket can send as much as its send buffer holds.
        max: usize,
    },
    /// The transport cannot pass file descriptors or credentials; see
    /// [`Peer::send_with_fds`](crate::Peer#method.send_with_fds).
    Unsupported,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server is not serving"),
            Self::Encode(_) => f.write_str(NOT_ENCODED),
            Self::Io(_) => f.write_str(NOT_SENT),
            Self::OverBudget { len, left } => over_budget(*len, *left, f),
            Self::OverRate => f.write_str(OVER_RATE),
            Self::TooLarge { len, max } => too_large(*len, *max, f),
            Self::Unsupported => f.write_str(UNSUPPORTED),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed
            | Self::OverBudget { .. }
            | Self::OverRate
            | Self::TooLarge { .. }
            | Self::Unsupported => None,
        }
    }
}

/// The error of [`Client::send`](crate::Client::send) and [`Client::send_all`](crate::Client::send_all).
///
/// The client stays usable after all of these except [`Closed`](Self::Closed).
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, ClientSendError, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let client = Client::connect("127.0.0.1:9000", Text).await?;
///
/// let error = client.send("x".repeat(70_000)).await.unwrap_err();
/// assert!(matches!(error, ClientSendError::TooLarge { len: 70_000, max: 65_507, .. }));
/// assert_eq!(error.to_string(), "the datagram is 70000 bytes, the limit is 65507");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientSendError {
    /// The client was closed.
    Closed,
    /// The protocol could not encode the packet.
    Encode(EncodeError),
    /// A [blocking client](crate::blocking::Client) cannot be used inside an async runtime. The closure of
    /// `tokio::task::spawn_blocking` counts as inside. Use [`Client`](crate::Client), or a thread of your
    /// own.
    InsideRuntime,
    /// The kernel refused the datagram. If your program retries, treat the datagram as lost; see
    /// [`Client`](crate::Client).
    Io(io::Error),
    /// The datagram is longer than the transport can carry.
    #[non_exhaustive]
    TooLarge {
        /// The length of the encoded packet, in bytes.
        len: usize,
        /// The longest datagram that can be sent to this peer, in bytes: 65,507 over IPv4, 65,527 over IPv6. A
        /// Unix socket can send as much as its send buffer holds.
        max: usize,
    },
    /// The transport cannot pass file descriptors or credentials; see
    /// [`Client::send_with_fds`](crate::Client#method.send_with_fds).
    Unsupported,
}

impl fmt::Display for ClientSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the client is closed"),
            Self::Encode(_) => f.write_str(NOT_ENCODED),
            Self::InsideRuntime => f.write_str(CLIENT_INSIDE_RUNTIME),
            Self::Io(_) => f.write_str(NOT_SENT),
            Self::TooLarge { len, max } => too_large(*len, *max, f),
            Self::Unsupported => f.write_str(UNSUPPORTED),
        }
    }
}

impl Error for ClientSendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed | Self::InsideRuntime | Self::TooLarge { .. } | Self::Unsupported => None,
        }
    }
}

impl SendError {
    /// Whether the guard has refused a datagram.
    pub(crate) const fn is_of_guard(&self) -> bool {
        matches!(self, Self::OverBudget { .. } | Self::OverRate)
    }
}

impl ClientSendError {
    /// Converts an error of encoding, which servers and clients have in common.
    pub(crate) fn of_encoding(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::Closed,
            SendError::Encode(error) => Self::Encode(error),
            SendError::Io(error) => Self::Io(error),
            // Clients have no guard.
            SendError::OverBudget { .. } | SendError::OverRate => Self::Unsupported,
            SendError::Unsupported => Self::Unsupported,
            SendError::TooLarge { len, max } => Self::TooLarge { len, max },
        }
    }
}

pub(super) const NOT_ENCODED: &str = "the packet could not be encoded";
pub(super) const NOT_SENT: &str = "the socket could not send";
const UNSUPPORTED: &str = "this needs a Unix socket with `fd_passing(true)` to pass descriptors, \
     or Linux to pass credentials";

pub(super) const OVER_RATE: &str = "the address of the peer is not validated, and the guard allows no more replies to its network now";

pub(super) fn over_budget(len: usize, left: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "the datagram is {len} bytes, and the guard allows {left} bytes more to a peer whose address is not validated"
    )
}

pub(super) fn too_large(len: usize, max: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "the datagram is {len} bytes, the limit is {max}")
}
