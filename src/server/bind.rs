//! From what a user calls an address to bound sockets: all of them or none.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use crate::{
    Addr,
    transport::{
        Failure, Target, WorkerIndex, joined,
        socket::{self, Options},
    },
};

/// Binds each distinct address of `targets`, one after the other, as many times as there are `workers`;
/// if one cannot be, then none stays bound.
pub(super) async fn bind(
    targets: Vec<Target>,
    options: &Options,
    workers: usize,
) -> io::Result<Vec<(UdpSocket, WorkerIndex)>> {
    bind_all(&resolve(targets).await?, options, workers, socket::lacks_family)
}

/// An address to be bound.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    addr: SocketAddr,
    /// The numbers of the names with addresses of both families that it belongs to.
    names: Vec<usize>,
    /// Whether only those ask for it: they do not need it if the host lacks its family.
    optional: bool,
}

/// `lacks` tells of an address, which could not be bound for this error, whether the host lacks its family.
fn bind_all(
    wanted: &[Wanted],
    options: &Options,
    workers: usize,
    lacks: impl Fn(SocketAddr, &io::Error) -> bool,
) -> io::Result<Vec<(UdpSocket, WorkerIndex)>> {
    let beside_ipv4 =
        |port| wanted.iter().any(|wanted| wanted.addr.is_ipv4() && wanted.addr.port() == port);
    let mut bound = Vec::new();
    let mut bound_names = Vec::new();
    let mut failed = Vec::new();
    for &Wanted { addr, ref names, optional } in wanted {
        let ipv6_only = options.ipv6_only.unwrap_or_else(|| beside_ipv4(addr.port()));
        let sockets = match workers {
            1 => socket::bind(addr, ipv6_only, options)
                .map(|socket| vec![(socket, WorkerIndex::ALONE)]),
            _ => socket::bind_several(addr, ipv6_only, options, workers),
        };
        match sockets {
            Ok(mut sockets) => {
                bound.append(&mut sockets);
                bound_names.extend(names);
            }
            Err(error) => {
                let lacking = optional && lacks(addr, &error);
                let what = format!("{addr} cannot be bound");
                failed.push((lacking.then_some(names), Failure { what, error }.into()));
            }
        }
    }
    let served = |names: &Vec<_>| names.iter().all(|name| bound_names.contains(&name));
    failed.retain(|(lacking, _)| !lacking.is_some_and(served));
    match joined(failed.into_iter().map(|(_, error)| error).collect()) {
        Some(error) => Err(error),
        None => Ok(bound),
    }
}

/// The distinct addresses of `targets`.
async fn resolve(targets: Vec<Target>) -> io::Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut failed = Vec::new();
    for (number, target) in targets.into_iter().enumerate() {
        let addrs = match target.resolve().await {
            Ok(addrs) => addrs,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        let both = addrs.iter().any(SocketAddr::is_ipv4) && addrs.iter().any(SocketAddr::is_ipv6);
        for addr in addrs {
            // By its one name: an IPv4-mapped address is the IPv4 address.
            let Addr::Ip(addr) = Addr::canonical(addr);
            let at = wanted.iter().position(|known| known.addr == addr).unwrap_or_else(|| {
                wanted.push(Wanted { addr, names: Vec::new(), optional: true });
                wanted.len() - 1
            });
            wanted[at].names.extend(both.then_some(number));
            wanted[at].optional &= both;
        }
    }
    if let Some(error) = joined(failed) {
        return Err(error);
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
    use crate::ToAddrs;

    /// An address that no host has.
    const FOREIGN: &str = "[2001:db8::1]:0";

    /// How many of these are bound, by a host that lacks IPv6 or has both families.
    fn bound(wanted: &[(&str, Option<usize>)], lacking: bool) -> io::Result<usize> {
        let one = |(addr, name): &(&str, Option<_>)| {
            let addr = addr.parse().unwrap();
            Wanted { addr, names: name.iter().copied().collect(), optional: name.is_some() }
        };
        let wanted: Vec<_> = wanted.iter().map(one).collect();
        let lacks = |addr: SocketAddr, _: &io::Error| lacking && addr.is_ipv6();
        bind_all(&wanted, &Options::default(), 1, lacks).map(|sockets| sockets.len())
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
    fn nothing_is_skipped_when_nothing_is_left_of_the_name() {
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

    fn targets(addrs: impl ToAddrs) -> Vec<Target> {
        addrs.targets()
    }

    async fn resolved(addrs: impl ToAddrs) -> io::Result<Vec<String>> {
        let wanted = resolve(targets(addrs)).await?;
        Ok(wanted.into_iter().map(|wanted| wanted.addr.to_string()).collect())
    }

    // B-3
    #[tokio::test]
    async fn one_address_is_wanted_once_whatever_it_is_called() {
        let same = ["127.0.0.1:9000", "[::ffff:127.0.0.1]:9000", "127.0.0.1:9000"];

        assert_eq!(resolved(same).await.unwrap(), ["127.0.0.1:9000"]);
    }

    // B-4, B-6
    #[tokio::test]
    async fn what_a_name_shares_with_an_address_is_wanted_for_itself() {
        for addrs in [["127.0.0.1:9", "localhost:9"], ["localhost:9", "127.0.0.1:9"]] {
            let wanted = resolve(targets(addrs)).await.unwrap();

            let shared = wanted.iter().find(|wanted| wanted.addr.is_ipv4()).unwrap();
            assert!(!shared.optional);
        }
    }

    // B-4, B-5
    #[tokio::test]
    async fn each_address_that_is_none_is_named() {
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
