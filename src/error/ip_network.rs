//! The error of a network of IP addresses.

use std::{error::Error, fmt, net::AddrParseError};

/// The error of text or numbers that are no [`IpNetwork`](crate::IpNetwork).
///
/// # Examples
///
/// ```
/// use datagrammar::{IpNetwork, IpNetworkError};
///
/// let error = "10.0.0.0/64".parse::<IpNetwork>().unwrap_err();
/// assert!(matches!(error, IpNetworkError::PrefixLen { len: 64, max: 32, .. }));
/// assert_eq!(error.to_string(), "prefix length is 64, limit is 32");
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IpNetworkError {
    /// What is before the slash is no IP address.
    Addr(AddrParseError),
    /// What is behind the slash is no number of up to 255.
    NoPrefixLen,
    /// The prefix is longer than the address.
    #[non_exhaustive]
    PrefixLen {
        /// The length of the prefix, in bits.
        len: u8,
        /// The length of the address, in bits.
        max: u8,
    },
    /// The address has bits behind its prefix: `10.1.2.3/8`. So it is not clear whether it stands for one address, which
    /// has no prefix, or for the network `10.0.0.0/8`.
    #[non_exhaustive]
    HostBits {
        /// The length of the prefix, in bits; of an IPv4-mapped network, that of its IPv4 network.
        prefix_len: u8,
    },
}

impl fmt::Display for IpNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(_) => f.write_str("invalid IP address"),
            Self::NoPrefixLen => f.write_str("invalid prefix length"),
            Self::PrefixLen { len, max } => write!(f, "prefix length is {len}, limit is {max}"),
            Self::HostBits { prefix_len } => {
                write!(f, "bits are set behind the prefix of {prefix_len}")
            }
        }
    }
}

impl Error for IpNetworkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Addr(error) => Some(error),
            _ => None,
        }
    }
}
