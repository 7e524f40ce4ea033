//! Decides which source addresses are accepted, before anything is decoded, and without memory per peer.

mod own_host;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use own_host::OwnHost;

use crate::{
    BoxError,
    addr::{Addr, Rare, Repr},
    guard::Rates,
    panic::{self, Panicked},
    socket::SocketState,
    stats::DropReason,
    transport::{Local, UnnamedPeers},
};

/// The user's filter on source addresses.
pub(crate) type Check = Arc<dyn Fn(&Addr) -> bool + Send + Sync>;

/// The admission of one socket.
pub(crate) struct Admission {
    /// All addresses that the server is bound to. A datagram from one of them is a reply of this server.
    bound: Arc<[Addr]>,
    /// The port of the first address, and a mask: all bits set if all addresses have that port, else 0.
    port: u16,
    same: u16,
    host: OwnHost,
    #[cfg_attr(not(unix), expect(dead_code, reason = "other systems have no such peers"))]
    unnamed: UnnamedPeers,
    check: Option<Check>,
    rates: Arc<[Rates]>,
    /// Whether there is neither a check nor a rate.
    is_open: bool,
}

/// Why a datagram is not accepted.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Its source is not accepted.
    Source,
    /// Its source has sent too many.
    Rate,
    /// Its source has no name.
    #[cfg_attr(not(unix), expect(dead_code, reason = "other systems have no such peers"))]
    Unnamed,
    /// The user's check panicked.
    Panicked(Panicked),
}

impl Refusal {
    /// The reason for the drop of a datagram from `from`. Logs it, if that was asked for.
    #[cold]
    pub(crate) fn reason(self, from: &Addr, socket: &SocketState) -> DropReason {
        match self {
            Self::Source => DropReason::Refused,
            Self::Rate => DropReason::Rate,
            Self::Panicked(panicked) => {
                socket.events.error(from, &panicked, "the source filter failed");
                DropReason::Refused
            }
            Self::Unnamed => {
                if socket.outbox.transport().unnamed_peers() == UnnamedPeers::Warn {
                    let error: BoxError = "the sender has no name, so it cannot be answered".into();
                    socket.events.warn(from, &*error, "a datagram was dropped");
                }
                DropReason::Unnamed
            }
        }
    }
}

impl Admission {
    pub(crate) fn new(
        bound: Arc<[Addr]>,
        unnamed: UnnamedPeers,
        check: Option<Check>,
        rates: Arc<[Rates]>,
    ) -> Self {
        let mut ports = bound.iter().filter_map(Addr::port);
        let port = ports.next().unwrap_or(0);
        let same = if ports.all(|other| other == port) { u16::MAX } else { 0 };
        let is_open = check.is_none() && rates.is_empty();
        Self { bound, port, same, host: OwnHost::new(), unnamed, check, rates, is_open }
    }

    /// Whether the server accepts a datagram from `from`. `local` returns the address of this host that the
    /// datagram came to, if the system reported it.
    #[inline]
    pub(crate) fn admits(
        &self,
        from: &Addr,
        local: impl FnOnce() -> Option<Local>,
    ) -> Result<(), Refusal> {
        // Most datagrams come from another port, and most servers have no filter and no rate, so this is cheap.
        if let Addr(Repr::Ip(addr)) = from
            && is_possible(addr)
            && !self.may_be_ours(addr)
            && self.is_open
        {
            return Ok(());
        }
        self.judge(from, local())
    }

    /// Whether `addr` has the port of one of our sockets.
    #[inline]
    const fn may_be_ours(&self, addr: &SocketAddr) -> bool {
        (addr.port() ^ self.port) & self.same == 0
    }

    #[inline(never)]
    fn judge(&self, from: &Addr, local: Option<Local>) -> Result<(), Refusal> {
        let is_refused = |addr: &SocketAddr| {
            let ours = self.may_be_ours(addr) && self.is_ourselves(*addr, local);
            ours || !is_possible(addr)
        };
        match from {
            Addr(Repr::Ip(addr)) if is_refused(addr) => return Err(Refusal::Source),
            Addr(Repr::Ip(_)) => {}
            // Replies go to the proxy, and the peer has an address that a peer can have.
            Addr(Repr::Rare(Rare::Proxied(proxied))) => {
                if is_refused(from.ip_socket()) || is_refused(&proxied.peer) {
                    return Err(Refusal::Source);
                }
            }
            #[cfg(unix)]
            Addr(Repr::Rare(Rare::Unix(_))) => {
                if from.is_unnamed() && self.unnamed != UnnamedPeers::Serve {
                    return Err(Refusal::Unnamed);
                }
                if self.bound.contains(from) {
                    return Err(Refusal::Source);
                }
            }
        }
        match self.check.as_ref().map(|check| panic::catch(|| check(from))) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => return Err(Refusal::Source),
            Some(Err(panicked)) => return Err(Refusal::Panicked(panicked)),
        }
        let Some(ip) = from.ip() else { return Ok(()) };
        // What one limit refuses costs nothing at the next one.
        if self.rates.iter().all(|rates| rates.allows(ip)) { Ok(()) } else { Err(Refusal::Rate) }
    }

    /// Whether `from` is one of our sockets. A socket on a wildcard address is at each address of the host.
    fn is_ourselves(&self, from: SocketAddr, local: Option<Local>) -> bool {
        let (mut any_ipv4, mut any_ipv6, mut beside_ipv4) = (false, false, false);
        for bound in self.bound.iter().filter_map(Addr::socket_addr) {
            if bound == from {
                return true;
            }
            if bound.port() == from.port() {
                beside_ipv4 |= bound.is_ipv4();
                any_ipv4 |= bound.is_ipv4() && bound.ip().is_unspecified();
                any_ipv6 |= bound.is_ipv6() && bound.ip().is_unspecified();
            }
        }
        // `[::]` includes all IPv4 addresses, unless an IPv4 address is bound too.
        let anywhere = match from {
            SocketAddr::V4(_) => any_ipv4 || any_ipv6 && !beside_ipv4,
            SocketAddr::V6(_) => any_ipv6,
        };
        anywhere && self.host.is_at(from, local)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("bound", &self.bound).finish_non_exhaustive()
    }
}

/// Whether a peer can have the address `from`: no reply can go to port 0, or to an unspecified, multicast or
/// broadcast address.
#[inline]
fn is_possible(from: &SocketAddr) -> bool {
    let many = match from.ip() {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST,
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    from.port() != 0 && !many
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse::<SocketAddr>().unwrap().into()
    }

    fn admission(bound: &[&str], check: Option<Check>) -> Admission {
        let bound = bound.iter().map(|bound| addr(bound)).collect();
        Admission::new(bound, UnnamedPeers::Drop, check, Arc::default())
    }

    fn admits(admission: &Admission, from: &str) -> bool {
        admission.admits(&addr(from), || None).is_ok()
    }

    // D-18
    #[test]
    fn source_addresses_that_no_peer_can_have_are_refused() {
        let admission = admission(&["192.0.2.1:9000"], None);

        for impossible in [
            "192.0.2.7:0",
            "0.0.0.0:5000",
            "224.0.0.251:5353",
            "255.255.255.255:5000",
            "[::]:5000",
            "[ff02::fb]:5353",
            "192.0.2.1:9000",
        ] {
            assert!(!admits(&admission, impossible), "{impossible}");
        }
        for possible in ["192.0.2.7:5000", "[2001:db8::1]:5000", "192.0.2.1:9001", "127.0.0.1:9000"]
        {
            assert!(admits(&admission, possible), "{possible}");
        }
    }

    // D-18, B-7
    #[test]
    fn a_wildcard_of_one_family_covers_no_address_of_the_other() {
        let at = |bound: &[&str], from| admits(&admission(bound, None), from);

        assert!(at(&["0.0.0.0:9000", "[2001:db8::1]:9000"], "[::1]:9000"));
        assert!(!at(&["0.0.0.0:9000", "[2001:db8::1]:9000"], "127.0.0.2:9000"));
        assert!(at(&["127.0.0.1:9000", "[::]:9000"], "127.0.0.2:9000"));
        assert!(!at(&["127.0.0.1:9000", "[::]:9000"], "[::1]:9000"));
        assert!(!at(&["127.0.0.1:9001", "[::]:9000"], "127.0.0.2:9000"));
    }

    // D-18
    #[test]
    fn a_socket_on_a_wildcard_address_knows_itself_on_each_address_of_the_host() {
        for bound in ["0.0.0.0:9000", "[::]:9000"] {
            let admission = admission(&[bound], None);
            let came_to = |ip: &str| Some(Local { ip: ip.parse().unwrap(), interface: 6 });
            let admits_to = |from, ip| admission.admits(&addr(from), || came_to(ip)).is_ok();

            assert!(!admits(&admission, "127.0.0.1:9000"));
            assert!(admits(&admission, "127.0.0.1:9001"));
            assert!(!admits_to("192.0.2.1:9000", "192.0.2.1"));
            assert!(admits_to("192.0.2.1:9001", "192.0.2.1"));
            assert!(!admits_to("[::ffff:192.0.2.1]:9000", "192.0.2.1"));
            // An IPv4 socket receives nothing from an IPv6 address.
            assert_eq!(admits_to("[fe80::1%6]:9000", "fe80::1"), bound == "0.0.0.0:9000");
            assert!(admits_to("[2001:db8::7]:9000", "2001:db8::1"));
        }
    }

    // D-18
    #[test]
    fn the_sockets_of_a_server_refuse_datagrams_of_each_other() {
        let admission = admission(&["192.0.2.1:9000", "192.0.2.2:9001", "[fe80::1%6]:9000"], None);

        for ours in ["192.0.2.1:9000", "192.0.2.2:9001", "[fe80::1%6]:9000"] {
            assert!(!admits(&admission, ours), "{ours}");
        }
        for foreign in ["192.0.2.1:9001", "192.0.2.2:9000", "192.0.2.7:9000", "[fe80::1%7]:9000"] {
            assert!(admits(&admission, foreign), "{foreign}");
        }
    }

    // B-8, H-6
    #[test]
    fn the_users_check_sees_plain_ipv4_and_may_panic() {
        let check = |peer: &Addr| match peer.to_string().as_str() {
            "192.0.2.7:5000" => true,
            "192.0.2.8:5000" => false,
            other => panic!("never heard of {other}"),
        };
        let admission = admission(&["[::]:9000"], Some(Arc::new(check)));

        assert!(admits(&admission, "[::ffff:192.0.2.7]:5000"));
        assert!(!admits(&admission, "192.0.2.8:5000"));
        let asked = admission.admits(&addr("192.0.2.9:5000"), || None);
        assert!(matches!(asked, Err(Refusal::Panicked(_))));
    }

    // D-18, A-1
    #[tokio::test(start_paused = true)]
    async fn a_source_that_has_sent_too_many_is_refused_for_that_after_the_users_check() {
        let check: Check = Arc::new(|peer: &Addr| peer.port() != Some(7));
        for check in [None, Some(check)] {
            let rates = [Rates::new(crate::RateLimit::per_second(1).burst(2))].into();
            let bound = [addr("192.0.2.1:9000")].into();
            let is_checked = check.is_some();
            let admission = Admission::new(bound, UnnamedPeers::Drop, check, rates);
            let judged = |from| admission.admits(&addr(from), || None);

            let first = judged("192.0.2.7:7");
            assert_eq!(matches!(first, Err(Refusal::Source)), is_checked);
            assert!(judged("192.0.2.7:5000").is_ok());
            assert_eq!(judged("192.0.2.7:5001").is_ok(), is_checked);
            assert!(matches!(judged("192.0.2.7:5002"), Err(Refusal::Rate)));
            assert!(judged("192.0.2.8:5000").is_ok());
            assert!(format!("{admission:?}").contains("bound"));
        }
    }

    // U-6
    #[cfg(unix)]
    #[test]
    fn a_peer_without_a_name_is_served_only_if_that_was_asked_for() {
        use std::os::unix::net::SocketAddr;

        use crate::addr::UnixName;

        let path = |path| Addr::from(SocketAddr::from_pathname(path).unwrap());
        for unnamed in [UnnamedPeers::Drop, UnnamedPeers::Warn, UnnamedPeers::Serve] {
            let admission = Admission::new([path("/server")].into(), unnamed, None, Arc::default());
            let judge = |peer| admission.admits(&peer, || None);

            let nobody = judge(Addr(Repr::Rare(Rare::Unix(UnixName::unnamed()))));
            assert_eq!(nobody.is_ok(), unnamed == UnnamedPeers::Serve);
            assert_eq!(matches!(nobody, Err(Refusal::Unnamed)), unnamed != UnnamedPeers::Serve);
            assert!(judge(path("/client")).is_ok());
            assert!(matches!(judge(path("/server")), Err(Refusal::Source)));
        }
    }
}
