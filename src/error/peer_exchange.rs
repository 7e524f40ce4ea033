//! The error of an exchange of a handler with its peer.

use std::{error::Error, fmt, io, time::Duration};

use super::{
    recv::NOT_A_PACKET,
    send::{NOT_ENCODED, NOT_SENT, OVER_RATE, over_budget, too_large},
};
use crate::{DecodeError, EncodeError, RecvError, SendError, exchange::TimedOut};

/// The error of [`Peer::exchange`](crate::Peer::exchange).
///
/// None of these ends the conversation. If the handler returns one, it is treated as the same error of `recv`:
/// `Closed` is not logged, `TimedOut` is counted in [`idle_timeouts`](crate::ServerStats::idle_timeouts) and not
/// logged, and `Decode` is logged at DEBUG.
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Peer, PeerExchangeError};
///
/// async fn confirmed(peer: &mut Peer<String, String>) -> Result<bool, BoxError> {
///     match peer.exchange("sure?".to_owned()).await {
///         Ok(answer) => Ok(answer == "yes"),
///         Err(PeerExchangeError::TimedOut { .. }) => Ok(false),
///         Err(error) => Err(error.into()),
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum PeerExchangeError {
    /// The server is shutting down, so no more packets are received.
    Closed,
    /// A datagram came that is not a packet of the protocol. It is consumed.
    Decode(DecodeError),
    /// The protocol could not encode the packet.
    Encode(EncodeError),
    /// The kernel refused the datagram. This happens over Unix sockets only; see [`SendError::Io`].
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
    /// No packet came in time.
    #[non_exhaustive]
    TimedOut {
        /// How many datagrams were sent.
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
}

impl PeerExchangeError {
    pub(crate) const fn timed_out(TimedOut { attempts, elapsed }: TimedOut) -> Self {
        Self::TimedOut { attempts, elapsed }
    }

    /// Whether the guard has refused a datagram.
    pub(crate) const fn is_of_guard(&self) -> bool {
        matches!(self, Self::OverBudget { .. } | Self::OverRate)
    }

    /// The error of an exchange whose packet could not be sent.
    pub(crate) fn not_sent(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::Closed,
            SendError::Encode(error) => Self::Encode(error),
            SendError::Io(error) => Self::Io(error),
            SendError::OverBudget { len, left } => Self::OverBudget { len, left },
            SendError::OverRate => Self::OverRate,
            SendError::TooLarge { len, max } => Self::TooLarge { len, max },
            SendError::Unsupported => Self::Io(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl fmt::Display for PeerExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => RecvError::Closed.fmt(f),
            Self::Decode(_) => f.write_str(NOT_A_PACKET),
            Self::Encode(_) => f.write_str(NOT_ENCODED),
            Self::Io(_) => f.write_str(NOT_SENT),
            Self::OverBudget { len, left } => over_budget(*len, *left, f),
            Self::OverRate => f.write_str(OVER_RATE),
            Self::TimedOut { attempts, elapsed } => no_answer(*attempts, *elapsed, f),
            Self::TooLarge { len, max } => too_large(*len, *max, f),
        }
    }
}

impl Error for PeerExchangeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed
            | Self::OverBudget { .. }
            | Self::OverRate
            | Self::TimedOut { .. }
            | Self::TooLarge { .. } => None,
        }
    }
}

pub(super) fn no_answer(
    attempts: u32,
    elapsed: Duration,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "the peer did not answer in {elapsed:.1?}, datagrams sent: {attempts}")
}
