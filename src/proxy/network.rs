//! A network of IP addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use crate::IpNetworkError;

/// A network of IP addresses in CIDR notation: `10.0.0.0/8`, `2001:db8::/32`, or one address: `192.0.2.7`.
///
/// [`ServerBuilder::trust_proxy`](crate::ServerBuilder::trust_proxy) takes such networks.
///
/// An IPv4-mapped network is the IPv4 network: `::ffff:10.0.0.0/104` equals `10.0.0.0/8`. Other IPv6 networks, `::/0` among
/// them, contain no IPv4 address.
///
/// # Examples
///
/// ```
/// use datagrammar::{IpNetwork, IpNetworkError};
///
/// let balancers: IpNetwork = "10.1.0.0/16".parse()?;
/// assert!(balancers.contains([10, 1, 2, 3]) && !balancers.contains([10, 2, 0, 0]));
/// assert_eq!("192.0.2.7".parse::<IpNetwork>()?.to_string(), "192.0.2.7/32");
///
/// // One address of the network, or all of them? It must be said.
/// let unclear = "10.1.2.3/16".parse::<IpNetwork>();
/// assert!(matches!(unclear, Err(IpNetworkError::HostBits { prefix_len: 16, .. })));
/// # Ok::<(), IpNetworkError>(())
/// ```
#[doc(alias("CIDR", "subnet", "prefix"))]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    /// The first address, in canonical form.
    first: IpAddr,
    prefix_len: u8,
}

impl IpNetwork {
    /// Makes the network of all addresses that have the first `prefix_len` bits of `first`.
    ///
    /// # Errors
    ///
    /// - [`IpNetworkError::PrefixLen`] if `prefix_len` is more than 32 for IPv4, or more than 128 for IPv6.
    /// - [`IpNetworkError::HostBits`] if `first` has bits behind its prefix.
    pub fn new(first: impl Into<IpAddr>, prefix_len: u8) -> Result<Self, IpNetworkError> {
        let first = first.into();
        let most = bits(first).1;
        if prefix_len > most {
            return Err(IpNetworkError::PrefixLen { len: prefix_len, max: most });
        }
        let (first, prefix_len) = match first.to_canonical() {
            // The prefix must include the 96 bits that say that it is mapped.
            ip @ IpAddr::V4(_) if first.is_ipv6() && prefix_len >= 96 => (ip, prefix_len - 96),
            IpAddr::V4(_) if first.is_ipv6() => (first, prefix_len),
            ip => (ip, prefix_len),
        };
        if significant(first, prefix_len) != bits(first).0 {
            return Err(IpNetworkError::HostBits { prefix_len });
        }
        Ok(Self { first, prefix_len })
    }

    /// Returns whether `ip` is in this network. An IPv4-mapped address is its IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: impl Into<IpAddr>) -> bool {
        let ip = ip.into().to_canonical();
        ip.is_ipv4() == self.first.is_ipv4()
            && significant(ip, self.prefix_len) == bits(self.first).0
    }
}

/// The bits of an address, and how many there are.
const fn bits(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(ip) => (ip.to_bits() as u128, Ipv4Addr::BITS as u8),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    }
}

/// The first `prefix_len` bits of an address; the others are 0.
fn significant(ip: IpAddr, prefix_len: u8) -> u128 {
    let (bits, most) = bits(ip);
    let others = most.saturating_sub(prefix_len);
    bits.checked_shr(others.into()).and_then(|bits| bits.checked_shl(others.into())).unwrap_or(0)
}

impl FromStr for IpNetwork {
    type Err = IpNetworkError;

    fn from_str(text: &str) -> Result<Self, IpNetworkError> {
        let Some((first, prefix_len)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(IpNetworkError::Addr);
        };
        let first = first.parse::<IpAddr>().map_err(IpNetworkError::Addr)?;
        // `u8::from_str` accepts a plus sign.
        let is_number = prefix_len.bytes().all(|byte| byte.is_ascii_digit());
        let prefix_len = prefix_len.parse().ok().filter(|_| is_number);
        Self::new(first, prefix_len.ok_or(IpNetworkError::NoPrefixLen)?)
    }
}

/// The network of this address only.
impl From<IpAddr> for IpNetwork {
    fn from(ip: IpAddr) -> Self {
        let first = ip.to_canonical();
        Self { first, prefix_len: bits(first).1 }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_len)
    }
}

impl fmt::Debug for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn network(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    fn contains(text: &str, ip: &str) -> bool {
        network(text).contains(ip.parse::<IpAddr>().unwrap())
    }

    // O-20
    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        for prefix_len in 0..=32 {
            let first =
                Ipv4Addr::from_bits(0xa5a5_a5a5_u32.checked_shl(32 - prefix_len).unwrap_or(0));
            let network = IpNetwork::new(first, prefix_len as u8).unwrap();
            let last = first.to_bits() | u32::MAX.checked_shr(prefix_len).unwrap_or(0);
            assert!(network.contains(first) && network.contains(Ipv4Addr::from_bits(last)));
            let beside = [first.to_bits().checked_sub(1), last.checked_add(1)];
            for ip in beside.into_iter().flatten() {
                assert!(!network.contains(Ipv4Addr::from_bits(ip)), "{network} {ip}");
            }
            assert!(!network.contains(Ipv6Addr::LOCALHOST), "{network}");
        }
        assert!(contains("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!contains("2001:db8::/33", "2001:db8:8000::"));
        assert!(contains("::/0", "ffff::") && !contains("::/0", "10.0.0.1"));
        assert!(contains("fe80::1", "fe80::1") && !contains("fe80::1", "fe80::2"));
    }

    // B-8, O-20
    #[test]
    fn an_ipv4_mapped_network_is_the_ipv4_network() {
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert_eq!(network("::ffff:0.0.0.0/96"), network("0.0.0.0/0"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7/32"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        // A shorter prefix is one of IPv6.
        assert!(!contains("::fffe:0:0/95", "10.1.2.3"));
    }

    // O-20
    #[test]
    fn what_is_no_network_is_an_error_that_says_why() {
        let error = |text: &str| text.parse::<IpNetwork>().unwrap_err().to_string();

        assert_eq!(error("10.0.0.0/33"), "prefix length is 33, limit is 32");
        assert_eq!(error("::/129"), "prefix length is 129, limit is 128");
        assert_eq!(error("10.0.0.1/8"), "bits are set behind the prefix of 8");
        assert_eq!(error("::ffff:10.0.0.1/104"), "bits are set behind the prefix of 8");
        for text in ["10.0.0.0/", "10.0.0.0/x", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/999"] {
            assert_eq!(error(text), "invalid prefix length", "{text}");
        }
        for text in ["", "/8", "10.0.0/8", "fe80::1%6", "localhost", "10.0.0.0:53"] {
            assert_eq!(error(text), "invalid IP address", "{text}");
        }
    }
}
