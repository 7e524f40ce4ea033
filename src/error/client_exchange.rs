//! The error of an exchange of a client.

use std::{error::Error, fmt, io, time::Duration};

use super::{
    connect::CLIENT_INSIDE_RUNTIME,
    peer_exchange::no_answer,
    recv::{NOT_A_PACKET, NOT_RECEIVED},
    send::{NOT_ENCODED, too_large},
};
use crate::{ClientRecvError, ClientSendError, DecodeError, EncodeError, exchange::TimedOut};

/// The error of [`Client::exchange`](crate::Client::exchange). Not to be confused with
/// [`RequestError`](crate::RequestError), the error of a [`RequestClient`](crate::RequestClient).
///
/// The client stays usable after all of these except [`Closed`](Self::Closed).
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, ClientExchangeError, Text};
///
/// async fn is_up(client: &Client<Text>) -> Result<bool, ClientExchangeError> {
///     match client.exchange("ping".to_owned()).await {
///         Ok(answer) => Ok(answer == "pong"),
///         Err(ClientExchangeError::TimedOut { .. } | ClientExchangeError::Unreachable(_)) => Ok(false),
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientExchangeError {
    /// The client was closed.
    Closed,
    /// A datagram came that is not a packet of the protocol. It is consumed.
    Decode(DecodeError),
    /// The protocol could not encode the packet.
    Encode(EncodeError),
    /// A [blocking client](crate::blocking::Client) cannot be used inside an async runtime. Use
    /// [`Client`](crate::Client), or a thread of your own.
    InsideRuntime,
    /// The socket could not receive.
    Io(io::Error),
    /// A datagram came that is longer than [`max_datagram_size`](crate::ClientBuilder::max_datagram_size). It is
    /// consumed.
    #[non_exhaustive]
    ReceivedTooLarge {
        /// The length of the longest datagram that the client receives, in bytes.
        max: usize,
    },
    /// No packet came in time.
    #[non_exhaustive]
    TimedOut {
        /// How many datagrams were sent. It is 0 if another exchange of the client took all the time.
        attempts: u32,
        /// How long the exchange lasted.
        elapsed: Duration,
    },
    /// The datagram is longer than the transport can carry.
    #[non_exhaustive]
    TooLarge {
        /// The length of the encoded packet, in bytes.
        len: usize,
        /// The longest datagram that can be sent to this peer, in bytes.
        max: usize,
    },
    /// No packet came in time, and the kernel has refused each datagram. The error is the last one. It is
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if no program runs at an address of this host, and another
    /// one if there is no route. A datagram to another host is not refused, since its answer comes later.
    Unreachable(io::Error),
}

impl ClientExchangeError {
    pub(crate) const fn timed_out(TimedOut { attempts, elapsed }: TimedOut) -> Self {
        Self::TimedOut { attempts, elapsed }
    }

    /// The error of an exchange whose packet could not be sent.
    pub(crate) fn not_sent(error: ClientSendError) -> Self {
        match error {
            ClientSendError::Closed => Self::Closed,
            ClientSendError::Encode(error) => Self::Encode(error),
            ClientSendError::InsideRuntime => Self::InsideRuntime,
            ClientSendError::Io(error) => Self::Unreachable(error),
            ClientSendError::TooLarge { len, max } => Self::TooLarge { len, max },
            ClientSendError::Unsupported => Self::Unreachable(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The error of an exchange that could not receive, or `None` if the timer has expired.
    pub(crate) fn not_received(error: ClientRecvError) -> Option<Self> {
        Some(match error {
            ClientRecvError::TimedOut => return None,
            ClientRecvError::Closed => Self::Closed,
            ClientRecvError::Decode(error) => Self::Decode(error),
            ClientRecvError::InsideRuntime => Self::InsideRuntime,
            ClientRecvError::Io(error) => Self::Io(error),
            ClientRecvError::TooLarge { max } => Self::ReceivedTooLarge { max },
            error => Self::Io(io::Error::other(error)),
        })
    }
}

impl fmt::Display for ClientExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => ClientRecvError::Closed.fmt(f),
            Self::Decode(_) => f.write_str(NOT_A_PACKET),
            Self::Encode(_) => f.write_str(NOT_ENCODED),
            Self::InsideRuntime => f.write_str(CLIENT_INSIDE_RUNTIME),
            Self::Io(_) => f.write_str(NOT_RECEIVED),
            Self::ReceivedTooLarge { max } => ClientRecvError::TooLarge { max: *max }.fmt(f),
            Self::TimedOut { attempts, elapsed } => no_answer(*attempts, *elapsed, f),
            Self::TooLarge { len, max } => too_large(*len, *max, f),
            Self::Unreachable(_) => f.write_str("the peer cannot be reached"),
        }
    }
}

impl Error for ClientExchangeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::Io(error) | Self::Unreachable(error) => Some(error),
            Self::Closed
            | Self::InsideRuntime
            | Self::ReceivedTooLarge { .. }
            | Self::TimedOut { .. }
            | Self::TooLarge { .. } => None,
        }
    }
}
