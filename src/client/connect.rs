//! Connects the transport of a client.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use tokio::task::coop;

#[cfg(unix)]
use crate::transport::{
    config::{OnUnix, Unix},
    inherited::Claims,
    unix::{Options as UnixOptions, connect as unix},
};
use crate::{
    AddrError, ConnectError,
    transport::{
        Resolver, Target,
        config::{On, Source, Udp},
        options::Options,
        socket, unmapped,
    },
};

/// A connected socket that no client uses yet.
#[derive(Debug)]
pub(crate) enum Opened {
    /// A UDP socket that this crate has made, with its options set, and the address that was asked for.
    Own(UdpSocket, Options, Option<SocketAddr>),
    /// A UDP socket of the caller, and the options to set. It may be not connected.
    Callers(UdpSocket, Options),
    /// A Unix socket, with its options set.
    #[cfg(unix)]
    Unix(unix::Connected, UnixOptions),
    #[cfg(feature = "testing")]
    Memory(crate::transport::memory::MemorySocket),
}

/// A connected socket, and the inherited descriptor that it is a duplicate of.
#[derive(Debug)]
pub(crate) struct Connection {
    opened: Opened,
    #[cfg(unix)]
    claims: Claims,
}

impl Connection {
    /// Makes the client's part of the socket. If that fails, an inherited descriptor can be used again.
    pub(crate) fn finish<T>(
        self,
        make: impl FnOnce(Opened) -> std::io::Result<T>,
    ) -> Result<T, ConnectError> {
        let made = make(self.opened)?;
        #[cfg(unix)]
        self.claims.keep();
        Ok(made)
    }
}

/// Connects a socket as `source` says.
///
/// The future waits only for `resolver`.
pub(crate) async fn connect(
    source: Source,
    resolver: Resolver,
) -> Result<Connection, ConnectError> {
    #[cfg(unix)]
    let mut claims = Claims::default();
    #[cfg(unix)]
    let source = match source {
        Source::Inherited(inherited) => claims.take_one(inherited)?,
        source => source,
    };
    let opened = open(source, resolver).await?;
    Ok(Connection {
        opened,
        #[cfg(unix)]
        claims,
    })
}

async fn open(source: Source, resolver: Resolver) -> Result<Opened, ConnectError> {
    #[cfg_attr(
        not(any(feature = "testing", unix)),
        expect(clippy::infallible_destructuring_match, reason = "elsewhere there are more")
    )]
    let udp = match source {
        Source::Udp(udp) => udp,
        #[cfg(unix)]
        Source::Unix(unix) => return open_unix(unix),
        // The first was replaced by its socket, and the second is for servers only.
        #[cfg(unix)]
        Source::Inherited(_) | Source::TakeOver(..) => {
            return Err(ConnectError::addrs(vec![AddrError::none()]));
        }
        #[cfg(feature = "testing")]
        Source::Memory(socket) => return Ok(Opened::Memory(socket)),
    };
    udp.check_client()?;
    let Udp { on, options, local_addr, .. } = udp;
    match on {
        On::Socket(socket) => Ok(Opened::Callers(socket.into_std()?, options)),
        On::Addrs(peers) => {
            coop::consume_budget().await;
            let locals = locals(local_addr, resolver).await.map_err(ConnectError::Addrs)?;
            let (socket, local) = first_that_works(&peers, &locals, &options, resolver).await?;
            Ok(Opened::Own(socket, options, local))
        }
    }
}

#[cfg(unix)]
fn open_unix(unix: Unix) -> Result<Opened, ConnectError> {
    unix.check_client()?;
    let (binding, options) = (unix.binding(), unix.options());
    let connected = match unix.on {
        OnUnix::Socket(socket) => unix::adopt_connected(socket.into_std()?, binding)?,
        OnUnix::Path(path) => unix::connect(unix.local_addr.as_deref(), &path, binding)
            .map_err(|error| ConnectError::addrs(vec![error]))?,
    };
    Ok(Opened::Unix(connected, options))
}

async fn first_that_works(
    peers: &[Target],
    locals: &[Option<SocketAddr>],
    options: &Options,
    resolver: Resolver,
) -> Result<(UdpSocket, Option<SocketAddr>), ConnectError> {
    let mut failed = Vec::new();
    let mut other_family = Vec::new();
    for target in peers {
        let peers = match target.resolve_by(resolver).await {
            Ok(peers) => peers,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        for peer in peers.into_iter().map(unmapped) {
            let mut ways = locals.iter().filter_map(|local| towards(*local, peer)).peekable();
            if ways.peek().is_none() {
                other_family.push(peer);
            }
            for local in ways {
                match socket::connect(local, peer, options) {
                    Ok(socket) => return Ok((socket, local)),
                    Err(error) => failed.push(error),
                }
            }
        }
    }
    if failed.is_empty() {
        failed = other_family.into_iter().map(of_other_family).collect();
    }
    if failed.is_empty() {
        failed.push(AddrError::none());
    }
    Err(ConnectError::addrs(failed))
}

fn of_other_family(peer: SocketAddr) -> AddrError {
    let problem = format!("cannot connect to {peer}: the local address is of the other family");
    AddrError::refused(problem, std::io::ErrorKind::InvalidInput)
}

/// The addresses to send from. With `None`, the kernel chooses.
async fn locals(
    given: Option<Vec<Target>>,
    resolver: Resolver,
) -> Result<Vec<Option<SocketAddr>>, Vec<AddrError>> {
    let Some(targets) = given else { return Ok(vec![None]) };
    let mut locals = Vec::new();
    let mut failed = Vec::new();
    for target in targets {
        match target.resolve_by(resolver).await {
            Ok(addrs) => locals.extend(addrs.into_iter().map(unmapped).map(Some)),
            Err(error) => failed.push(error),
        }
    }
    if locals.is_empty() && failed.is_empty() {
        failed.push(AddrError::none());
    }
    if failed.is_empty() { Ok(locals) } else { Err(failed) }
}

/// Returns the address to send from to reach `peer`, or `None` if `local` and `peer` are of different
/// families. The inner `None` lets the kernel choose.
fn towards(local: Option<SocketAddr>, peer: SocketAddr) -> Option<Option<SocketAddr>> {
    let Some(local) = local else { return Some(None) };
    // `[::]` means all IPv4 addresses too.
    let any = local.ip() == Ipv6Addr::UNSPECIFIED && peer.is_ipv4();
    let local = if any { SocketAddr::from((Ipv4Addr::UNSPECIFIED, local.port())) } else { local };
    (local.is_ipv4() == peer.is_ipv4()).then_some(Some(local))
}
