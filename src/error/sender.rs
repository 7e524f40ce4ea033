//! Why there is no sender to a peer.

use std::{error::Error, fmt};

/// Why [`ServerHandle::sender`](crate::ServerHandle::sender) returned no sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderError {
    /// The server was dropped.
    Closed,
    /// The server sends packets of another type.
    OtherPackets,
    /// No socket of the server has an address of the peer's family, or nobody can be at the address: it has no
    /// port, or is the unspecified one.
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
