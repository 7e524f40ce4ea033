//! One request: its attempts, until it is answered or given up.

use std::{io, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    shared::Shared,
    slot::{News, Response, Slot},
    socket::{Registered, Socket},
    transfer::Progress,
    window::Place,
};
use crate::{Correlated, RequestError, stats::add, timing::after};

/// A request in flight. When it is dropped, nothing more is sent for it.
pub(super) struct Exchange<'c, P> {
    shared: &'c Shared<P>,
    request: Vec<u8>,
    slot: Arc<Slot>,
    /// What was sent to each server.
    asked: Vec<Option<Asked>>,
    started: Instant,
    deadline: Instant,
    attempts: u32,
    /// The error of the last attempt that has failed at once.
    failure: Option<io::Error>,
    /// Whether an attempt has not failed at once, so that it may be answered.
    answerable: bool,
    finished: bool,
    /// Dropped last, so that the next request finds the id free.
    _place: Place,
}

/// What was sent to one server.
struct Asked {
    registered: Registered,
    attempts: u32,
    /// The attempts since something has arrived in chunks.
    in_silence: u32,
    /// How often something had arrived in chunks when the last datagrams were sent.
    steps: u64,
    sent: Instant,
    /// The timer of the last attempt.
    timer: Duration,
}

/// What ends the wait for a response.
enum Event {
    Response(Response),
    /// The attempt to this server has failed.
    Failed,
    Timer,
}

impl<'c, P: Correlated + Send + Sync + 'static> Exchange<'c, P> {
    /// Waits until the request may be sent, unless it has a place in the window already.
    pub(super) async fn begin(
        shared: &'c Shared<P>,
        request: Vec<u8>,
        place: Option<Place>,
        total: Duration,
    ) -> Result<Self, RequestError> {
        let started = Instant::now();
        let deadline = after(started, total);
        let place = match place {
            Some(place) => Ok(place),
            None => tokio::select! {
                biased;
                () = shared.closed() => return Err(RequestError::Closed),
                place = timeout_at(deadline, shared.window.enter()) => place,
            },
        };
        let Ok(place) = place else { return Err(timed_out(0, started)) };
        let asked = shared.servers.iter().map(|_| None).collect();
        let slot = Slot::new();
        Ok(Self {
            shared,
            request,
            slot,
            asked,
            started,
            deadline,
            attempts: 0,
            failure: None,
            answerable: false,
            finished: false,
            _place: place,
        })
    }

    /// Sends the request until there is a response. With `hedge`, the second attempt follows after that time, if
    /// that is earlier.
    pub(super) async fn run(mut self, hedge: Option<Duration>) -> Result<Response, RequestError> {
        let outcome = self.attempts(hedge).await;
        self.finished = true;
        let counters = &*self.shared.counters;
        match &outcome {
            Ok(response) => self.learn(response),
            Err(RequestError::TimedOut { .. }) => add(&counters.timed_out, 1),
            Err(RequestError::Unreachable(_)) => add(&counters.unreachable, 1),
            Err(RequestError::RetryBudgetExhausted { .. }) => {
                add(&counters.retry_budget_exhausted, 1);
            }
            Err(_) => {}
        }
        outcome
    }

    async fn attempts(&mut self, hedge: Option<Duration>) -> Result<Response, RequestError> {
        let servers = self.shared.servers.len();
        let first = self.shared.preferred();
        // How many attempts there were since a timer has expired.
        let mut in_a_row = 0;
        for next in first.. {
            let server = next % servers;
            if self.attempts > 0 && !self.shared.may_repeat() {
                return Err(RequestError::RetryBudgetExhausted { attempts: self.attempts });
            }
            in_a_row += 1;
            let last = self.attempts + 1 == self.shared.max_attempts;
            let mut failed = !self.attempt(server).await?;
            // The attempt may have waited for an id.
            let asked = self.asked[server].as_ref().map(|asked| (asked.sent, asked.timer));
            let (mut sent, timer) = asked.unwrap_or_else(|| (Instant::now(), Duration::ZERO));
            let hedge = hedge.filter(|hedge| self.attempts == 1 && *hedge < timer);
            let mut until = after(sent, hedge.unwrap_or(timer)).min(self.deadline);
            loop {
                // Another server is asked at once.
                if failed && in_a_row < servers && !last {
                    break;
                }
                match self.event(server, until).await? {
                    Event::Response(response) => return Ok(response),
                    Event::Failed => failed = true,
                    Event::Timer => {
                        // A hedge does not wait for chunks, unless they are those of a response.
                        if (hedge.is_none() || self.is_answering(server))
                            && let Some(resumed) = self.resume(server, sent).await?
                        {
                            (sent, until) = resumed;
                            continue;
                        }
                        in_a_row = 0;
                        if hedge.is_none() && !failed {
                            self.shared.window.expired(sent);
                        }
                        break;
                    }
                }
            }
            self.answerable |= !failed;
            if last || Instant::now() >= self.deadline {
                break;
            }
        }
        Err(match self.failure.take() {
            Some(error) if !self.answerable => RequestError::Unreachable(error),
            _ => timed_out(self.attempts, self.started),
        })
    }

    /// Sends the request to a server. Returns false if the kernel refuses it.
    async fn attempt(&mut self, server: usize) -> Result<bool, RequestError> {
        let shared = self.shared;
        let timing = &shared.timing;
        let asked = match &mut self.asked[server] {
            Some(asked) => asked,
            none => {
                let socket = shared.servers[server].socket().ok_or(RequestError::Closed)?;
                let (len, max) = (self.request.len(), socket.max_len());
                if len > max {
                    let kind = shared.protocol.kind_len();
                    return Err(RequestError::TooLarge { len: len - kind, max: max - kind });
                }
                let id = tokio::select! {
                    biased;
                    () = shared.closed() => return Err(RequestError::Closed),
                    id = timeout_at(self.deadline, socket.take_id()) => id,
                };
                let Ok(id) = id else { return Err(timed_out(self.attempts, self.started)) };
                shared.protocol.set_id(id, &mut self.request);
                let registered = socket.register(id, self.request[..].into(), &self.slot);
                let (sent, timer) = (Instant::now(), Duration::ZERO);
                let (attempts, in_silence, steps) = (0, 0, 0);
                none.insert(Asked { registered, attempts, in_silence, steps, sent, timer })
            }
        };
        let this = &shared.servers[server];
        if let Some(time) = asked.registered.take_round_trip() {
            this.sample(time);
        }
        asked.timer = this.timer(timing, asked.in_silence, shared.jitter.next());
        asked.registered.rest = asked.timer;
        let parts = asked.registered.parts(asked.attempts);
        asked.steps = asked.registered.progress().map_or(0, |progress| progress.steps);
        asked.attempts += 1;
        asked.in_silence += 1;
        self.attempts += 1;
        add(
            if self.attempts == 1 { &shared.counters.requests } else { &shared.counters.retries },
            1,
        );
        add(&shared.counters.attempts, 1);
        asked.sent = Instant::now();
        let registered = &asked.registered;
        let sending = async {
            let first = send_all(&registered.socket, &parts).await?;
            match registered.whole() {
                Some(datagram) => send(&registered.socket, &datagram).await,
                None => Ok(first),
            }
        };
        let sent = tokio::select! {
            biased;
            () = shared.closed() => return Err(RequestError::Closed),
            sent = timeout_at(self.deadline, sending) => sent,
        };
        match sent {
            Ok(Ok(at)) => {
                asked.sent = at;
                Ok(true)
            }
            Ok(Err(error)) => {
                add(&shared.counters.send_errors, 1);
                self.refused(server, error);
                Ok(false)
            }
            // There was no room in the kernel until now.
            Err(_) => Ok(true),
        }
    }

    /// A timer has expired. If something has arrived in chunks since the time `sent`, waits on, and sends or asks for what
    /// is missing once the timer has expired since that too. Returns when that was, and when the next timer expires.
    async fn resume(
        &mut self,
        server: usize,
        sent: Instant,
    ) -> Result<Option<(Instant, Instant)>, RequestError> {
        let shared = self.shared;
        let now = Instant::now();
        let Some(asked) = self.asked[server].as_mut().filter(|_| now < self.deadline) else {
            return Ok(None);
        };
        let progress = asked.registered.progress().filter(|progress| progress.steps > asked.steps);
        let Some(Progress { steps, at }) = progress else { return Ok(None) };
        asked.in_silence = 0;
        let this = &shared.servers[server];
        if let Some(time) = asked.registered.take_round_trip() {
            this.sample(time);
        }
        let timer = this.timer(&shared.timing, 0, 0.0);
        let until = after(at, timer);
        if until > now {
            return Ok(Some((sent, until.min(self.deadline))));
        }
        asked.steps = steps;
        shared.window.expired(sent);
        add(&shared.counters.resumed, 1);
        let datagrams = asked.registered.resume();
        let sent = tokio::select! {
            biased;
            () = shared.closed() => return Err(RequestError::Closed),
            sent = timeout_at(self.deadline, send_all(&asked.registered.socket, &datagrams)) => sent,
        };
        if let Ok(Err(_)) = sent {
            add(&shared.counters.send_errors, 1);
        }
        Ok(Some((now, after(now, timer).min(self.deadline))))
    }

    /// Whether a chunk of a response has arrived from this server.
    fn is_answering(&self, server: usize) -> bool {
        self.asked[server].as_ref().is_some_and(|asked| asked.registered.is_answering())
    }

    /// Waits for a response, for the failure of the attempt to `server`, or until `until`.
    async fn event(&mut self, server: usize, until: Instant) -> Result<Event, RequestError> {
        loop {
            let news = tokio::select! {
                biased;
                () = self.shared.closed() => return Err(RequestError::Closed),
                news = self.slot.news() => news,
                () = sleep_until(until) => return Ok(Event::Timer),
            };
            match news {
                News::Response(response) => return Ok(Event::Response(response)),
                News::Unreachable(servers) => {
                    let mut failed = false;
                    for (unreachable, kind) in servers {
                        self.refused(unreachable, kind.into());
                        failed |= unreachable == server;
                    }
                    if failed {
                        return Ok(Event::Failed);
                    }
                }
            }
        }
    }

    /// An attempt to `server` has failed.
    fn refused(&mut self, server: usize, error: io::Error) {
        if let Some(asked) = &self.asked[server]
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            self.shared.servers[server].replace(&asked.registered.socket);
        }
        self.failure = Some(error);
    }

    /// Learns from a response.
    fn learn(&mut self, response: &Response) {
        let shared = self.shared;
        shared.window.answered();
        shared.prefer(response.server);
        let server = &shared.servers[response.server];
        let Some(asked) = &mut self.asked[response.server] else { return };
        if let Some(time) = asked.registered.take_round_trip() {
            server.sample(time);
        } else if asked.registered.is_in_chunks() {
            // There were several round trips, and none could be measured.
        } else if asked.attempts == 1 && asked.registered.is_challenged() {
            // Nobody knows which of two datagrams was answered.
        } else if asked.attempts == 1 {
            let time = response.at - asked.sent;
            server.sample(time);
            shared.counters.round_trip(time);
        } else {
            server.answered_after(asked.timer);
        }
        let registered = &asked.registered;
        if self.attempts == 1 && !registered.is_challenged() && registered.progress().is_none() {
            // No other response can come, and no chunk of this one.
            asked.registered.rest = Duration::ZERO;
        }
    }
}

impl<P> Drop for Exchange<'_, P> {
    fn drop(&mut self) {
        if !self.finished && self.attempts > 0 {
            add(&self.shared.counters.cancelled, 1);
        }
    }
}

/// Sends a datagram, as soon as there is room; returns when it was sent.
pub(super) async fn send(socket: &Socket, datagram: &[u8]) -> io::Result<Instant> {
    let link = socket.link();
    loop {
        // A response may come before the call returns.
        let at = Instant::now();
        match link.try_send(datagram) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.writable().await?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return sent.map(|()| at),
        }
    }
}

/// Sends datagrams; returns when the first one was sent.
async fn send_all(socket: &Socket, datagrams: &[Vec<u8>]) -> io::Result<Instant> {
    let mut first = None;
    for datagram in datagrams {
        let at = send(socket, datagram).await?;
        first.get_or_insert(at);
    }
    Ok(first.unwrap_or_else(Instant::now))
}

fn timed_out(attempts: u32, started: Instant) -> RequestError {
    RequestError::TimedOut { attempts, elapsed: started.elapsed() }
}
