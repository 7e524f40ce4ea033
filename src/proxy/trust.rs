//! Which sources may name the sender of a datagram.

use std::fmt;

use super::{Header, Invalid, IpNetwork};
use crate::Addr;

/// The networks of the proxies, and what happens to datagrams of others.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    pub(crate) networks: Vec<IpNetwork>,
    /// Whether all datagrams must come from a proxy.
    pub(crate) is_required: bool,
}

/// What is behind the header of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// How many bytes are in front of it.
    pub(crate) header: usize,
    /// Its peer, if that is not the source of the datagram.
    pub(crate) from: Option<Addr>,
}

/// Why a datagram is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It came from a proxy, with this instead of a header.
    Invalid(Invalid),
    /// It came from somebody else, and has a header.
    Untrusted,
    /// It came from somebody else.
    Direct,
}

impl TrustedProxies {
    /// Decides from whom a datagram of `source` comes.
    pub(crate) fn judge(&self, source: &Addr, datagram: &[u8]) -> Result<Payload, Refusal> {
        // A network in memory and UDP have IP addresses only.
        let Some(proxy) = source.socket_addr() else {
            return Ok(Payload { header: 0, from: None });
        };
        if !self.networks.iter().any(|network| network.contains(proxy.ip())) {
            return match (Header::is_at(datagram), self.is_required) {
                (true, _) => Err(Refusal::Untrusted),
                (false, true) => Err(Refusal::Direct),
                (false, false) => Ok(Payload { header: 0, from: None }),
            };
        }
        let Header { len, client } = Header::read(datagram).map_err(Refusal::Invalid)?;
        let from = client.map(|client| Addr::proxied(client, proxy));
        Ok(Payload { header: len, from })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => write!(f, "{invalid} from a trusted proxy"),
            Self::Untrusted => f.write_str("a PROXY header from a source that is not trusted"),
            Self::Direct => f.write_str("a source that is no trusted proxy"),
        }
    }
}

impl std::error::Error for Refusal {}
