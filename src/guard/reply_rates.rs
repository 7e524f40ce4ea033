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
