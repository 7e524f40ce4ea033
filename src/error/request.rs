//! The error of a request.

use std::{error::Error, fmt, io, time::Duration};

use super::connect::CLIENT_INSIDE_RUNTIME;
use crate::{DecodeError, EncodeError};

/// The error of [`RequestClient::request`](crate::RequestClient::request).
///
/// # Examples
///
/// ```
/// use datagrammar::{RequestError, RequestClient, Tagged, Text};
///
/// async fn ask(client: &RequestClient<Tagged<Text>>) -> Result<Option<String>, RequestError> {
///     match client.request("time?".to_owned()).await {
///         Ok(time) => Ok(Some(time)),
///         Err(RequestError::TimedOut { attempts, elapsed, .. }) => {
///             eprintln!("no answer to {attempts} datagrams in {elapsed:?}");
///             Ok(None)
///         }
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// No response came in time.
    #[non_exhaustive]
    TimedOut {
        /// How many datagrams were sent.
        attempts: u32,
        /// How long the request lasted.
        elapsed: Duration,
    },
    /// No server could be reached: each attempt has failed. The error is that of the last one, such as
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when no program runs at the address.
    Unreachable(io::Error),
    /// The response is not a packet of the protocol.
    Reply(DecodeError),
    /// The protocol could not encode the request.
    Encode(EncodeError),
    /// The request is longer than the transport can carry.
    #[non_exhaustive]
    TooLarge {
        /// The length of the encoded request, in bytes.
        len: usize,
        /// The longest datagram that can be sent, in bytes.
        max: usize,
    },
    /// The server refuses the request.
    Refused,
    /// The request was to be repeated, and the [retry budget](crate::RetryBudget) was empty.
    #[non_exhaustive]
    RetryBudgetExhausted {
        /// How many datagrams were sent.
        attempts: u32,
    },
    /// The client was closed.
    Closed,
    /// A [blocking client](crate::blocking::RequestClient) cannot be used inside an async runtime. Use
    /// [`RequestClient`](crate::RequestClient), or a thread of your own.
    InsideRuntime,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { attempts, elapsed } => {
                write!(f, "no response in {elapsed:.1?}, datagrams sent: {attempts}")
            }
            Self::Unreachable(_) => f.write_str("no server can be reached"),
            Self::Reply(_) => f.write_str("the response could not be decoded"),
            Self::Encode(_) => f.write_str("the request could not be encoded"),
            Self::TooLarge { len, max } => {
                write!(f, "the request is {len} bytes long, the limit is {max}")
            }
            Self::Refused => f.write_str("the server refuses the request"),
            Self::RetryBudgetExhausted { attempts } => {
                write!(f, "the retry budget is exhausted, datagrams sent: {attempts}")
            }
            Self::Closed => f.write_str("the client is closed"),
            Self::InsideRuntime => f.write_str(CLIENT_INSIDE_RUNTIME),
        }
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable(error) => Some(error),
            Self::Reply(error) => Some(error),
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}
