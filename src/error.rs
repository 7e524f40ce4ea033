use std::{error::Error, fmt, io};

use crate::{BoxError, DecodeError, EncodeError};

/// Why a `recv` returned no packet.
///
/// None of these ends the conversation by itself: a handler may answer and `recv` again.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecvError {
    /// Serving has ended, or the client was closed: no packet comes any more.
    Closed,
    /// A datagram came that is not a packet of the protocol. It is consumed; the next `recv` returns
    /// what came after it.
    Decode(DecodeError),
    /// The peer was silent for longer than [`Limits::idle_timeout`](crate::Limits::idle_timeout) allows.
    Idle,
    /// The socket failed.
    Io(io::Error),
    /// The timeout that was asked for passed without a packet.
    TimedOut,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the endpoint is closed",
            Self::Decode(_) => "the datagram is not a packet of the protocol",
            Self::Idle => "the peer was silent for longer than the idle limit",
            Self::Io(_) => "the socket could not receive",
            Self::TimedOut => "no packet came within the timeout",
        })
    }
}

impl Error for RecvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed | Self::Idle | Self::TimedOut => None,
        }
    }
}

/// Why a packet was not sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// Serving has ended, or the client was closed.
    Closed,
    /// The protocol could not encode the packet.
    Encode(EncodeError),
    /// The kernel refused the datagram.
    Io(io::Error),
    /// The datagram is longer than the transport carries.
    #[non_exhaustive]
    TooLarge {
        /// The length of the encoded packet, in bytes.
        len: usize,
        /// The longest datagram that goes to this peer, in bytes: 65,507 over IPv4, 65,527 over IPv6.
        max: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the endpoint is closed"),
            Self::Encode(_) => f.write_str("the packet could not be encoded"),
            Self::Io(_) => f.write_str("the socket could not send"),
            Self::TooLarge { len, max } => {
                write!(f, "the datagram has {len} bytes where at most {max} can be sent")
            }
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed | Self::TooLarge { .. } => None,
        }
    }
}

/// Why a background task was not started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// Nothing is served: the task would have nobody to end it.
    Closed,
    /// As many tasks run as [`Limits::max_tasks`](crate::Limits::max_tasks) allows.
    #[non_exhaustive]
    TooMany {
        /// How many may run.
        max: usize,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the endpoint is closed"),
            Self::TooMany { max } => write!(f, "{max} background tasks run, the limit is {max}"),
        }
    }
}

impl Error for SpawnError {}

/// Why serving ended, or did not begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The server is serving already; that is not disturbed.
    AlreadyServing,
    /// [`Handler::start`](crate::Handler::start) failed with this error.
    Start(BoxError),
    /// A socket can never receive again.
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyServing => "the server is serving already",
            Self::Start(_) => "the handler could not start",
            Self::Io(_) => "a socket can never receive again",
        })
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyServing => None,
            Self::Start(error) => Some(&**error),
            Self::Io(error) => Some(error),
        }
    }
}
