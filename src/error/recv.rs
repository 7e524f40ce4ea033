//! The errors of receiving a packet.

use std::{error::Error, fmt, io};

use super::connect::CLIENT_INSIDE_RUNTIME;
use crate::DecodeError;

/// The error of [`Peer::recv`](crate::Peer::recv) and the other receiving methods of a [`Peer`](crate::Peer).
///
/// None of these ends the conversation: the handler may answer, and call `recv` again. It ends the
/// conversation by returning. See [`Handler::handle`](crate::Handler::handle) for the errors that are logged
/// then.
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Handler, Peer, RecvError};
///
/// struct Echo;
///
/// impl Handler<String, String> for Echo {
///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
///         loop {
///             match peer.recv().await {
///                 Ok(text) => peer.send(text).await?,
///                 Err(RecvError::Idle | RecvError::Closed) => {
///                     return Ok(peer.send("goodbye".to_owned()).await?);
///                 }
///                 Err(error) => return Err(error.into()),
///             }
///         }
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The server is shutting down, so no more packets are received.
    Closed,
    /// A datagram came that is not a packet of the protocol. It is consumed, and the next `recv` returns
    /// the next datagram.
    Decode(DecodeError),
    /// The peer was silent for longer than [`Limits::idle_timeout`](crate::Limits::idle_timeout) allows.
    Idle,
    /// No packet came within the timeout of the call, or before its deadline.
    TimedOut,
    /// The peer has passed more file descriptors than were received, so they were closed. The datagram is
    /// consumed. Only `recv_with_fds` returns this; see
    /// [`Unix::ancillary_buffer_size`](crate::Unix::ancillary_buffer_size).
    AncillaryTruncated,
    /// The transport cannot receive file descriptors, so nothing was received. Only `recv_with_fds` returns
    /// this.
    Unsupported,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the server is shutting down",
            Self::Decode(_) => NOT_A_PACKET,
            Self::Idle => "the peer was silent for longer than the idle timeout",
            Self::TimedOut => TIMED_OUT,
            Self::AncillaryTruncated => TRUNCATED,
            Self::Unsupported => UNSUPPORTED,
        })
    }
}

impl Error for RecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Closed
            | Self::Idle
            | Self::TimedOut
            | Self::AncillaryTruncated
            | Self::Unsupported => None,
        }
    }
}

/// The error of [`Client::recv`](crate::Client::recv) and the other receiving methods of a
/// [`Client`](crate::Client).
///
/// The client stays usable after all of these except [`Closed`](Self::Closed).
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, ClientRecvError, Text};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let silent = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::connect(silent.local_addr()?, Text).await?;
///
/// let error = client.recv_timeout(Duration::from_millis(1)).await.unwrap_err();
/// assert!(matches!(error, ClientRecvError::TimedOut));
/// client.close();
/// assert!(matches!(client.recv().await, Err(ClientRecvError::Closed)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientRecvError {
    /// The client was closed, so no more packets are received.
    Closed,
    /// A datagram came that is not a packet of the protocol. It is consumed, and the next `recv` returns
    /// the next datagram.
    Decode(DecodeError),
    /// A [blocking client](crate::blocking::Client) cannot be used inside an async runtime. The closure of
    /// `tokio::task::spawn_blocking` counts as inside. Use [`Client`](crate::Client), or a thread of your
    /// own.
    InsideRuntime,
    /// The socket failed.
    Io(io::Error),
    /// No packet came within the timeout of the call, or before its deadline.
    TimedOut,
    /// A datagram came that is longer than [`max_datagram_size`](crate::ClientBuilder::max_datagram_size), or
    /// whose end the kernel has cut off. It is consumed.
    #[non_exhaustive]
    TooLarge {
        /// The length of the longest datagram that the client receives, in bytes.
        max: usize,
    },
    /// The peer has passed more file descriptors than were received, so they were closed. The datagram is
    /// consumed. Only `recv_with_fds` returns this.
    AncillaryTruncated,
    /// The transport cannot receive file descriptors, so nothing was received. Only `recv_with_fds` returns
    /// this.
    Unsupported,
}

impl fmt::Display for ClientRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the client is closed",
            Self::Decode(_) => NOT_A_PACKET,
            Self::InsideRuntime => CLIENT_INSIDE_RUNTIME,
            Self::Io(_) => NOT_RECEIVED,
            Self::TimedOut => TIMED_OUT,
            Self::TooLarge { max } => {
                return write!(f, "the datagram is longer than the limit of {max} bytes");
            }
            Self::AncillaryTruncated => TRUNCATED,
            Self::Unsupported => UNSUPPORTED,
        })
    }
}

impl Error for ClientRecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed
            | Self::InsideRuntime
            | Self::TimedOut
            | Self::TooLarge { .. }
            | Self::AncillaryTruncated
            | Self::Unsupported => None,
        }
    }
}

pub(super) const NOT_A_PACKET: &str = "the datagram is not a packet of the protocol";
pub(super) const NOT_RECEIVED: &str = "the socket could not receive";
const TIMED_OUT: &str = "no packet came within the timeout";
const TRUNCATED: &str = "some of the passed file descriptors were lost, and the others were closed";
const UNSUPPORTED: &str = "this needs a Unix socket with `fd_passing(true)`";
