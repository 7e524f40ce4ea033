//! Binds addresses: all of them or none.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use crate::{
    AddrError,
    addr::canonical,
    transport::{Target, WorkerIndex, config::Udp, options::Options, socket},
};

/// The addresses of one transport. They have the same options.
pub(super) struct Group {
    pub(super) udp: Udp,
    /// Its place among all transports of the server.
    pub(super) place: usize,
}

/// A socket that is bound to an address of a group, for one of its workers.
pub(super) struct BoundAddr {
    pub(super) socket: UdpSocket,
    pub(super) index: WorkerIndex,
    pub(super) group: usize,
}

/// Binds each distinct address of `groups`, one after the other, once for each of its workers. If one address
/// cannot be bound, then none stays bound.
///
/// `ipv4_ports` are the ports of IPv4 sockets that exist already.
pub(super) async fn bind(
    groups: &[Group],
    ipv4_ports: &[u16],
) -> Result<Vec<BoundAddr>, Vec<AddrError>> {
    bind_all(&resolve(groups).await?, groups, ipv4_ports, socket::lacks_family)
}

/// An address to be bound.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    addr: SocketAddr,
    group: usize,
    /// The numbers of the names that resolve to this address and have addresses of both families.
    names: Vec<usize>,
    /// Whether only those names want it. They do not need it if the host lacks its family.
    optional: bool,
}

/// `lacks` gets an address that could not be bound, and the error. It returns whether the cause is that the
/// host lacks the family of the address.
fn bind_all(
    wanted: &[Wanted],
    groups: &[Group],
    ipv4_ports: &[u16],
    lacks: impl Fn(SocketAddr, &io::Error) -> bool,
) -> Result<Vec<BoundAddr>, Vec<AddrError>> {
    let wanted_ipv4 = wanted.iter().map(|wanted| wanted.addr).filter(SocketAddr::is_ipv4);
    let ipv4_ports: Vec<_> =
        wanted_ipv4.map(|addr| addr.port()).chain(ipv4_ports.iter().copied()).collect();
    let mut bound = Vec::new();
    let mut bound_names = Vec::new();
    let mut failed = Vec::new();
    for &Wanted { addr, group, ref names, optional } in wanted {
        let Udp { options, workers, .. } = &groups[group].udp;
        let ipv6_only = options.ipv6_only.unwrap_or_else(|| ipv4_ports.contains(&addr.port()));
        match bind_one(addr, ipv6_only, options, workers.unwrap_or(1)) {
            Ok(sockets) => {
                let one = |(socket, index)| BoundAddr { socket, index, group };
                bound.extend(sockets.into_iter().map(one));
                bound_names.extend(names);
            }
            Err(error) => {
                let lacking = optional && lacks(addr, &error);
                let error = AddrError::caused(format!("cannot bind {addr}"), error);
                failed.push((lacking.then_some(names), error));
            }
        }
    }
    let served = |names: &Vec<_>| names.iter().all(|name| bound_names.contains(&name));
    failed.retain(|(lacking, _)| !lacking.is_some_and(served));
    if failed.is_empty() {
        return Ok(bound);
    }
    Err(failed.into_iter().map(|(_, error)| error).collect())
}

fn bind_one(
    addr: SocketAddr,
    ipv6_only: bool,
    options: &Options,
    workers: usize,
) -> io::Result<Vec<(UdpSocket, WorkerIndex)>> {
    if workers > 1 {
        return socket::bind_several(addr, ipv6_only, options, workers);
    }
    let socket = socket::bind(addr, ipv6_only, options)?;
    Ok(vec![(socket, WorkerIndex::ALONE)])
}

/// The distinct addresses of `groups`.
async fn resolve(groups: &[Group]) -> Result<Vec<Wanted>, Vec<AddrError>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut failed = Vec::new();
    let mut targets: Vec<(usize, &Target)> = Vec::new();
    for (group, Group { udp, .. }) in groups.iter().enumerate() {
        if udp.on.targets().is_empty() {
            failed.push(AddrError::none());
        }
        targets.extend(udp.on.targets().iter().map(|target| (group, target)));
    }
    for (number, (group, target)) in targets.into_iter().enumerate() {
        let addrs = match target.resolve().await {
            Ok(addrs) => addrs,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        let both = addrs.iter().any(SocketAddr::is_ipv4) && addrs.iter().any(SocketAddr::is_ipv6);
        for addr in addrs {
            // In canonical form: an IPv4-mapped address becomes the IPv4 address.
            let addr = canonical(addr);
            let is_like = |other: usize| groups[group].udp.is_like(&groups[other].udp);
            // Port 0 means a different port for each set of options.
            let same =
                |known: &Wanted| known.addr == addr && (addr.port() != 0 || is_like(known.group));
            let at = wanted.iter().position(same).unwrap_or_else(|| {
                wanted.push(Wanted { addr, group, names: Vec::new(), optional: true });
                wanted.len() - 1
            });
            if !is_like(wanted[at].group) {
                let problem = format!("the address {addr} is given twice, with different options");
                failed.push(AddrError::refused(problem, io::ErrorKind::InvalidInput));
            }
            wanted[at].names.extend(both.then_some(number));
            wanted[at].optional &= both;
        }
    }
    if failed.is_empty() { Ok(wanted) } else { Err(failed) }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::BindError;
    use crate::ToAddrs;

    /// An address that no host has.
    const FOREIGN: &str = "[2001:db8::1]:0";

    /// Returns how many of these are bound on a host that lacks IPv6 (`lacking`) or has both families.
    fn bound(wanted: &[(&str, Option<usize>)], lacking: bool) -> Result<usize, BindError> {
        let one = |(addr, name): &(&str, Option<_>)| {
            let addr = addr.parse().unwrap();
            Wanted {
                addr,
                group: 0,
                names: name.iter().copied().collect(),
                optional: name.is_some(),
            }
        };
        let wanted: Vec<_> = wanted.iter().map(one).collect();
        let lacks = |addr: SocketAddr, _: &io::Error| lacking && addr.is_ipv6();
        let bound = bind_all(&wanted, &group("[::]:0"), &[], lacks);
        bound.map(|sockets| sockets.len()).map_err(BindError::Addrs)
    }

    // B-6
    #[test]
    fn a_family_that_the_host_lacks_is_skipped_for_a_name_that_has_both() {
        assert_eq!(bound(&[("127.0.0.1:0", Some(0)), (FOREIGN, Some(0))], true).unwrap(), 1);
    }

    // B-4, B-6
    #[test]
    fn an_address_of_a_family_that_the_host_has_is_not_skipped() {
        let error = bound(&[("127.0.0.1:0", Some(0)), (FOREIGN, Some(0))], false).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert!(error.to_string().contains(FOREIGN), "{error}");
    }

    // B-6
    #[test]
    fn an_address_is_not_skipped_if_the_name_has_no_other() {
        for wanted in [&[(FOREIGN, Some(0))][..], &[("127.0.0.1:0", None), (FOREIGN, Some(1))]] {
            let error = bound(wanted, true).unwrap_err();

            assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
            assert!(error.to_string().contains(FOREIGN), "{error}");
        }
    }

    // B-4, B-6
    #[test]
    fn an_address_that_was_given_as_such_is_not_skipped() {
        assert!(bound(&[("127.0.0.1:0", None), (FOREIGN, None)], true).is_err());
    }

    // B-4, B-6
    #[test]
    fn a_port_in_use_is_no_lack_of_a_family() {
        let used = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = used.local_addr().unwrap();

        assert!(!socket::lacks_family(addr, &io::ErrorKind::AddrInUse.into()));
    }

    fn group(addrs: impl ToAddrs) -> [Group; 1] {
        [Group { udp: Udp::new(addrs), place: 0 }]
    }

    async fn resolved(addrs: impl ToAddrs) -> Result<Vec<String>, BindError> {
        let wanted = resolve(&group(addrs)).await.map_err(BindError::Addrs)?;
        Ok(wanted.into_iter().map(|wanted| wanted.addr.to_string()).collect())
    }

    // B-3
    #[tokio::test]
    async fn an_address_in_several_forms_is_bound_once() {
        let same = ["127.0.0.1:9000", "[::ffff:127.0.0.1]:9000", "127.0.0.1:9000"];

        assert_eq!(resolved(same).await.unwrap(), ["127.0.0.1:9000"]);
    }

    // B-4, B-6
    #[tokio::test]
    async fn an_address_that_a_name_also_has_is_not_optional() {
        for addrs in [["127.0.0.1:9", "localhost:9"], ["localhost:9", "127.0.0.1:9"]] {
            let wanted = resolve(&group(addrs)).await.unwrap();

            let shared = wanted.iter().find(|wanted| wanted.addr.is_ipv4()).unwrap();
            assert!(!shared.optional);
        }
    }

    // B-4, B-5
    #[tokio::test]
    async fn each_invalid_address_is_named() {
        let error = resolved(["localhost", "127.0.0.1:9", ":9123"]).await.unwrap_err();

        let expected = r#"the address "localhost" has no port; the address ":9123" has no host"#;
        assert_eq!(error.to_string(), expected);
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
        assert_eq!(resolved(&"127.0.0.1:9000".to_owned()).await.unwrap(), expected);
        assert_eq!(resolved(("127.0.0.1".to_owned(), port)).await.unwrap(), expected);
        assert_eq!(resolved(&&[(Ipv4Addr::LOCALHOST, port)]).await.unwrap(), expected);
    }
}
