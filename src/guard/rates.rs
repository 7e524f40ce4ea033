//! Limits the datagrams of each source, in a table of fixed size that a flood cannot fill.

use std::net::IpAddr;

use super::table::{Rate, Table};
use crate::RateLimit;

/// The sources of one limit. All sockets of a server share it.
pub(crate) struct Rates {
    table: Table,
    limit: RateLimit,
    rate: Rate,
}

impl Rates {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let rate = Rate::new(limit.get_per_second().into(), limit.get_burst().into());
        Self { table: Table::new(), limit, rate }
    }

    /// Whether the source of a datagram may send it now. Then it has paid for it.
    pub(crate) fn allows(&self, from: IpAddr) -> bool {
        let limit = &self.limit;
        let source = network(from, limit.get_ipv4_prefix(), limit.get_ipv6_prefix());
        self.table.pay(self.table.hash(source), self.rate, self.table.now())
    }
}

/// The network of an address, with this many bits, as a number.
pub(super) fn network(ip: IpAddr, ipv4_prefix: u8, ipv6_prefix: u8) -> (bool, u128) {
    let network =
        |bits: u128, len: u32, prefix: u8| bits.checked_shr(len - u32::from(prefix)).unwrap_or(0);
    match ip.to_canonical() {
        IpAddr::V4(ip) => (false, network(ip.to_bits().into(), 32, ipv4_prefix)),
        IpAddr::V6(ip) => (true, network(ip.to_bits(), 128, ipv6_prefix)),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use tokio::time::advance;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of `datagrams` in a row are allowed.
    fn allowed(rates: &Rates, from: &str, datagrams: usize) -> usize {
        let from = ip(from);
        (0..datagrams).filter(|_| rates.allows(from)).count()
    }

    //
    #[tokio::test(start_paused = true)]
    async fn a_source_may_send_a_burst_and_then_at_the_rate() {
        let rates = Rates::new(RateLimit::per_second(50).burst(125));

        assert_eq!(allowed(&rates, "192.0.2.7", 1_000), 125);
        advance(Duration::from_millis(19)).await;
        assert_eq!(allowed(&rates, "192.0.2.7", 1_000), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(allowed(&rates, "192.0.2.7", 1_000), 1);
        advance(Duration::from_secs(1)).await;
        assert_eq!(allowed(&rates, "192.0.2.7", 1_000), 50);
        advance(Duration::from_secs(3_600)).await;
        assert_eq!(allowed(&rates, "192.0.2.7", 1_000), 125);
    }

    //
    #[tokio::test(start_paused = true)]
    async fn sources_are_networks_of_the_lengths_that_were_set() {
        let one = |limit: RateLimit, first: &str, second: &str| {
            let rates = Rates::new(limit.burst(1));
            assert_eq!(allowed(&rates, first, 2), 1);
            allowed(&rates, second, 1) == 0
        };
        let limit = || RateLimit::per_second(1);

        assert!(!one(limit(), "192.0.2.7", "192.0.2.8"));
        assert!(one(limit(), "192.0.2.7", "::ffff:192.0.2.7"));
        assert!(one(limit().ipv4_prefix(24), "192.0.2.7", "192.0.2.8"));
        assert!(!one(limit().ipv4_prefix(24), "192.0.2.7", "192.0.3.7"));
        assert!(one(limit().ipv4_prefix(0), "192.0.2.7", "10.0.0.1"));
        assert!(one(limit(), "2001:db8::1", "2001:db8::ffff:1"));
        assert!(!one(limit(), "2001:db8::1", "2001:db8:0:1::1"));
        assert!(one(limit().ipv6_prefix(48), "2001:db8::1", "2001:db8:0:1::1"));
        assert!(!one(limit().ipv6_prefix(200), "2001:db8::1", "2001:db8::2"));
        assert!(one(limit().ipv6_prefix(0), "2001:db8::1", "::1"));
    }

    // a flood cannot fill the table
    #[tokio::test(start_paused = true)]
    async fn a_flood_from_many_sources_does_not_limit_others() {
        let rates = Rates::new(RateLimit::per_second(50).burst(125));
        let mut refused = 0;
        for second in 0..20_u32 {
            // 60,000 datagrams a second, each from another address.
            for n in 0..60_000 {
                let forged = Ipv4Addr::from(0x0a00_0000 + second * 60_000 + n);
                assert!(rates.allows(forged.into()));
            }
            refused += 10 - allowed(&rates, "192.0.2.7", 10);
            advance(Duration::from_secs(1)).await;
        }

        assert_eq!(refused, 0);
    }

    // one heavy source shares a place with few others
    #[tokio::test(start_paused = true)]
    async fn a_heavy_source_limits_hardly_any_other() {
        let rates = Rates::new(RateLimit::per_second(50).burst(125));
        assert_eq!(allowed(&rates, "192.0.2.7", 100_000), 125);

        let others = (0..10_000).filter(|n| rates.allows(Ipv4Addr::from(0x0a00_0000 + n).into()));

        // Both places are shared with one in 2^28.
        assert!(others.count() >= 9_998);
    }

    //
    #[tokio::test(start_paused = true)]
    async fn the_largest_numbers_do_not_overflow() {
        let rates = Rates::new(RateLimit::per_second(1).burst(u32::MAX));
        assert_eq!(allowed(&rates, "192.0.2.7", 100), 100);
        let rates = Rates::new(RateLimit::per_second(u32::MAX));
        assert_eq!(allowed(&rates, "192.0.2.7", 100), 100);
        advance(Duration::from_secs(1 << 30)).await;
        assert_eq!(allowed(&rates, "192.0.2.7", 100), 100);
    }
}
