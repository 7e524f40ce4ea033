//! Limits the replies to each network, at several sizes of networks at once.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    rates::network,
    table::{Rate, Table},
};

/// The replies to addresses that have not proven themselves, in the scheme of Knot DNS: the larger a network is, the more
/// replies it may get, but not in proportion.
pub(super) struct ReplyRates {
    levels: [Level; LEVELS.len()],
    /// Until when datagrams are compared with the rates before they are decoded: for a while after a reply was refused.
    alert_until: AtomicU64,
}

struct Level {
    table: Table,
    prefixes: Prefixes,
    ipv4: Rate,
    ipv6: Rate,
}

/// The networks of one level: the bits of an address that make one, and how many times the rate of an address it has.
/// 0 bits mean that the family has no such level.
struct Prefixes {
    ipv4: (u8, u32),
    ipv6: (u8, u32),
}

const LEVELS: [Prefixes; 4] = [
    Prefixes { ipv4: (32, 1), ipv6: (128, 1) },
    Prefixes { ipv4: (24, 32), ipv6: (64, 2) },
    Prefixes { ipv4: (20, 256), ipv6: (56, 3) },
    Prefixes { ipv4: (0, 0), ipv6: (48, 4) },
];

/// How long datagrams are compared with the rates after a reply was refused, in nanoseconds.
const ALERT: u64 = 10_000_000_000;

impl ReplyRates {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let level = |prefixes: Prefixes| {
            let rate = |(_, times): (u8, u32)| {
                let times = u64::from(times);
                Rate::new(u64::from(per_second) * times, u64::from(burst) * times)
            };
            let (ipv4, ipv6) = (rate(prefixes.ipv4), rate(prefixes.ipv6));
            Level { table: Table::new(), prefixes, ipv4, ipv6 }
        };
        Self { levels: LEVELS.map(level), alert_until: AtomicU64::new(0) }
    }

    /// Whether a reply may be sent to `ip`. Then the address and its networks have paid for it.
    pub(super) fn allows(&self, ip: IpAddr) -> bool {
        let now = self.now();
        let allowed =
            self.places(ip).all(|(level, hash, rate)| level.table.has_room(hash, rate, now));
        if allowed {
            self.places(ip).for_each(|(level, hash, rate)| {
                level.table.pay(hash, rate, now);
            });
        } else {
            self.alert_until.store(now.saturating_add(ALERT), Relaxed);
        }
        allowed
    }

    /// Whether a reply to `ip` would be refused. Usually this does not look into the tables.
    pub(super) fn refuses(&self, ip: IpAddr) -> bool {
        if self.alert_until.load(Relaxed) == 0 {
            return false;
        }
        let now = self.now();
        now < self.alert_until.load(Relaxed)
            && !self.places(ip).all(|(level, hash, rate)| level.table.has_room(hash, rate, now))
    }

    fn now(&self) -> u64 {
        self.levels[0].table.now()
    }

    /// The levels that `ip` has, with its hash and its rate there.
    fn places(&self, ip: IpAddr) -> impl Iterator<Item = (&Level, u64, Rate)> {
        let is_ipv4 = ip.to_canonical().is_ipv4();
        self.levels.iter().filter_map(move |level| {
            let Prefixes { ipv4, ipv6 } = level.prefixes;
            let ((bits, _), rate) = if is_ipv4 { (ipv4, level.ipv4) } else { (ipv6, level.ipv6) };
            let hash = || level.table.hash(network(ip, bits, bits));
            (bits > 0).then(|| (level, hash(), rate))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, Ipv6Addr},
        time::Duration,
    };

    use tokio::time::advance;

    use super::*;

    /// How many replies the addresses of a network get, if each asks for ten.
    fn replies(rates: &ReplyRates, network: impl IntoIterator<Item: Into<IpAddr>>) -> usize {
        let asked = network.into_iter().map(Into::into).flat_map(|ip| [ip; 10]);
        asked.filter(|ip| rates.allows(*ip)).count()
    }

    //
    #[tokio::test(start_paused = true)]
    async fn an_address_gets_a_burst_and_then_the_rate_and_meanwhile_its_datagrams_are_refused() {
        let rates = ReplyRates::new(50, 125);
        let [ip, other] = [7, 8].map(|last| IpAddr::from([192, 0, 2, last]));
        let burst = |ip| (0..1_000).filter(|_| rates.allows(ip)).count();
        assert!(!rates.refuses(ip));

        assert_eq!(burst(ip), 125);
        assert!(rates.refuses(ip) && !rates.refuses(other));
        advance(Duration::from_millis(20)).await;
        assert!(!rates.refuses(ip), "it has room for one");
        assert_eq!(burst(ip), 1);
        assert!(rates.refuses(ip));
        advance(Duration::from_secs(1)).await;
        assert_eq!(burst(ip), 50);
    }

    //
    #[tokio::test(start_paused = true)]
    async fn ipv4_networks_get_32_and_256_times_as_many() {
        let rates = ReplyRates::new(1, 2);
        let network = |third| (0..=255).map(move |last| Ipv4Addr::new(10, 1, third, last));

        assert_eq!(replies(&rates, network(0)), 2 * 32);
        assert_eq!(replies(&rates, (1..16).flat_map(network)), 2 * (256 - 32));
        assert_eq!(replies(&rates, network(16)), 2 * 32, "it is in another /20");
    }

    //
    #[tokio::test(start_paused = true)]
    async fn ipv6_networks_get_2_and_3_and_4_times_as_many() {
        let rates = ReplyRates::new(1, 12);
        let network = |third, fourth| {
            (1..=9).map(move |last| Ipv6Addr::new(0x2001, 0xdb8, third, fourth, 0, 0, 0, last))
        };

        assert_eq!(replies(&rates, network(0, 0)), 12 * 2);
        assert_eq!(replies(&rates, network(0, 0xff)), 12, "the third part of a /56");
        assert_eq!(replies(&rates, network(0, 0x100)), 12, "the fourth part of a /48");
        assert_eq!(replies(&rates, network(0, 0x200)), 0);
        assert_eq!(replies(&rates, network(1, 0)), 12 * 2, "it is in another /48");
    }
}
