//! The error of a sender that cannot be made.

use std::{error::Error, fmt};

/// The error of [`ServerHandle::sender`](crate::ServerHandle::sender).
///
/// # Examples
///
/// ```
/// use datagrammar::{Addr, SenderError, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
/// let (handle, peer) = (server.handle(), "127.0.0.1:5000".parse::<Addr>()?);
///
/// let sender = handle.sender::<u64>(&peer);
/// assert_eq!(sender.unwrap_err(), SenderError::OtherPackets);
/// let sender = handle.sender::<String>("[::1]:5000".parse::<Addr>()?);
/// assert_eq!(sender.unwrap_err(), SenderError::Unreachable);
/// drop(server);
/// assert_eq!(handle.sender::<String>(&peer).unwrap_err(), SenderError::Closed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderError {
    /// The server was dropped.
    Closed,
    /// The server sends packets of another type.
    OtherPackets,
    /// No socket of the server can send to the address: it has another family, or only one of the two is a
    /// loopback address. Or no peer can have the address: its port is 0, or it is the unspecified address.
    Unreachable,
}

impl fmt::Display for SenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the server was dropped",
            Self::OtherPackets => "the server sends packets of another type",
            Self::Unreachable => "no socket of the server can reach the address",
        })
    }
}

impl Error for SenderError {}
