//! Resolves the addresses that callers give, and reports what is wrong with them.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    str::FromStr,
};

use tokio::net::lookup_host;

use super::Target;
use crate::AddrError;

/// How a name is looked up. Both ways ask the resolver of the system, which blocks its thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolver {
    /// On a thread of the current runtime.
    Runtime,
    /// On this thread, without a runtime. The future completes at its first poll.
    #[cfg(feature = "blocking")]
    ThisThread,
}

impl Target {
    /// Returns the addresses that this stands for, at least one. It does not ask the resolver for numeric
    /// addresses or for interface names.
    ///
    /// # Errors
    ///
    /// Each error quotes the given text. Fails with `InvalidInput` if the text is not an address and cannot
    /// be a name, or is a name without addresses. Fails with `NotFound` if this host has no such interface.
    /// Otherwise returns the error of the resolver.
    pub(crate) async fn resolve(&self) -> Result<Vec<SocketAddr>, AddrError> {
        self.resolve_by(Resolver::Runtime).await
    }

    /// Does the same as [`resolve`](Self::resolve), and looks a name up with `resolver`.
    pub(crate) async fn resolve_by(
        &self,
        resolver: Resolver,
    ) -> Result<Vec<SocketAddr>, AddrError> {
        let (given, host, port) = match self.parse()? {
            Parsed::Addr(addr) => return Ok(vec![addr]),
            Parsed::Name(given, host, port) => (given, host, port),
        };
        let unresolved =
            |error| AddrError::caused(format!("the address {given:?} cannot be resolved"), error);
        let addrs: Vec<_> = match resolver {
            Resolver::Runtime => lookup_host((host, port)).await.map_err(unresolved)?.collect(),
            #[cfg(feature = "blocking")]
            Resolver::ThisThread => (host, port).to_socket_addrs().map_err(unresolved)?.collect(),
        };
        if addrs.is_empty() {
            return Err(refused(given, "is a name that has no address"));
        }
        Ok(addrs)
    }
}

impl Target {
    /// Returns the address if it is numeric. It does not resolve names.
    #[cfg(feature = "testing")]
    pub(crate) fn in_numbers(&self) -> Result<SocketAddr, AddrError> {
        match self.parse()? {
            Parsed::Addr(addr) => Ok(addr),
            Parsed::Name(given, ..) => {
                Err(refused(given, "is a name, which a network in memory cannot resolve"))
            }
        }
    }

    fn parse(&self) -> Result<Parsed<'_>, AddrError> {
        let (given, host, port) = match self {
            Self::Addr(addr) => return Ok(Parsed::Addr(*addr)),
            Self::Text(text) => match text.parse() {
                Ok(addr) => return Ok(Parsed::Addr(addr)),
                Err(_) => {
                    let (host, port) = split(text).map_err(|wrong| refused(text, &wrong))?;
                    (text, host, port)
                }
            },
            Self::Host(host, port) => (host, host.as_str(), *port),
        };
        let addr = numeric(given, host, port)?;
        Ok(addr.map_or(Parsed::Name(given, host, port), Parsed::Addr))
    }
}

/// The given text, parsed as far as possible without a resolver.
enum Parsed<'a> {
    Addr(SocketAddr),
    /// The text that was given, and the name and the port in it.
    Name(&'a str, &'a str, u16),
}

/// Returns the host and the port in `text`, or what is wrong with it.
fn split(text: &str) -> Result<(&str, u16), String> {
    let no_port = || "has no port".to_owned();
    if text.parse::<u16>().is_ok() {
        return Err("has no host, only a port".to_owned());
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let whole = text.trim_start_matches('[').trim_end_matches(']');
    // An IPv6 address without brackets has its port after the last colon, as in the standard library.
    let alone = bracketed.is_none() && !is_ipv6(host) && (text.ends_with(']') || is_ipv6(whole));
    if alone || port.is_empty() {
        return Err(no_port());
    }
    let wrong_port = || format!("has the port {port:?} which is not a number from 0 to 65535");
    let port = number(port).ok_or_else(wrong_port)?;
    Ok((bracketed.filter(|host| is_ipv6(host)).unwrap_or(host), port))
}

/// A number that consists of digits only. `str::parse` of the standard library would accept a sign too.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Whether `host` is an IPv6 address, with or without a zone.
fn is_ipv6(host: &str) -> bool {
    let ip = host.split_once('%').map_or(host, |(ip, _)| ip);
    ip.parse::<Ipv6Addr>().is_ok()
}

/// Returns the address of a numeric host, or `None` if `host` may be a name.
fn numeric(given: &str, host: &str, port: u16) -> Result<Option<SocketAddr>, AddrError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Some(SocketAddr::new(ip, port)));
    }
    if let Some((ip, zone)) = host.split_once('%')
        && let Ok(ip) = ip.parse()
    {
        let scope = match number(zone) {
            Some(index) => index,
            None => interface_index(zone).ok_or_else(|| {
                let wrong = format!("names the interface {zone:?}, which this host does not have");
                let problem = format!("the address {given:?} {wrong}");
                AddrError::refused(problem, io::ErrorKind::NotFound)
            })?,
        };
        return Ok(Some(SocketAddrV6::new(ip, port, 0, scope).into()));
    }
    match host {
        "" => Err(refused(given, "has no host")),
        "*" => Err(refused(
            given,
            r#"has the host "*", which is not an address: "[::]" is all of them"#,
        )),
        _ if host.contains([':', '%', '[', ']']) => {
            Err(refused(given, &format!("has the host {host:?}, which is not an IPv6 address")))
        }
        // The resolver could append a search domain to such a name and find an address.
        _ if is_out_of_range(host) => {
            Err(refused(given, &format!("has the host {host:?}, which is not an IPv4 address")))
        }
        _ => Ok(None),
    }
}

/// Whether `host` consists of four numbers, and one is too large for an IPv4 address.
fn is_out_of_range(host: &str) -> bool {
    let numbers: Result<Vec<u64>, _> = host.split('.').map(str::parse).collect();
    numbers.is_ok_and(|numbers| numbers.len() == 4 && numbers.iter().any(|number| *number > 255))
}

/// The index of the network interface with this name, if there is one.
pub(super) fn interface_index(name: &str) -> Option<u32> {
    // The resolver can look up the index on every system, because it parses zones. For a numeric address it
    // sends no query.
    let mut addrs = (format!("fe80::1%{name}").as_str(), 0).to_socket_addrs().ok()?;
    match addrs.next()? {
        SocketAddr::V6(addr) => Some(addr.scope_id()).filter(|index| *index > 0),
        SocketAddr::V4(_) => None,
    }
}

fn refused(given: &str, wrong: &str) -> AddrError {
    AddrError::refused(format!("the address {given:?} {wrong}"), io::ErrorKind::InvalidInput)
}

/// Returns `addr`; if it is an IPv4-mapped address, returns the IPv4 address that it stands for.
pub(crate) fn unmapped(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, addr.port()),
        IpAddr::V6(_) => addr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(text: &str) -> Result<Vec<SocketAddr>, AddrError> {
        Target::Text(text.to_owned()).resolve().await
    }

    #[test]
    fn the_port_is_after_the_last_colon() {
        assert_eq!(split("localhost:9000"), Ok(("localhost", 9000)));
        assert_eq!(split("[fe80::1%eth0]:0"), Ok(("fe80::1%eth0", 0)));
        assert_eq!(split("::1:9000"), Ok(("::1", 9000)));
        assert_eq!(split("fe80::1%eth0:9000"), Ok(("fe80::1%eth0", 9000)));
        assert_eq!(split(":9123"), Ok(("", 9123)));
    }

    // B-5
    #[tokio::test]
    async fn text_that_cannot_be_an_address_is_refused_with_the_reason_and_without_a_resolver() {
        for (text, wrong) in [
            ("", "has no port"),
            ("localhost", "has no port"),
            ("localhost:", "has no port"),
            ("127.0.0.1", "has no port"),
            ("::1", "has no port"),
            ("[::1]", "has no port"),
            ("fe80::1%eth0", "has no port"),
            ("9123", "has no host, only a port"),
            ("127.0.0.1:+9123", r#"has the port "+9123" which is not a number from 0 to 65535"#),
            (":9123", "has no host"),
            ("*:9123", r#"has the host "*", which is not an address: "[::]" is all of them"#),
            ("127.0.0.1:99999", r#"has the port "99999" which is not a number from 0 to 65535"#),
            ("localhost:http", r#"has the port "http" which is not a number from 0 to 65535"#),
            ("256.0.0.1:9123", r#"has the host "256.0.0.1", which is not an IPv4 address"#),
            ("[fe80::12345]:9123", r#"has the host "[fe80::12345]", which is not an IPv6 address"#),
            ("[localhost]:9123", r#"has the host "[localhost]", which is not an IPv6 address"#),
            ("1.2.3.4:5:6", r#"has the host "1.2.3.4:5", which is not an IPv6 address"#),
        ] {
            let error = resolved(text).await.unwrap_err();

            assert_eq!(error.to_string(), format!("the address {text:?} {wrong}"));
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    // B-5
    #[tokio::test]
    async fn the_error_of_the_resolver_is_kept_and_names_the_address() {
        // A label of a name has at most 63 bytes, so the resolver refuses this one without a query.
        let text = format!("{}:9000", "a".repeat(64));
        let of_resolver = lookup_host(&text).await.err().unwrap();

        let error = resolved(&text).await.unwrap_err();

        let expected = format!("the address {text:?} cannot be resolved: {of_resolver}");
        assert_eq!((error.to_string(), error.kind()), (expected, of_resolver.kind()));
        assert_eq!(error.io_error().unwrap().to_string(), of_resolver.to_string());
    }

    // B-9
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_interface_is_named_or_numbered() {
        for text in ["[fe80::1%lo]:9", "[fe80::1%1]:9", "fe80::1%lo:9"] {
            assert_eq!(resolved(text).await.unwrap(), ["[fe80::1%1]:9".parse().unwrap()]);
        }
        let host = Target::Host("ff02::1%lo".to_owned(), 9);
        assert_eq!(host.resolve().await.unwrap(), ["[ff02::1%1]:9".parse().unwrap()]);
    }

    // B-9
    #[tokio::test]
    async fn the_error_for_a_missing_interface_names_the_interface() {
        for (text, zone) in [("[fe80::1%no such]:9", "no such"), ("[fe80::1%]:9", "")] {
            let error = resolved(text).await.unwrap_err();

            let wrong = format!("names the interface {zone:?}, which this host does not have");
            assert_eq!(error.to_string(), format!("the address {text:?} {wrong}"));
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}
