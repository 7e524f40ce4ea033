//! Why a `recv` returned no packet.

use std::{error::Error, fmt, io};

use crate::DecodeError;

/// Why [`Peer::recv`](crate::Peer::recv) returned no packet.
///
/// None of these ends the conversation by itself: a handler may answer and `recv` again.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// The server is shutting down: no packet comes any more.
    Closed,
    /// A datagram came that is not a packet of the protocol. It is consumed; the next `recv` returns
    /// what came after it.
    Decode(DecodeError),
    /// The peer was silent for longer than [`Limits::idle_timeout`](crate::Limits::idle_timeout) allows.
    Idle,
    /// The timeout of the call passed without a packet.
    TimedOut,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the server is shutting down",
            Self::Decode(_) => NOT_A_PACKET,
            Self::Idle => "the peer was silent for longer than the idle timeout",
            Self::TimedOut => TIMED_OUT,
        })
    }
}

impl Error for RecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Closed | Self::Idle | Self::TimedOut => None,
        }
    }
}

/// Why [`Client::recv`](crate::Client::recv) returned no packet.
///
/// The client stays usable, unless it is [`Closed`](Self::Closed).
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientRecvError {
    /// The client was closed: no packet comes any more.
    Closed,
    /// A datagram came that is not a packet of the protocol. It is consumed; the next `recv` returns
    /// what came after it.
    Decode(DecodeError),
    /// The socket failed.
    Io(io::Error),
    /// The timeout of the call passed without a packet.
    TimedOut,
    /// A datagram came that is longer than
    /// [`max_datagram_size`](crate::ClientBuilder::max_datagram_size), or of which the kernel lost a part. It
    /// is consumed.
    #[non_exhaustive]
    TooLarge {
        /// The length of the longest datagram that the client receives, in bytes.
        max: usize,
    },
}

impl fmt::Display for ClientRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the client is closed",
            Self::Decode(_) => NOT_A_PACKET,
            Self::Io(_) => "the socket could not receive",
            Self::TimedOut => TIMED_OUT,
            Self::TooLarge { max } => {
                return write!(f, "the datagram is longer than the limit of {max} bytes");
            }
        })
    }
}

impl Error for ClientRecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed | Self::TimedOut | Self::TooLarge { .. } => None,
        }
    }
}

const NOT_A_PACKET: &str = "the datagram is not a packet of the protocol";
const TIMED_OUT: &str = "no packet came within the timeout";
