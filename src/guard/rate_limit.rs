//! How many datagrams a source may send.

use crate::LimitError;

/// A limit on the datagrams of each source address or network. Given to
/// [`ServerBuilder::rate_limit`](crate::ServerBuilder::rate_limit).
///
/// Datagrams beyond it are dropped before they are decoded, and counted as [`DropReason::Rate`](crate::DropReason::Rate).
/// A source may send as many in a row as the [burst](Self::burst) allows, and then one each
/// 1 / [`per_second`](Self::per_second). All ports of an address count together, since a sender can use any of them.
/// Peers on Unix sockets are not limited.
///
/// The sources share a table of fixed size (256 KiB), so no number of them takes more memory. Two sources may share a
/// place in it, and then each of them may be limited sooner. Each source has two places, and is limited only if both are
/// exhausted. So a flood from many sources limits others only if it sends more than about 16,384 times the rate.
///
/// Each datagram counts, also the [chunks](crate::Chunked) of long packets. With several limits, one that a later limit
/// refuses has counted for those before it: begin with the one for the largest networks.
///
/// | option | default |
/// | --- | --- |
/// | [`burst`](Self::burst) | as many as in one second |
/// | [`ipv4_prefix`](Self::ipv4_prefix) | 32 bits: each address by itself |
/// | [`ipv6_prefix`](Self::ipv6_prefix) | 64 bits: what a provider assigns to a single customer at least |
///
/// # Examples
///
/// At most 50 datagrams a second from each address, and 1,600 from each network of 256 addresses:
///
/// ```
/// use datagrammar::{Client, DropReason, RateLimit, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), datagrammar::BoxError> {
/// let server = Server::builder(Text, async |text: String| text)
///     .rate_limit(RateLimit::per_second(1_600).ipv4_prefix(24).ipv6_prefix(56))
///     .rate_limit(RateLimit::per_second(50).burst(125))
///     .bind("127.0.0.1:0")
///     .await?;
/// let (addr, handle) = (server.local_addr(), server.handle());
/// server.spawn();
///
/// let client = Client::connect(addr, Text).await?;
/// for _ in 0..200 {
///     client.send("hello".to_owned()).await?;
/// }
/// # while handle.stats().received < 200 { tokio::task::yield_now().await; }
/// handle.shutdown().await;
/// assert!(handle.stats().dropped(DropReason::Rate) >= 50);
/// assert!(handle.stats().delivered >= 125);
/// # Ok(())
/// # }
/// ```
#[doc(alias("throttle", "token bucket", "GCRA", "flood"))]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it has an effect only when it is given to a server"]
pub struct RateLimit {
    per_second: u32,
    burst: Option<u32>,
    ipv4_prefix: u8,
    ipv6_prefix: u8,
}

impl RateLimit {
    /// Allows this many datagrams a second from each source.
    pub const fn per_second(datagrams: u32) -> Self {
        Self { per_second: datagrams, burst: None, ipv4_prefix: 32, ipv6_prefix: 64 }
    }

    /// Sets how many datagrams a source may send in a row, after it was silent. The default is as many as in one second.
    pub const fn burst(mut self, datagrams: u32) -> Self {
        self.burst = Some(datagrams);
        self
    }

    /// Sets how many bits of an IPv4 address make a source. The default is 32. More than 32 count as 32.
    pub const fn ipv4_prefix(mut self, bits: u8) -> Self {
        self.ipv4_prefix = bits;
        self
    }

    /// Sets how many bits of an IPv6 address make a source. The default is 64. More than 128 count as 128.
    pub const fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits;
        self
    }

    /// Returns how many datagrams a second are allowed; see [`per_second`](Self::per_second).
    #[must_use]
    pub const fn get_per_second(&self) -> u32 {
        self.per_second
    }

    /// Returns how many datagrams in a row are allowed; see [`burst`](Self::burst).
    #[must_use]
    pub const fn get_burst(&self) -> u32 {
        match self.burst {
            Some(datagrams) => datagrams,
            None => self.per_second,
        }
    }

    /// Returns how many bits of an IPv4 address make a source; see [`ipv4_prefix`](Self::ipv4_prefix).
    #[must_use]
    pub const fn get_ipv4_prefix(&self) -> u8 {
        if self.ipv4_prefix < 32 { self.ipv4_prefix } else { 32 }
    }

    /// Returns how many bits of an IPv6 address make a source; see [`ipv6_prefix`](Self::ipv6_prefix).
    #[must_use]
    pub const fn get_ipv6_prefix(&self) -> u8 {
        if self.ipv6_prefix < 128 { self.ipv6_prefix } else { 128 }
    }

    /// Returns an error if a limit is 0.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        if self.per_second == 0 {
            return Err(LimitError::Zero("RateLimit::per_second"));
        }
        if self.get_burst() == 0 {
            return Err(LimitError::Zero("RateLimit::burst"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A-1, G-1
    #[test]
    fn what_is_set_can_be_read_and_the_burst_is_that_of_one_second() {
        let limit = RateLimit::per_second(50);
        assert_eq!((limit.get_per_second(), limit.get_burst()), (50, 50));
        assert_eq!((limit.get_ipv4_prefix(), limit.get_ipv6_prefix()), (32, 64));

        let limit = limit.burst(125).ipv4_prefix(24).ipv6_prefix(48);
        assert_eq!((limit.get_per_second(), limit.get_burst()), (50, 125));
        assert_eq!((limit.get_ipv4_prefix(), limit.get_ipv6_prefix()), (24, 48));

        let limit = limit.ipv4_prefix(200).ipv6_prefix(200);
        assert_eq!((limit.get_ipv4_prefix(), limit.get_ipv6_prefix()), (32, 128));
    }

    // G-1
    #[test]
    fn zero_is_refused_by_name() {
        let refused = |limit: RateLimit| limit.check().map_err(|error| error.to_string());

        assert!(refused(RateLimit::per_second(1)).is_ok());
        assert!(refused(RateLimit::per_second(0).burst(1)).unwrap_err().contains("per_second"));
        assert!(refused(RateLimit::per_second(1).burst(0)).unwrap_err().contains("burst"));
    }
}
