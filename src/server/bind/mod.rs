//! Binds the transports of a server: all of them or none.

mod addrs;
#[cfg(unix)]
mod take_over;
#[cfg(unix)]
mod unix;

use std::net::SocketAddr;

use addrs::{BoundAddr, Group};

use super::multicast;
#[cfg(unix)]
use std::sync::Arc;

#[cfg(unix)]
use crate::handover::intake::{Intake, Predecessor};
#[cfg(unix)]
use crate::transport::{inherited::Claims, unix::OwnPath};
use crate::{
    AddrError, BindError, OptionError,
    engine::dedicated_thread::DedicatedThread,
    transport::{
        Filter, Transport, WorkerIndex,
        config::{On, Source, Udp},
        options::Options,
        socket,
    },
};

/// A bound socket of a server.
pub(super) struct Bound {
    /// The path of the socket. It is removed when this is dropped, while the socket is open.
    #[cfg(unix)]
    pub(super) own_path: Option<OwnPath>,
    /// What comes from the process before this one.
    #[cfg(unix)]
    pub(super) intake: Option<Arc<Intake>>,
    pub(super) transport: Box<dyn Transport>,
    /// The thread of its worker, if the worker has its own thread.
    pub(super) thread: Option<DedicatedThread>,
    /// The sizes requested for the receive buffer and the send buffer, in bytes.
    pub(super) requested: [Option<usize>; 2],
    /// Whether this is the first of the workers at its address.
    pub(super) is_first_worker: bool,
}

impl Bound {
    /// A socket without a thread of its own.
    pub(super) const fn new(transport: Box<dyn Transport>) -> Self {
        Self {
            transport,
            thread: None,
            requested: [None; 2],
            is_first_worker: true,
            #[cfg(unix)]
            own_path: None,
            #[cfg(unix)]
            intake: None,
        }
    }
}

/// How many datagrams are discarded at once from one socket, at most. A buffer of 64 MiB holds fewer.
pub(super) const MOST_DISCARDED: usize = 1 << 18;

/// What a server is bound to.
pub(super) struct AllBound {
    pub(super) sockets: Vec<Bound>,
    /// The process that had the sockets before.
    #[cfg(unix)]
    pub(super) predecessor: Option<Predecessor>,
}

/// Binds all of `sources`, in their order. The filter, and whether datagrams come through proxies, are for those of UDP.
pub(super) async fn bind(
    sources: Vec<Source>,
    dedicated_threads: bool,
    filter: Option<Filter>,
    has_proxies: bool,
) -> Result<AllBound, BindError> {
    #[cfg(unix)]
    let (sources, taken) = take_over::find(sources).await?;
    #[cfg(not(unix))]
    let sources = sources.into_iter().enumerate().collect();
    let Sorted {
        mut groups,
        mut others,
        #[cfg(unix)]
        claims,
    } = sorted(sources)?;
    #[cfg(unix)]
    let any = taken.is_some();
    #[cfg(not(unix))]
    let any = false;
    if groups.is_empty() && others.is_empty() && !any {
        return Err(BindError::Addrs(vec![AddrError::none()]));
    }
    let other_udp = others.iter_mut().filter_map(|(_, source)| match source {
        Source::Udp(udp) => Some(udp),
        #[cfg(any(feature = "testing", unix))]
        _ => None,
    });
    for udp in groups.iter_mut().map(|group| &mut group.udp).chain(other_udp) {
        udp.options.kernel_filter.clone_from(&filter);
        udp.options.has_proxies = has_proxies;
    }
    let addrs = addrs::bind(&groups, &ipv4_ports(&others)).await;
    #[cfg(unix)]
    let (paths, addrs) = unix::bind(&mut others, addrs).map_err(BindError::addrs)?;
    #[cfg(not(unix))]
    let addrs = addrs.map_err(BindError::addrs)?;
    let mut binding = BoundSockets { dedicated_threads, bound: Vec::new() };
    #[cfg(unix)]
    let predecessor = taken.map(|taken| binding.add_taken(taken)).transpose()?;
    for BoundAddr { socket, index, group } in addrs {
        let Group { udp, place } = &groups[group];
        let make = || socket::transport(socket, index, &udp.options, true);
        binding.add(*place, index, udp.options.buffers().map(Some), make)?;
    }
    for Group { udp, place } in &groups {
        binding.join_multicast(*place, &udp.options)?;
    }
    for (place, source) in others {
        binding.add_other(place, source)?;
    }
    #[cfg(unix)]
    for (place, bound) in paths {
        binding.add_unix(place, bound)?;
    }
    #[cfg(unix)]
    claims.keep();
    binding.bound.sort_by_key(|(place, _)| *place);
    let sockets = binding.bound.into_iter().map(|(_, bound)| bound).collect();
    Ok(AllBound {
        sockets,
        #[cfg(unix)]
        predecessor,
    })
}

/// The sources of a server, sorted by how they are bound. Each has its place among all sources.
#[derive(Default)]
struct Sorted {
    /// The addresses, by transport.
    groups: Vec<Group>,
    /// The sockets that exist already.
    others: Vec<(usize, Source)>,
    /// The inherited sockets among them.
    #[cfg(unix)]
    claims: Claims,
}

fn sorted(sources: Vec<(usize, Source)>) -> Result<Sorted, BindError> {
    let mut sorted = Sorted::default();
    for (place, source) in sources {
        #[cfg_attr(
            not(any(feature = "testing", unix)),
            expect(clippy::infallible_destructuring_match, reason = "elsewhere there are more")
        )]
        let udp = match source {
            Source::Udp(udp) => udp,
            #[cfg(unix)]
            Source::Unix(unix) => {
                unix.check_server()?;
                sorted.others.push((place, Source::Unix(unix)));
                continue;
            }
            #[cfg(unix)]
            Source::Inherited(inherited) => {
                let sockets = sorted.claims.take(inherited)?;
                sorted.others.extend(sockets.into_iter().map(|socket| (place, socket)));
                continue;
            }
            // Its sockets are there already.
            #[cfg(unix)]
            Source::TakeOver(..) => continue,
            #[cfg(feature = "testing")]
            Source::Memory(_) => {
                sorted.others.push((place, source));
                continue;
            }
        };
        udp.check_server()?;
        if matches!(udp.on, On::Socket(_)) {
            sorted.others.push((place, Source::Udp(udp)));
            continue;
        }
        sorted.groups.push(Group { udp, place });
    }
    Ok(sorted)
}

/// The ports of the caller's sockets that have an IPv4 address.
fn ipv4_ports(others: &[(usize, Source)]) -> Vec<u16> {
    let addr = |(_, source): &(usize, Source)| match source {
        Source::Udp(Udp { on: On::Socket(socket), .. }) => socket.local_addr().ok(),
        _ => None,
    };
    others.iter().filter_map(addr).filter(SocketAddr::is_ipv4).map(|addr| addr.port()).collect()
}

/// The sockets that are bound so far, with their places.
struct BoundSockets {
    dedicated_threads: bool,
    bound: Vec<(usize, Bound)>,
}

impl BoundSockets {
    /// Adds the socket that `make` makes for one worker of an address.
    fn add(
        &mut self,
        place: usize,
        index: WorkerIndex,
        requested: [Option<usize>; 2],
        make: impl FnOnce() -> std::io::Result<Box<dyn Transport>>,
    ) -> Result<(), BindError> {
        let number = self.bound.len();
        let thread = self.dedicated_threads.then(|| DedicatedThread::new(number)).transpose()?;
        let transport = {
            // The socket must be registered with the runtime that drives it.
            let _entered = thread.as_ref().map(DedicatedThread::enter);
            make()?
        };
        if index.of > 1 {
            // While not all workers of the address were bound, the kernel may have put datagrams of other
            // workers' peers into this socket.
            transport.discard(MOST_DISCARDED);
        }
        let is_first_worker = index.number + 1 == index.of;
        let bound = Bound { thread, requested, is_first_worker, ..Bound::new(transport) };
        self.bound.push((place, bound));
        Ok(())
    }

    /// Adds the sockets of another process.
    #[cfg(unix)]
    fn add_taken(&mut self, taken: take_over::Taken) -> Result<Predecessor, BindError> {
        let take_over::Taken { place, path, connection, sockets, batch_io } = taken;
        let (outgoing, messages) = crate::handover::intake::Outgoing::new();
        let mut intakes = Vec::new();
        for (n, (info, fd)) in sockets.into_iter().enumerate() {
            let number = self.bound.len();
            let thread =
                self.dedicated_threads.then(|| DedicatedThread::new(number)).transpose()?;
            let (transport, own_path) = {
                let _entered = thread.as_ref().map(DedicatedThread::enter);
                take_over::take(fd, &info, batch_io).map_err(crate::TakeOverError::from)?
            };
            let is_first_worker = info.worker.number + 1 == info.worker.of;
            let intake = Arc::new(Intake::new(n as u32, Arc::clone(&outgoing)));
            intakes.push(Arc::clone(&intake));
            let bound = Bound {
                thread,
                is_first_worker,
                own_path,
                intake: Some(intake),
                ..Bound::new(transport)
            };
            self.bound.push((place, bound));
        }
        Ok(Predecessor { path, connection, outgoing, messages, intakes })
    }

    /// Adds a socket that exists already.
    fn add_other(&mut self, place: usize, source: Source) -> Result<(), BindError> {
        #[cfg_attr(
            not(any(feature = "testing", unix)),
            expect(clippy::infallible_destructuring_match, reason = "elsewhere there are more")
        )]
        let Udp { on, options, .. } = match source {
            Source::Udp(udp) => udp,
            #[cfg(unix)]
            Source::Unix(unix) => return self.adopt_unix(place, unix),
            // Its sockets are in its place.
            #[cfg(unix)]
            Source::Inherited(_) | Source::TakeOver(..) => return Ok(()),
            #[cfg(feature = "testing")]
            Source::Memory(socket) => {
                // It uses the clock of the runtime that serves, so its worker cannot have its own thread.
                let bound = Bound::new(Box::new(socket));
                self.bound.push((place, bound));
                return Ok(());
            }
        };
        let On::Socket(socket) = on else { return Ok(()) };
        let requested = [options.recv_buffer_size, options.send_buffer_size];
        let make = || socket::adopt(socket.into_std()?, &options);
        self.add(place, WorkerIndex::ALONE, requested, make)?;
        self.join_multicast(place, &options)
    }

    /// Joins the groups of `options` on the sockets at this place.
    fn join_multicast(&self, place: usize, options: &Options) -> Result<(), BindError> {
        for (group, interface) in &options.multicast {
            let here = self.bound.iter().filter(|(other, _)| *other == place);
            let sockets = here.filter_map(|(_, bound)| bound.transport.socket()).collect();
            multicast::join(sockets, *group, *interface)
                .map_err(|error| OptionError::refused("multicast", &error))?;
        }
        Ok(())
    }
}
