//! Which addresses are this host's own: what comes from one of them with our port comes from ourselves.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io::{self, ErrorKind},
    net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::transport::Local;

/// What a server on a wildcard address knows of the host's addresses. They come and go, so an answer of the
/// kernel is good for a second.
pub(super) struct OwnHost(Mutex<Known>);

struct Known {
    kernel: fn(SocketAddr) -> io::Result<bool>,
    since: Instant,
    /// How often the kernel may still be asked.
    asks: u32,
    /// Of each address a hash, the last bit of which says whether the host has it; no more than strangers
    /// can fill. Empty until there is something to know.
    answers: Box<[[u64; WAYS]]>,
    /// So that no stranger can foresee the hashes.
    keys: [u64; 2],
    /// Where a datagram came to last.
    here: Option<Host>,
}

/// An address, and of one that is good on its link only, also the interface.
type Host = (IpAddr, u32);

const GOOD_FOR: Duration = Duration::from_secs(1);
/// How often the kernel is asked within that time, a few microseconds each.
const ASKS: u32 = 256;
/// How many answers are kept: so many times so many.
const SETS: usize = 256;
const WAYS: usize = 4;

impl OwnHost {
    pub(super) fn new() -> Self {
        Self::asking(ask)
    }

    fn asking(kernel: fn(SocketAddr) -> io::Result<bool>) -> Self {
        let random = RandomState::new();
        Self(Mutex::new(Known {
            kernel,
            since: Instant::now(),
            asks: ASKS,
            answers: Box::default(),
            keys: [0, 1].map(|n| random.hash_one(n)),
            here: None,
        }))
    }

    /// Whether the host is at `from`, of a datagram that came to its address `local`, if that was told.
    ///
    /// If the kernel cannot be asked, then not. A datagram that goes in a circle among the addresses of the
    /// host comes from where it came to before, so it is known the next time.
    pub(super) fn is_at(&self, from: SocketAddr, local: Option<Local>) -> bool {
        let scope = if let SocketAddr::V6(v6) = from { v6.scope_id() } else { 0 };
        let host = host(from.ip(), scope);
        let here = local.map(|Local { ip, interface }| self::host(ip, interface));
        if from.ip().is_loopback() || here == Some(host) {
            return true;
        }
        // Nothing of it is ever left half done.
        let known = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.refresh(Instant::now());
        let own = known.answer(host, from);
        if let Some(local) = here
            && known.here != here
        {
            known.here = here;
            known.keep(known.hash(local), true);
        }
        own
    }
}

fn host(ip: IpAddr, interface: u32) -> Host {
    let on_link = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    (ip, if on_link { interface } else { 0 })
}

impl Known {
    fn refresh(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= GOOD_FOR {
            self.since = now;
            self.asks = ASKS;
            self.answers.fill([0; WAYS]);
            self.here = None;
        }
    }

    fn answer(&mut self, host: Host, addr: SocketAddr) -> bool {
        let hash = self.hash(host);
        let set = self.answers.get(set(hash));
        if let Some(known) = set.and_then(|set| set.iter().find(|known| **known & !1 == hash)) {
            return known & 1 == 1;
        }
        if self.asks == 0 {
            return false;
        }
        self.asks -= 1;
        let Ok(own) = (self.kernel)(addr) else { return false };
        self.keep(hash, own);
        own
    }

    fn keep(&mut self, hash: u64, own: bool) {
        if self.answers.is_empty() {
            self.answers = vec![[0; WAYS]; SETS].into();
        }
        // The oldest of those that share a set gives way.
        let set = &mut self.answers[set(hash)];
        set.rotate_right(1);
        set[0] = hash | u64::from(own);
    }

    /// A number that tells addresses apart, the last bit of which is free.
    fn hash(&self, (ip, interface): Host) -> u64 {
        let bits = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        let low = bits as u64 ^ self.keys[0];
        let high = (bits >> 64) as u64 ^ u64::from(interface) ^ self.keys[1];
        let product = u128::from(low) * u128::from(high);
        (product ^ product >> 64) as u64 & !1
    }
}

const fn set(hash: u64) -> usize {
    (hash >> 32) as usize % SETS
}

/// Asks the kernel whether this host has the address of `addr`. Nothing is sent.
fn ask(addr: SocketAddr) -> io::Result<bool> {
    let mut bound = addr;
    bound.set_port(0);
    let socket = match UdpSocket::bind(bound) {
        Ok(socket) => socket,
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return Ok(false),
        Err(error) => return Err(error),
    };
    // Linux can be told to bind also what it does not have (`ip_nonlocal_bind`).
    if addr.is_ipv4() {
        // It finds no way from there then. A broadcast address is refused for what it is.
        let denied = |error: io::Error| error.kind() == ErrorKind::PermissionDenied;
        return Ok(socket.connect(addr).map_or_else(denied, |()| true));
    }
    // A host talks to an address of its own from that address (RFC 6724, section 5, rule 1).
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
    Ok(socket.connect(addr).is_ok() && socket.local_addr()?.ip() == addr.ip())
}

impl fmt::Debug for OwnHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnHost").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static ASKED: Cell<usize> = const { Cell::new(0) };
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn local(ip: &str, interface: u32) -> Option<Local> {
        Some(Local { ip: ip.parse().unwrap(), interface })
    }

    /// A kernel of a host at 192.0.2.1, 192.0.2.2 and fe80::1 on interface 6.
    fn kernel(addr: SocketAddr) -> io::Result<bool> {
        ASKED.set(ASKED.get() + 1);
        let own = ["192.0.2.1:9000", "192.0.2.2:9000", "[fe80::1%6]:9000"];
        Ok(own.contains(&addr.to_string().as_str()))
    }

    /// One that has no descriptor left, for example.
    fn silent_kernel(_: SocketAddr) -> io::Result<bool> {
        Err(io::Error::other("no descriptor is left"))
    }

    // D-18
    #[test]
    fn the_kernel_is_asked_once_for_each_source() {
        let host = OwnHost::asking(kernel);

        for _ in 0..3 {
            assert!(host.is_at(addr("192.0.2.1:9000"), None));
            assert!(host.is_at(addr("192.0.2.2:9000"), local("192.0.2.1", 6)));
            assert!(!host.is_at(addr("192.0.2.7:9000"), local("192.0.2.1", 6)));
            assert!(host.is_at(addr("[fe80::1%6]:9000"), None));
            assert!(!host.is_at(addr("[fe80::1%7]:9000"), None), "that is another link");
        }
        assert_eq!(ASKED.get(), 5);
    }

    // D-18
    #[test]
    fn a_datagram_from_where_it_came_to_comes_from_ourselves() {
        let host = OwnHost::asking(silent_kernel);

        assert!(host.is_at(addr("127.0.0.9:9000"), None));
        assert!(host.is_at(addr("192.0.2.1:9000"), local("192.0.2.1", 6)));
        assert!(host.is_at(addr("[fe80::1%6]:9000"), local("fe80::1", 6)));
        assert!(!host.is_at(addr("[fe80::1%6]:9000"), local("fe80::1", 7)));
    }

    // D-18
    #[test]
    fn without_the_kernel_a_circle_is_broken_after_one_round() {
        let host = OwnHost::asking(silent_kernel);

        assert!(!host.is_at(addr("[fe80::1%6]:9000"), local("2001:db8::1", 6)));
        assert!(host.is_at(addr("[2001:db8::1]:9000"), local("fe80::1", 6)));
    }

    // D-18
    #[test]
    fn strangers_cannot_have_the_kernel_asked_without_end() {
        let host = OwnHost::asking(kernel);
        host.0.lock().unwrap().since = Instant::now() + Duration::from_secs(3_600);

        for n in 0..10_000 {
            assert!(!host.is_at(SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 9000)), None));
        }

        assert_eq!(ASKED.get(), ASKS as usize);
        assert_eq!(host.0.lock().unwrap().answers.len(), SETS);
    }

    // D-18
    #[test]
    fn after_a_second_the_kernel_is_asked_again() {
        let mut known = OwnHost::asking(kernel).0.into_inner().unwrap();
        let from = addr("192.0.2.7:9000");

        for (seconds, asked) in [(0, 1), (0, 1), (2, 2), (0, 2)] {
            known.refresh(known.since.max(Instant::now()) + Duration::from_secs(seconds));
            known.answer(host(from.ip(), 0), from);
            assert_eq!(ASKED.get(), asked);
        }
    }

    // D-18
    #[test]
    fn the_kernel_knows_its_own_addresses() {
        for own in ["127.0.0.1:9000", "127.0.0.7:9000", "[::1]:9000"] {
            // Not each system has all of them.
            if UdpSocket::bind((addr(own).ip(), 0)).is_ok() {
                assert!(ask(addr(own)).unwrap(), "{own}");
            }
        }
        for foreign in ["192.0.2.99:9000", "[2001:db8::99]:9000"] {
            assert!(!ask(addr(foreign)).unwrap(), "{foreign}");
        }
    }
}
