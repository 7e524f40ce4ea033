//! One socket to one server: the requests that wait on it, and the task that receives their responses.

mod challenge;
mod registered;

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    io,
    sync::{Arc, Mutex, atomic::AtomicU32},
    time::Duration,
};

use tokio::{
    task::{JoinHandle, coop},
    time::{Instant, sleep, sleep_until},
};

use super::{
    ids::Ids,
    slot::Slot,
    transfer::{Received, Transfer},
};
use crate::{
    Chunked, Correlated,
    chunk::{Part, is_part},
    client::{
        arrived::{Arrived, Next},
        link::Link,
    },
    client_envelope::LastSent,
    lock::locked,
    panic,
    stats::{RequestCounters, add},
    timing::after,
    token::{Envelope, Stamped, TokenJar},
    transport::is_about_sending,
};

pub(super) use registered::Registered;

/// How many datagrams may be unsent. More are dropped, and a timer sends them again.
const MOST_UNSENT: usize = 1_024;

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
    chunked: Option<Chunked>,
    /// The token of the server for this socket, if the datagrams are in envelopes.
    jar: Option<TokenJar>,
    /// The one-way packet that was sent last, and its id.
    notification: Mutex<Option<(u64, LastSent)>>,
    /// The number of the next request in chunks. It begins at random and rises by one, so that two requests have the same
    /// one only after 2^32 others, also if their ids are equal.
    next_number: AtomicU32,
    waiting: Mutex<Waiting>,
    /// Chunks, lists and answers to challenges for which there was no room.
    unsent: Mutex<VecDeque<(u64, Vec<u8>)>>,
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
    /// If there may be chunks.
    transfer: Option<Arc<Mutex<Transfer>>>,
    /// If it is in an envelope.
    stamped: Option<Arc<Mutex<Stamped>>>,
}

/// The settings of each socket.
#[derive(Clone, Debug)]
pub(super) struct SocketOptions {
    pub(super) max_datagram_size: usize,
    /// How long an id is not used again.
    pub(super) reserve: Duration,
    pub(super) chunked: Option<Chunked>,
    pub(super) has_envelope: bool,
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
        let least = if options.has_envelope { Envelope::CHALLENGE } else { 0 };
        let arrived = Arrived::new(options.max_datagram_size.max(least).min(link.longest()));
        let chunked = options.chunked.clone();
        let next_number = AtomicU32::new(RandomState::new().hash_one(0) as u32);
        let waiting = Mutex::new(waiting);
        let core = Arc::new(Core {
            link,
            server,
            chunked,
            jar: options.has_envelope.then(TokenJar::default),
            notification: Mutex::default(),
            next_number,
            waiting,
            unsent: Mutex::default(),
            counters,
        });
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

    /// The length of the longest datagram of a request.
    pub(super) fn max_len(&self) -> usize {
        match &self.core.chunked {
            // With its kind.
            Some(chunked) => chunked.get_limit().saturating_add(1),
            None => self.longest_datagram(),
        }
    }

    /// The length of the longest datagram that can be sent, without its envelope.
    pub(super) fn longest_datagram(&self) -> usize {
        let envelope = if self.core.jar.is_some() { Envelope::REQUEST_HEADER } else { 0 };
        self.link().max_len().saturating_sub(envelope)
    }

    /// Puts a one-way packet into its envelope, if there are envelopes. If a challenge comes within this time, the packet is
    /// sent again.
    pub(super) fn notification<'a>(
        &self,
        id: u64,
        datagram: &'a [u8],
        time: Duration,
    ) -> Cow<'a, [u8]> {
        let Some(jar) = &self.core.jar else { return datagram.into() };
        let mut stamped = Stamped::new(datagram);
        let sent = stamped.stamp(jar);
        let notification = LastSent::new(stamped, after(Instant::now(), time));
        *locked(&self.core.notification) = Some((id, notification));
        sent.into()
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

/// Receives responses until the task is aborted.
async fn drive<P: Correlated>(core: Arc<Core>, protocol: Arc<P>, mut arrived: Arrived) {
    /// After an error that is not about a datagram.
    const PAUSE: Duration = Duration::from_millis(10);

    loop {
        arrived.clear();
        match core.link.try_recv(&mut arrived.batch, false) {
            Ok(()) => core.receive(&*protocol, &mut arrived),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if core.ready().await.is_err() {
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
                Next::Datagram(datagram) => {
                    let Some(datagram) = self.open(datagram) else { continue };
                    match self.chunked.as_ref().filter(|_| is_part(datagram)) {
                        Some(options) => self.take_part(protocol, options, datagram),
                        None => self.respond(protocol, datagram, Instant::now()),
                    }
                }
                Next::TooLong => add(&self.counters.too_large, 1),
            }
        }
        if self.chunked.is_some() || self.jar.is_some() {
            self.flush();
        }
    }

    /// Brings a datagram to the request that it answers, or counts it.
    fn respond<P: Correlated>(&self, protocol: &P, datagram: &[u8], at: Instant) {
        let (late, unsolicited) = (&self.counters.late, &self.counters.unsolicited);
        // The user's code may panic, and no lock is held while it runs.
        let Ok(Some(id)) = panic::catch(|| protocol.id(datagram)) else {
            return add(unsolicited, 1);
        };
        let Some(Request { datagram: request, slot, .. }) = self.find(id) else { return };
        if !panic::catch(|| protocol.is_answer(&request, datagram)).unwrap_or(false) {
            add(unsolicited, 1);
        } else if !slot.respond(self.server, datagram, at) {
            add(late, 1);
        }
    }

    /// Finds the request that waits for a datagram with this id. If there is none, counts the datagram.
    fn find(&self, id: u64) -> Option<Request> {
        let waiting = locked(&self.waiting);
        let request = waiting.requests.get(&id).cloned();
        if request.is_none() {
            let is_old = waiting.single || waiting.ids.is_recent(id);
            add(if is_old { &self.counters.late } else { &self.counters.unsolicited }, 1);
        }
        request
    }

    /// Takes a chunk of a response, or a list of the chunks of a request that the server has not received.
    fn take_part<P: Correlated>(&self, protocol: &P, options: &Chunked, datagram: &[u8]) {
        let unsolicited = || add(&self.counters.unsolicited, 1);
        let Some(part) = Part::read(datagram) else { return unsolicited() };
        let (id, now) = (part.packet().id, Instant::now());
        let Some(Request { datagram: request, transfer: Some(transfer), stamped, .. }) =
            self.find(id)
        else {
            return;
        };
        let next = match part {
            Part::Missing(missing) => locked(&transfer).told(&missing, &request, now),
            Part::Chunk(chunk) => {
                let received = locked(&transfer).receive(&chunk, options.get_limit(), now);
                match received {
                    Received::Incomplete(next) => next.into_iter().collect(),
                    Received::Complete(response, since) => {
                        let response_id = panic::catch(|| protocol.id(&response));
                        if response_id.is_ok_and(|response_id| response_id == Some(id)) {
                            return self.respond(protocol, &response, since);
                        }
                        return unsolicited();
                    }
                    Received::Repeated => return add(&self.counters.late, 1),
                    Received::Refused => return unsolicited(),
                }
            }
        };
        self.send(id, self.stamp_parts(next, stamped.as_deref()));
    }

    /// Puts chunks and lists into envelopes with the newest token, if there are envelopes.
    fn stamp_parts(&self, parts: Vec<Vec<u8>>, stamped: Option<&Mutex<Stamped>>) -> Vec<Vec<u8>> {
        match (&self.jar, stamped) {
            (Some(jar), Some(stamped)) if !parts.is_empty() => {
                locked(stamped).stamp_parts(&parts, jar)
            }
            _ => parts,
        }
    }

    /// Adds datagrams of request `id` to those that are to be sent, unless it has ended.
    fn send(&self, id: u64, datagrams: Vec<Vec<u8>>) {
        let mut unsent = locked(&self.unsent);
        if locked(&self.waiting).requests.contains_key(&id) {
            let room = MOST_UNSENT.saturating_sub(unsent.len());
            unsent.extend(datagrams.into_iter().take(room).map(|datagram| (id, datagram)));
        }
    }

    /// Sends what is to be sent, as far as there is room.
    fn flush(&self) {
        let mut refused = None;
        let mut unsent = locked(&self.unsent);
        while let Some((_, datagram)) = unsent.front() {
            match self.link.try_send(datagram) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    add(&self.counters.send_errors, 1);
                    refused = Some(error).filter(is_about_sending);
                }
                Ok(()) => {}
            }
            unsent.pop_front();
        }
        drop(unsent);
        if let Some(error) = refused {
            self.unreachable(error.kind());
        }
    }

    /// Waits until there is something to receive, or room for what is to be sent.
    async fn ready(&self) -> io::Result<()> {
        if locked(&self.unsent).is_empty() {
            return self.link.readable().await;
        }
        tokio::select! {
            readable = self.link.readable() => readable,
            writable = self.link.writable() => {
                self.flush();
                writable
            }
        }
    }

    /// The error of the network about an earlier datagram. It does not say about which one.
    fn unreachable(&self, kind: io::ErrorKind) {
        let waiting = locked(&self.waiting);
        waiting.requests.values().for_each(|request| request.slot.unreachable(self.server, kind));
    }
}
