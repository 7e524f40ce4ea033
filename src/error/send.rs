//! Why a packet was not sent.

use std::{error::Error, fmt, io};

use crate::EncodeError;

/// Why [`Peer::send`](crate::Peer::send) or [`PeerSender::send`](crate::PeerSender::send) did not send a
/// packet.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The server is not serving any more, or not yet.
    Closed,
    /// The protocol could not encode the packet.
    Encode(EncodeError),
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
            Self::Closed => f.write_str("the server is not serving"),
            Self::Encode(_) => f.write_str(NOT_ENCODED),
            Self::TooLarge { len, max } => too_large(*len, *max, f),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Closed | Self::TooLarge { .. } => None,
        }
    }
}

/// Why [`Client::send`](crate::Client::send) did not send a packet.
///
/// The client stays usable, unless it is [`Closed`](Self::Closed).
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientSendError {
    /// The client was closed.
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

impl fmt::Display for ClientSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the client is closed"),
            Self::Encode(_) => f.write_str(NOT_ENCODED),
            Self::Io(_) => f.write_str("the socket could not send"),
            Self::TooLarge { len, max } => too_large(*len, *max, f),
        }
    }
}

impl Error for ClientSendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed | Self::TooLarge { .. } => None,
        }
    }
}

impl ClientSendError {
    /// What encoding found wrong, in which both endpoints are alike.
    pub(crate) fn of_encoding(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::Closed,
            SendError::Encode(error) => Self::Encode(error),
            SendError::TooLarge { len, max } => Self::TooLarge { len, max },
        }
    }
}

const NOT_ENCODED: &str = "the packet could not be encoded";

fn too_large(len: usize, max: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "the datagram is {len} bytes, the limit is {max}")
}
