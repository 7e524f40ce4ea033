//! From what a user calls an address to bound sockets: all of them or none.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use tokio::net::lookup_host;

use crate::{
    PeerAddr,
    transport::{
        Place, Target,
        socket::{self, AddrErrors},
    },
};

/// Binds each distinct address of `targets`, one after the other, as many times as there are `workers`;
/// if one cannot be, then none stays bound.
pub(super) async fn bind(
    targets: Vec<Target>,
    options: &socket::Options,
    workers: usize,
) -> io::Result<Vec<(UdpSocket, Place)>> {
    bind_all(&resolve(targets).await?, options, workers)
}

fn bind_all(
    wanted: &[(SocketAddr, bool)],
    options: &socket::Options,
    workers: usize,
) -> io::Result<Vec<(UdpSocket, Place)>> {
    let beside_ipv4 = |port| wanted.iter().any(|(addr, _)| addr.is_ipv4() && addr.port() == port);
    let mut bound = Vec::new();
    let mut failed = Vec::new();
    let mut lacking = Vec::new();
    for &(addr, optional) in wanted {
        let ipv6_only = options.ipv6_only.unwrap_or_else(|| beside_ipv4(addr.port()));
        let sockets = match workers {
            1 => socket::bind(addr, ipv6_only, options).map(|socket| vec![(socket, Place::ALONE)]),
            _ => socket::bind_several(addr, ipv6_only, options, workers),
        };
        match sockets {
            Ok(mut sockets) => bound.append(&mut sockets),
            Err(error) if optional && socket::lacks_family(&error) => lacking.push((addr, error)),
            Err(error) => failed.push((addr, error)),
        }
    }
    if bound.is_empty() {
        failed.append(&mut lacking);
    }
    if failed.is_empty() {
        return Ok(bound);
    }
    Err(AddrErrors { what: "cannot be bound", failed }.into())
}

/// The distinct addresses of `targets`. One is optional if it belongs to a name that has addresses of
/// both families.
async fn resolve(targets: Vec<Target>) -> io::Result<Vec<(SocketAddr, bool)>> {
    let mut wanted: Vec<(SocketAddr, bool)> = Vec::new();
    let mut add = |addr: SocketAddr, optional| {
        // By its one name: an IPv4-mapped address is the IPv4 address.
        let PeerAddr::Ip(addr) = PeerAddr::canonical(addr);
        if wanted.iter().all(|(known, _)| *known != addr) {
            wanted.push((addr, optional));
        }
    };
    for target in targets {
        match target {
            Target::Addr(addr) => add(addr, false),
            Target::Name(name) => {
                let addrs: Vec<_> = lookup_host(&name).await?.collect();
                if addrs.is_empty() {
                    let text = format!("the name `{name}` has no address");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                let both =
                    addrs.iter().any(SocketAddr::is_ipv4) && addrs.iter().any(SocketAddr::is_ipv6);
                addrs.into_iter().for_each(|addr| add(addr, both));
            }
        }
    }
    if wanted.is_empty() {
        let text = "no address was given where at least one was expected";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::BindAddrs;

    /// An address that no host has.
    const FOREIGN: &str = "[2001:db8::1]:0";

    fn bound(wanted: &[(&str, bool)]) -> io::Result<usize> {
        let wanted: Vec<_> =
            wanted.iter().map(|(addr, both)| (addr.parse().unwrap(), *both)).collect();
        bind_all(&wanted, &socket::Options::default(), 1).map(|sockets| sockets.len())
    }

    // B-6
    #[test]
    fn a_family_that_the_host_lacks_is_skipped_for_a_name_that_has_both() {
        assert_eq!(bound(&[("127.0.0.1:0", true), (FOREIGN, true)]).unwrap(), 1);
    }

    // B-6
    #[test]
    fn nothing_is_skipped_when_nothing_is_left() {
        let error = bound(&[(FOREIGN, true)]).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert!(error.to_string().contains(FOREIGN), "{error}");
    }

    // B-4, B-6
    #[test]
    fn an_address_that_was_given_as_such_is_not_skipped() {
        assert!(bound(&[("127.0.0.1:0", false), (FOREIGN, false)]).is_err());
    }

    // B-4, B-6
    #[test]
    fn a_port_in_use_is_no_lack_of_a_family() {
        let used = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = used.local_addr().unwrap().to_string();

        let error = bound(&[("127.0.0.1:0", true), (&addr, true)]).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    async fn resolved(addrs: impl BindAddrs) -> io::Result<Vec<String>> {
        let wanted = resolve(addrs.targets()).await?;
        Ok(wanted.into_iter().map(|(addr, _)| addr.to_string()).collect())
    }

    // B-3
    #[tokio::test]
    async fn one_address_is_wanted_once_whatever_it_is_called() {
        let same = ["127.0.0.1:9000", "[::ffff:127.0.0.1]:9000", "127.0.0.1:9000"];

        assert_eq!(resolved(same).await.unwrap(), ["127.0.0.1:9000"]);
    }

    // B-9
    #[tokio::test]
    async fn the_scope_of_an_address_is_kept() {
        let scopes = ["[fe80::1%6]:9000", "[fe80::1%7]:9000"];

        assert_eq!(resolved(scopes).await.unwrap(), scopes);
    }

    // B-5
    #[tokio::test]
    async fn addresses_are_taken_in_every_usual_form() {
        let port = 9000;
        let expected = ["127.0.0.1:9000"];

        assert_eq!(resolved("127.0.0.1:9000").await.unwrap(), expected);
        assert_eq!(resolved("127.0.0.1:9000".to_owned()).await.unwrap(), expected);
        assert_eq!(resolved(("127.0.0.1", port)).await.unwrap(), expected);
        assert_eq!(resolved((Ipv4Addr::LOCALHOST, port)).await.unwrap(), expected);
        assert_eq!(resolved((IpAddr::from(Ipv4Addr::LOCALHOST), port)).await.unwrap(), expected);
        assert_eq!(resolved(&["127.0.0.1:9000"][..]).await.unwrap(), expected);
        assert_eq!(resolved(vec!["127.0.0.1:9000".to_owned()]).await.unwrap(), expected);
        assert_eq!(resolved(("::1", port)).await.unwrap(), ["[::1]:9000"]);
        assert_eq!(resolved((Ipv6Addr::LOCALHOST, port)).await.unwrap(), ["[::1]:9000"]);
    }
}
