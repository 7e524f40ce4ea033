//! Finds out which addresses belong to this host: a datagram from one of them with our port is our own.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io::{self, ErrorKind},
    net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::transport::Local;

/// The addresses of this host, as far as a server on a wildcard address knows them. They can change, so an
/// answer of the kernel is valid for one second.
pub(super) struct OwnHost(Mutex<Known>);

struct Known {
    kernel: fn(SocketAddr) -> io::Result<bool>,
    since: Instant,
    /// How many more times the kernel may be asked in this second.
    asks: u32,
    /// A hash of each known address. Its lowest bit says whether the host has the address. The size is fixed,
    /// so an attacker cannot make it grow. It is empty until the first answer.
    answers: Box<[[u64; WAYS]]>,
    /// Random, so that an attacker cannot predict the hashes.
    keys: [u64; 2],
    /// The address that the last datagram came to.
    here: Option<Host>,
}

/// An address. For a link-local address also the interface, else 0.
type Host = (IpAddr, u32);

const GOOD_FOR: Duration = Duration::from_secs(1);
/// How often the kernel is asked within that time. Each question takes a few microseconds.
const ASKS: u32 = 256;
/// `SETS * WAYS` answers are kept.
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

    /// Whether this host has the address `from`. The datagram came to the address `local`, if the system
    /// reported it.
    ///
    /// Returns false if the kernel cannot be asked. Suppose that datagrams then circulate between two
    /// addresses of this host: the source of the second one is the address that the first one came to, so it
    /// is recognized.
    pub(super) fn is_at(&self, from: SocketAddr, local: Option<Local>) -> bool {
        let scope = if let SocketAddr::V6(v6) = from { v6.scope_id() } else { 0 };
        let host = host(from.ip(), scope);
        let here = local.map(|Local { ip, interface }| self::host(ip, interface));
        if from.ip().is_loopback() || here == Some(host) {
            return true;
        }
        // A panic cannot leave this half updated, so a poisoned lock is fine.
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
        // This replaces the oldest answer of the set.
        let set = &mut self.answers[set(hash)];
        set.rotate_right(1);
        set[0] = hash | u64::from(own);
    }

    /// A hash of an address. Its lowest bit is 0, free for the answer.
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
    // With `ip_nonlocal_bind`, Linux also binds addresses that it does not have.
    if addr.is_ipv4() {
        // Then it finds no route from that address. It refuses a broadcast address with `PermissionDenied`.
        let denied = |error: io::Error| error.kind() == ErrorKind::PermissionDenied;
        return Ok(socket.connect(addr).map_or_else(denied, |()| true));
    }
    // A host sends to its own address from that same address (RFC 6724, section 5, rule 1).
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
    use std::{cell::Cell, collections::HashSet};

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

    /// The kernel of a host that has 192.0.2.1, 192.0.2.2 and, on interface 6, fe80::1.
    fn kernel(addr: SocketAddr) -> io::Result<bool> {
        ASKED.set(ASKED.get() + 1);
        let own = ["192.0.2.1:9000", "192.0.2.2:9000", "[fe80::1%6]:9000"];
        Ok(own.contains(&addr.to_string().as_str()))
    }

    /// A kernel that cannot answer, for example because no descriptor is left.
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
            assert!(!host.is_at(addr("[fe80::1%7]:9000"), None), "fe80::1 on another link");
        }
        assert_eq!(ASKED.get(), 5);
    }

    // D-18
    #[test]
    fn a_datagram_with_the_same_source_and_destination_is_our_own() {
        let host = OwnHost::asking(silent_kernel);

        assert!(host.is_at(addr("127.0.0.9:9000"), None));
        assert!(host.is_at(addr("192.0.2.1:9000"), local("192.0.2.1", 6)));
        assert!(host.is_at(addr("[fe80::1%6]:9000"), local("fe80::1", 6)));
        assert!(!host.is_at(addr("[fe80::1%6]:9000"), local("fe80::1", 7)));
    }

    // D-18
    #[test]
    fn without_the_kernel_datagrams_circulate_for_one_round_only() {
        let host = OwnHost::asking(silent_kernel);

        assert!(!host.is_at(addr("[fe80::1%6]:9000"), local("2001:db8::1", 6)));
        assert!(host.is_at(addr("[2001:db8::1]:9000"), local("fe80::1", 6)));
    }

    // D-18
    #[test]
    fn strangers_cannot_make_us_ask_the_kernel_without_end() {
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
            // Not every system has all of these addresses.
            if UdpSocket::bind((addr(own).ip(), 0)).is_ok() {
                assert!(ask(addr(own)).unwrap(), "{own}");
            }
        }
        for foreign in ["192.0.2.99:9000", "[2001:db8::99]:9000"] {
            assert!(!ask(addr(foreign)).unwrap(), "{foreign}");
        }
    }

    // D-18
    #[test]
    fn each_bit_of_an_address_and_its_interface_tell_it_from_others() {
        let known = OwnHost::asking(kernel).0.into_inner().unwrap();
        let base = addr("[fe80::1]:9000").ip();
        let IpAddr::V6(ip) = base else { unreachable!() };
        let flipped = |bit: u32| Ipv6Addr::from_bits(ip.to_bits() ^ 1 << bit).into();

        let bits: HashSet<u64> = (0..128).map(|bit| known.hash((flipped(bit), 0))).collect();
        let interfaces: HashSet<u64> = (0..128).map(|number| known.hash((base, number))).collect();

        assert_eq!((bits.len(), interfaces.len()), (128, 128));
    }

    // D-18
    #[cfg(target_os = "linux")]
    #[test]
    fn an_interface_that_does_not_exist_is_no_answer_of_the_kernel() {
        assert!(ask(addr("[fe80::1%4000000000]:9000")).is_err());
    }
}
