//! Binds Unix sockets, and takes over those of the caller.

use super::{BoundSockets, addrs::BoundAddr};
use crate::{
    AddrError, BindError,
    transport::{
        WorkerIndex,
        config::{OnUnix, Source, Unix},
        unix::{
            Options, OwnPath, UnixSocket,
            bind::{self, Bound},
            connect,
        },
    },
};

/// A Unix socket that is bound to a path, and its options.
pub(super) struct BoundPath {
    unix: Unix,
    bound: Bound,
}

/// The paths of a server, with their places among its transports.
type Paths = Vec<(usize, BoundPath)>;

/// Binds the paths among `others`, and takes them out of the list. `addrs` are the addresses that were bound
/// before, or the reasons why they were not.
///
/// # Errors
///
/// Returns all addresses and paths that cannot be bound. Then no path stays bound.
pub(super) fn bind(
    others: &mut Vec<(usize, Source)>,
    addrs: Result<Vec<BoundAddr>, Vec<AddrError>>,
) -> Result<(Paths, Vec<BoundAddr>), Vec<AddrError>> {
    let (addrs, mut failed) = match addrs {
        Ok(addrs) => (addrs, Vec::new()),
        Err(failed) => (Vec::new(), failed),
    };
    let is_path = |(_, source): &mut (usize, Source)| match source {
        Source::Unix(unix) => matches!(unix.on, OnUnix::Path(_)),
        _ => false,
    };
    let mut wanted: Vec<_> = others.extract_if(.., is_path).collect();
    // Replacing a socket cannot be undone, so everything else is tried before.
    wanted.sort_by_key(|(_, source)| match source {
        Source::Unix(unix) => unix.binding().replace_stale,
        _ => false,
    });
    let mut paths = Vec::new();
    for (place, source) in wanted {
        let Source::Unix(unix) = source else { continue };
        let OnUnix::Path(path) = &unix.on else { continue };
        if !failed.is_empty() && unix.binding().replace_stale {
            continue;
        }
        match bind::bind(path, unix.binding()) {
            Ok(bound) => paths.push((place, BoundPath { unix, bound })),
            Err(error) => failed.push(error),
        }
    }
    if failed.is_empty() { Ok((paths, addrs)) } else { Err(failed) }
}

impl BoundSockets {
    /// Adds a Unix socket that was just bound.
    pub(super) fn add_unix(&mut self, place: usize, path: BoundPath) -> Result<(), BindError> {
        let BoundPath { unix, bound: (own_path, socket) } = path;
        self.add_bound(place, unix.options(), unix.requested(), own_path, || Ok(socket))
    }

    /// Adds a Unix socket of the caller's.
    pub(super) fn adopt_unix(&mut self, place: usize, unix: Unix) -> Result<(), BindError> {
        let (binding, options, requested) = (unix.binding(), unix.options(), unix.requested());
        let OnUnix::Socket(socket) = unix.on else { return Ok(()) };
        let adopt = || connect::adopt(socket.into_std()?, binding);
        self.add_bound(place, options, requested, None, adopt)
    }

    fn add_bound(
        &mut self,
        place: usize,
        options: Options,
        requested: [Option<usize>; 2],
        own_path: Option<OwnPath>,
        socket: impl FnOnce() -> std::io::Result<std::os::unix::net::UnixDatagram>,
    ) -> Result<(), BindError> {
        let make = || Ok(Box::new(UnixSocket::new(socket()?, None, options)?) as Box<_>);
        self.add(place, WorkerIndex::ALONE, requested, make)?;
        if let Some((_, bound)) = self.bound.last_mut() {
            bound.own_path = own_path;
        }
        Ok(())
    }
}
