//! Who may talk at all: looked at before anything is decoded, and without keeping anything.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use crate::{
    PeerAddr,
    panic::{self, Panicked},
};

/// A user's own check of who may talk.
pub(super) type Check = Arc<dyn Fn(&PeerAddr) -> bool + Send + Sync>;

/// The admission of one socket.
pub(super) struct Admission {
    local: PeerAddr,
    check: Option<Check>,
}

impl Admission {
    pub(super) const fn new(local: PeerAddr, check: Option<Check>) -> Self {
        Self { local, check }
    }

    /// Whether datagrams from `from` are looked at.
    ///
    /// # Errors
    ///
    /// Fails if the user's check panics.
    #[inline]
    pub(super) fn admits(&self, from: &PeerAddr) -> Result<bool, Panicked> {
        match &self.check {
            _ if !is_possible(from, &self.local) => Ok(false),
            None => Ok(true),
            Some(check) => panic::catch(|| check(from)),
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("local", &self.local).finish_non_exhaustive()
    }
}

/// Whether a peer can be at `from` at all. Nobody can be answered at port 0 or at an address of many;
/// and a datagram that claims to come from this very socket would be answered for ever.
#[inline]
fn is_possible(from: &PeerAddr, local: &PeerAddr) -> bool {
    let (PeerAddr::Ip(from), PeerAddr::Ip(local)) = (from, local);
    let many = match from.ip() {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST,
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    from.port() != 0 && !many && (from.port() != local.port() || !is_own_host(from, local))
}

/// Whether `from` is at the address of `local`, which on a wildcard address is also each loopback one.
fn is_own_host(from: &SocketAddr, local: &SocketAddr) -> bool {
    from.ip() == local.ip() || local.ip().is_unspecified() && from.ip().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> PeerAddr {
        text.parse::<SocketAddr>().unwrap().into()
    }

    // D-18
    #[test]
    fn sources_that_nobody_can_be_at_are_refused() {
        let admission = Admission::new(addr("192.0.2.1:9000"), None);
        let admits = |from| admission.admits(&addr(from)).unwrap();

        for impossible in [
            "192.0.2.7:0",
            "0.0.0.0:5000",
            "224.0.0.251:5353",
            "255.255.255.255:5000",
            "[::]:5000",
            "[ff02::fb]:5353",
            "192.0.2.1:9000",
        ] {
            assert!(!admits(impossible), "{impossible}");
        }
        for possible in ["192.0.2.7:5000", "[2001:db8::1]:5000", "192.0.2.1:9001", "127.0.0.1:9000"]
        {
            assert!(admits(possible), "{possible}");
        }
    }

    // D-18
    #[test]
    fn a_socket_on_a_wildcard_address_knows_itself_on_loopback() {
        let admission = Admission::new(addr("0.0.0.0:9000"), None);

        assert!(!admission.admits(&addr("127.0.0.1:9000")).unwrap());
        assert!(admission.admits(&addr("127.0.0.1:9001")).unwrap());
    }

    // B-8, H-6
    #[test]
    fn the_users_check_sees_plain_ipv4_and_may_panic() {
        let check = |peer: &PeerAddr| match peer.to_string().as_str() {
            "192.0.2.7:5000" => true,
            "192.0.2.8:5000" => false,
            other => panic!("never heard of {other}"),
        };
        let admission = Admission::new(addr("[::]:9000"), Some(Arc::new(check)));

        assert!(admission.admits(&addr("[::ffff:192.0.2.7]:5000")).unwrap());
        assert!(!admission.admits(&addr("192.0.2.8:5000")).unwrap());
        assert!(admission.admits(&addr("192.0.2.9:5000")).is_err());
    }
}
