//! One socket to one server: the requests that wait on it, and the task that receives their responses.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    task::{JoinHandle, coop},
    time::{Instant, sleep, sleep_until},
};

use super::{ids::Ids, slot::Slot};
use crate::{
    Correlated,
    client::{
        arrived::{Arrived, Next},
        link::Link,
    },
    lock::locked,
    panic,
    stats::{RequestCounters, add},
    transport::is_about_sending,
};

/// A connected socket with the task that receives from it. The task ends when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    core: Arc<Core>,
    driver: JoinHandle<()>,
}

#[derive(Debug)]
struct Core {
    link: Link,
    /// The number of the server.
    server: usize,
    waiting: Mutex<Waiting>,
    counters: Arc<RequestCounters>,
}

#[derive(Debug)]
struct Waiting {
    requests: HashMap<u64, Request>,
    ids: Ids,
    /// With a single id, when it may be used again. It is not reserved for long, since nothing else could be sent.
    rests_until: Option<Instant>,
    single: bool,
}

/// A request that waits: what was sent, and where its response goes.
#[derive(Clone, Debug)]
struct Request {
    datagram: Arc<[u8]>,
    slot: Arc<Slot>,
}

/// The settings of each socket.
#[derive(Clone, Debug)]
pub(super) struct SocketOptions {
    pub(super) max_datagram_size: usize,
    /// How long an id is not used again.
    pub(super) reserve: Duration,
}

impl Socket {
    /// Starts to receive from `link`, which is connected to server number `server`.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub(super) fn new<P>(
        link: Link,
        server: usize,
        options: &SocketOptions,
        protocol: &Arc<P>,
        counters: &Arc<RequestCounters>,
    ) -> Arc<Self>
    where
        P: Correlated + Send + Sync + 'static,
    {
        let max_id = protocol.max_id();
        let waiting = Waiting {
            requests: HashMap::new(),
            ids: Ids::new(max_id, options.reserve),
            rests_until: None,
            single: max_id == 0,
        };
        let counters = Arc::clone(counters);
        let arrived = Arrived::new(options.max_datagram_size.min(link.longest()));
        let core = Arc::new(Core { link, server, waiting: Mutex::new(waiting), counters });
        let drive = drive(Arc::clone(&core), Arc::clone(protocol), arrived);
        Arc::new(Self { core, driver: tokio::spawn(drive) })
    }

    pub(super) fn link(&self) -> &Link {
        &self.core.link
    }

    /// Takes an id, as soon as there is one.
    pub(super) async fn take_id(&self) -> u64 {
        loop {
            let taken = locked(&self.core.waiting).take_id();
            match taken {
                Ok(id) => return id,
                Err(until) => sleep_until(until).await,
            }
        }
    }

    /// Lets a single id rest: a packet was sent that is no request, and the server may answer it all the same.
    pub(super) fn rest(&self, time: Duration) {
        let mut waiting = locked(&self.core.waiting);
        waiting.rests_until = Instant::now().checked_add(time);
    }

    /// Responses with `id` that answer `datagram` go to `slot` from now on.
    pub(super) fn register(
        self: &Arc<Self>,
        id: u64,
        datagram: Arc<[u8]>,
        slot: &Arc<Slot>,
    ) -> Registered {
        let request = Request { datagram: Arc::clone(&datagram), slot: Arc::clone(slot) };
        locked(&self.core.waiting).requests.insert(id, request);
        Registered { socket: Arc::clone(self), id, datagram, rest: Duration::ZERO }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Waiting {
    /// Takes an id; if there is none, returns the time when to try again.
    fn take_id(&mut self) -> Result<u64, Instant> {
        if !self.single {
            return self.ids.take();
        }
        match self.rests_until.filter(|until| *until > Instant::now()) {
            Some(until) => Err(until),
            None => Ok(0),
        }
    }
}

/// The id of a request on one socket. While this exists, responses with the id reach the request.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) socket: Arc<Socket>,
    id: u64,
    /// What is sent.
    pub(super) datagram: Arc<[u8]>,
    /// How long a single id rests after this request.
    pub(super) rest: Duration,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut waiting = locked(&self.socket.core.waiting);
        waiting.requests.remove(&self.id);
        waiting.rests_until = Instant::now().checked_add(self.rest);
    }
}

/// Receives responses until the task is aborted.
async fn drive<P: Correlated>(core: Arc<Core>, protocol: Arc<P>, mut arrived: Arrived) {
    /// After an error that is not about a datagram.
    const PAUSE: Duration = Duration::from_millis(10);

    loop {
        arrived.clear();
        match core.link.try_recv(&mut arrived.batch, false) {
            Ok(()) => core.receive(&*protocol, &mut arrived),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if core.link.readable().await.is_err() {
                    sleep(PAUSE).await; // the runtime is shutting down
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_about_sending(&error) => core.unreachable(error.kind()),
            Err(_) => sleep(PAUSE).await,
        }
        coop::consume_budget().await;
    }
}

impl Core {
    /// Brings datagrams to the requests that they answer.
    fn receive<P: Correlated>(&self, protocol: &P, arrived: &mut Arrived) {
        let peer = &self.link.route.peer;
        while let Some(next) = arrived.take(peer) {
            match next {
                Next::Datagram(datagram) => self.respond(protocol, datagram),
                Next::TooLong => add(&self.counters.too_large, 1),
            }
        }
    }

    /// Brings a datagram to the request that it answers, or counts it.
    fn respond<P: Correlated>(&self, protocol: &P, datagram: &[u8]) {
        let (late, unsolicited) = (&self.counters.late, &self.counters.unsolicited);
        // The user's code may panic, and no lock is held while it runs.
        let Ok(Some(id)) = panic::catch(|| protocol.id(datagram)) else {
            return add(unsolicited, 1);
        };
        let (request, is_old) = {
            let waiting = locked(&self.waiting);
            let request = waiting.requests.get(&id).cloned();
            (request, waiting.single || waiting.ids.is_recent(id))
        };
        let Some(Request { datagram: request, slot }) = request else {
            return add(if is_old { late } else { unsolicited }, 1);
        };
        if !panic::catch(|| protocol.is_answer(&request, datagram)).unwrap_or(false) {
            add(unsolicited, 1);
        } else if !slot.respond(self.server, datagram) {
            add(late, 1);
        }
    }

    /// The error of the network about an earlier datagram. It does not say about which one.
    fn unreachable(&self, kind: io::ErrorKind) {
        let waiting = locked(&self.waiting);
        waiting.requests.values().for_each(|request| request.slot.unreachable(self.server, kind));
    }
}
