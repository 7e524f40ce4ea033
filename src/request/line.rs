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
pub(super) struct Line {
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
    slots: HashMap<u64, Arc<Slot>>,
    ids: Ids,
    /// With a single id, when it may be used again. It is not reserved for long, since nothing else could be sent.
    rests_until: Option<Instant>,
    single: bool,
}

/// The settings of each socket.
#[derive(Clone, Debug)]
pub(super) struct LineOptions {
    pub(super) max_datagram_size: usize,
    /// How long an id is not used again.
    pub(super) reserve: Duration,
}

impl Line {
    /// Starts to receive from `link`, which is connected to server number `server`.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub(super) fn new<P>(
        link: Link,
        server: usize,
        options: &LineOptions,
        protocol: &Arc<P>,
        counters: &Arc<RequestCounters>,
    ) -> Arc<Self>
    where
        P: Correlated + Send + Sync + 'static,
    {
        let max_id = protocol.max_id();
        let waiting = Waiting {
            slots: HashMap::new(),
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

    /// Takes an id for a request, as soon as there is one. Responses with that id go to `slot`.
    pub(super) async fn register(self: &Arc<Self>, slot: &Arc<Slot>) -> Registered {
        loop {
            let taken = locked(&self.core.waiting).take(slot);
            match taken {
                Ok(id) => return Registered { line: Arc::clone(self), id, rest: Duration::ZERO },
                Err(until) => sleep_until(until).await,
            }
        }
    }

    /// Takes an id for a packet without a response.
    pub(super) async fn take_id(&self) -> u64 {
        loop {
            let taken = locked(&self.core.waiting).ids_of_notifications();
            match taken {
                Ok(id) => return id,
                Err(until) => sleep_until(until).await,
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Waiting {
    fn take(&mut self, slot: &Arc<Slot>) -> Result<u64, Instant> {
        let id = if self.single {
            if let Some(until) = self.rests_until.filter(|until| *until > Instant::now()) {
                return Err(until);
            }
            0
        } else {
            self.ids.take()?
        };
        self.slots.insert(id, Arc::clone(slot));
        Ok(id)
    }

    fn ids_of_notifications(&mut self) -> Result<u64, Instant> {
        if self.single { Ok(0) } else { self.ids.take() }
    }
}

/// The id of a request on one socket. While this exists, responses with the id reach the request.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) line: Arc<Line>,
    pub(super) id: u64,
    /// How long a single id rests after this request.
    pub(super) rest: Duration,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut waiting = locked(&self.line.core.waiting);
        waiting.slots.remove(&self.id);
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
                // The user's code may panic.
                Next::Datagram(datagram) => match panic::catch(|| protocol.id(datagram)) {
                    Ok(Some(id)) => self.respond(id, datagram),
                    Ok(None) | Err(_) => add(&self.counters.unsolicited, 1),
                },
                Next::TooLong => add(&self.counters.too_large, 1),
            }
        }
    }

    fn respond(&self, id: u64, datagram: &[u8]) {
        let waiting = locked(&self.waiting);
        let counter = match waiting.slots.get(&id) {
            Some(slot) if slot.respond(self.server, datagram) => return,
            Some(_) => &self.counters.late,
            None if waiting.single || waiting.ids.is_recent(id) => &self.counters.late,
            None => &self.counters.unsolicited,
        };
        add(counter, 1);
    }

    /// The error of the network about an earlier datagram. It does not say about which one.
    fn unreachable(&self, kind: io::ErrorKind) {
        locked(&self.waiting).slots.values().for_each(|slot| slot.unreachable(self.server, kind));
    }
}
