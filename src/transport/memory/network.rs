//! The network: its hosts, and how it delivers, delays or loses a datagram.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::{sync::Notify, time::Instant};

use super::conditions::Conditions;
use crate::{Addr, transport::unmapped};

/// A network in memory, for tests of servers, clients and handlers. It needs no sockets of the system, and
/// loses, delays and reorders datagrams under given [`Conditions`].
///
/// All random decisions come from a seed, so the same test gives the same sequence of events each time. Under
/// tokio's paused clock, a test that spans hours takes milliseconds. A network is cheap to clone; all clones
/// are the same network.
///
/// # In a test
///
/// `#[tokio::test(start_paused = true)]` pauses the clock of a test. That needs these two lines under
/// `[dev-dependencies]`:
///
/// ```toml
/// datagrammar = { path = "path/to/this/checkout", features = ["testing"] }
/// tokio = { version = "1", features = ["macros", "rt", "test-util"] }
/// ```
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Server, Text, testing::{Conditions, Network}};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let network = Network::new(1, Conditions::default());
/// let server = Server::bind(network.bind("10.0.0.1:9000")?, Text, async |text: String| text).await?;
/// server.spawn();
///
/// let socket = network.connect("10.0.0.2:0", "10.0.0.1:9000")?;
/// let client = Client::connect(socket, Text).await?;
/// client.send("hello".to_owned()).await?;
/// assert_eq!(client.recv().await?, "hello");
/// assert_eq!((network.sent(), network.lost()), (2, 0));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "simulator")]
#[doc(alias = "testing")]
#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    conditions: Conditions,
    rng: Rng,
    hosts: BTreeMap<Addr, Host>,
    sent: u64,
    lost: u64,
}

/// The state of one bound socket in the network.
#[derive(Debug, Default)]
struct Host {
    /// The only peer that it receives from, if it is connected.
    peer: Option<Addr>,
    arriving: BinaryHeap<Reverse<Arriving>>,
    recv_errors: VecDeque<io::ErrorKind>,
    send_errors: VecDeque<io::ErrorKind>,
    held: bool,
    /// Notified when one of the fields above changes.
    changed: Arc<Notify>,
}

/// Ordered by the time of arrival. Of two datagrams with the same time, the one that was sent first comes
/// first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arriving {
    at: Instant,
    number: u64,
    from: Addr,
    bytes: Vec<u8>,
}

impl Network {
    /// Makes a network with these conditions. The same `seed` gives the same sequence of losses, delays and
    /// duplicates.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        let rng = Rng::with_seed(seed);
        let state = State { conditions, rng, hosts: BTreeMap::new(), sent: 0, lost: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Changes the conditions for datagrams that are sent from now on.
    pub fn set_conditions(&self, conditions: Conditions) {
        self.lock().conditions = conditions;
    }

    /// Makes the next `times` receives of the socket at `addr` fail with an error of this kind.
    pub fn fail_recv(&self, addr: impl Into<Addr>, kind: io::ErrorKind, times: usize) {
        self.change(&addr.into(), |host| host.recv_errors.extend(std::iter::repeat_n(kind, times)));
    }

    /// Makes the next `times` sends of the socket at `addr` fail with an error of this kind.
    pub fn fail_send(&self, addr: impl Into<Addr>, kind: io::ErrorKind, times: usize) {
        self.change(&addr.into(), |host| host.send_errors.extend(std::iter::repeat_n(kind, times)));
    }

    /// Makes the send buffer of the socket at `addr` full, so that sends wait, or makes it empty again.
    pub fn hold_sends(&self, addr: impl Into<Addr>, held: bool) {
        self.change(&addr.into(), |host| host.held = held);
    }

    /// Returns how many datagrams were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.lock().sent
    }

    /// Returns how many datagrams were lost: by chance, because they were too long, because there was no
    /// receiver, or because the receiver's buffer was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Binds a host; returns its address, and the `Notify` for its changes.
    pub(super) fn open(
        &self,
        local: SocketAddr,
        peer: Option<Addr>,
    ) -> io::Result<(Addr, Arc<Notify>)> {
        let mut local = unmapped(local);
        if local.ip().is_unspecified() {
            let text = format!("{local} is a wildcard address, a socket in memory has one address");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut state = self.lock();
        if local.port() == 0 {
            let free =
                |port: &u16| !state.hosts.contains_key(&SocketAddr::new(local.ip(), *port).into());
            let port = (49_152..=u16::MAX).find(free).ok_or(io::ErrorKind::AddrInUse)?;
            local.set_port(port);
        }
        let addr = Addr::from(local);
        if state.hosts.contains_key(&addr) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let host = Host { peer, ..Host::default() };
        let changed = Arc::clone(&host.changed);
        state.hosts.insert(addr.clone(), host);
        Ok((addr, changed))
    }

    pub(super) fn close(&self, addr: &Addr) {
        self.lock().hosts.remove(addr);
    }

    /// The time when `addr` has something to receive; `None` if nothing is under way.
    pub(super) fn next_arrival(&self, addr: &Addr) -> Option<Instant> {
        let state = self.lock();
        let host = state.hosts.get(addr)?;
        if host.recv_errors.is_empty() {
            host.arriving.peek().map(|Reverse(next)| next.at)
        } else {
            Some(Instant::now())
        }
    }

    /// Copies a datagram that has arrived at `addr` into `room`. Returns its whole length and its source.
    pub(super) fn take(&self, addr: &Addr, room: &mut [u8]) -> io::Result<(usize, Addr)> {
        let mut state = self.lock();
        let host = state.hosts.get_mut(addr).ok_or(io::ErrorKind::NotConnected)?;
        if let Some(error) = host.recv_errors.pop_front() {
            return Err(error.into());
        }
        if host.arriving.peek().is_none_or(|Reverse(next)| next.at > Instant::now()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(Reverse(Arriving { from, bytes, .. })) = host.arriving.pop() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let len = bytes.len().min(room.len());
        room[..len].copy_from_slice(&bytes[..len]);
        Ok((bytes.len(), from))
    }

    /// Whether the next receive at `addr` fails.
    pub(super) fn fails(&self, addr: &Addr) -> bool {
        self.lock().hosts.get(addr).is_none_or(|host| !host.recv_errors.is_empty())
    }

    pub(super) fn has_room(&self, addr: &Addr) -> bool {
        self.lock().hosts.get(addr).is_none_or(|host| !host.held)
    }

    pub(super) fn send(&self, from: &Addr, to: &Addr, datagram: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        let host = state.hosts.get_mut(from).ok_or(io::ErrorKind::NotConnected)?;
        if host.held {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let Some(error) = host.send_errors.pop_front() {
            return Err(error.into());
        }
        state.carry(from, to, datagram);
        Ok(())
    }

    fn change(&self, addr: &Addr, change: impl FnOnce(&mut Host)) {
        if let Some(host) = self.lock().hosts.get_mut(addr) {
            change(host);
            host.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Decides by chance whether a datagram is lost, duplicated, reordered or delayed. It draws equally many
    /// random numbers for each datagram, so that a lost one does not change the results for all later ones.
    fn carry(&mut self, from: &Addr, to: &Addr, datagram: &[u8]) {
        let Conditions { loss, duplicate, reorder, delay, mtu, buffer } = &self.conditions;
        let lost = self.rng.f64() < *loss || datagram.len() > *mtu;
        let copies = if self.rng.f64() < *duplicate { 2 } else { 1 };
        let held_back = if self.rng.f64() < *reorder { 1.0 } else { 0.0 } * self.rng.f64();
        let spreads = [self.rng.f64(), self.rng.f64()];
        let now = Instant::now();
        self.sent += 1;
        for (copy, spread) in (0..copies).zip(spreads) {
            let spread = delay.end().saturating_sub(*delay.start()).mul_f64(spread);
            let at = now + *delay.start() + spread + Duration::from_millis(10).mul_f64(held_back);
            let room = |host: &&mut Host| {
                host.arriving.len() < *buffer && host.peer.as_ref().is_none_or(|peer| peer == from)
            };
            match self.hosts.get_mut(to).filter(room).filter(|_| !lost) {
                Some(host) => {
                    let (number, bytes) = (2 * self.sent + copy, datagram.to_vec());
                    host.arriving.push(Reverse(Arriving { at, number, from: from.clone(), bytes }));
                    host.changed.notify_waiters();
                }
                None => self.lost += 1,
            }
        }
    }
}
