//! A store in memory that fails on request, and a peer that sends to several servers.

use std::{collections::HashMap, future::pending, sync::Mutex};

use datagrammar::{Begun, BoxError, ReplyStore, StoredRequest};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    time::Instant,
};

use super::*;
use crate::support::within_deadline;

/// A store that the servers of a test share. Its calls on requests that contain "gate" wait at the gate, and it never
/// answers whether one that contains "hang" is new.
#[derive(Clone, Debug)]
pub(super) struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    requests: Mutex<HashMap<Vec<u8>, Known>>,
    owners: AtomicUsize,
    /// What each call does, by the name of its method.
    moods: Mutex<HashMap<&'static str, Mood>>,
    calls: Mutex<Vec<String>>,
    gate: Gate,
}

#[derive(Debug)]
struct Known {
    owner: usize,
    reply: Option<Vec<u8>>,
    until: Instant,
}

/// What a call of the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Works,
    /// It waits for the gate first.
    Waits,
    Fails,
    /// It has its effect, and fails then.
    FailsLate,
    Panics,
    Hangs,
}

#[derive(Debug)]
pub(super) struct Key {
    request: Vec<u8>,
    text: String,
    owner: usize,
    /// The moods at the time when it was made.
    panics: bool,
}

impl Store {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            requests: Mutex::default(),
            owners: AtomicUsize::new(0),
            moods: Mutex::default(),
            calls: Mutex::default(),
            gate: Gate::closed(),
        }))
    }

    /// From now on, this method does that.
    pub(super) fn set(&self, method: &'static str, mood: Mood) {
        self.0.moods.lock().unwrap().insert(method, mood);
    }

    pub(super) fn open_gate(&self) {
        self.0.gate.open();
    }

    /// The calls so far: `begin 1 a`.
    pub(super) fn calls(&self) -> Vec<String> {
        self.0.calls.lock().unwrap().clone()
    }

    /// How often this call was made.
    pub(super) fn count(&self, call: &str) -> usize {
        self.calls().iter().filter(|made| *made == call).count()
    }

    /// Waits until this call was made so often, and has had its effect unless it waits or fails.
    pub(super) async fn made(&self, call: &str, times: usize) {
        until(|| self.count(call) >= times).await;
        assert_eq!(self.count(call), times, "{call}: {:?}", self.calls());
    }

    /// How many requests and replies it knows.
    pub(super) fn known(&self) -> (usize, usize) {
        let requests = self.0.requests.lock().unwrap();
        (requests.len(), requests.values().filter(|known| known.reply.is_some()).count())
    }

    /// How long it still knows the replies that it has.
    pub(super) fn times_left(&self) -> Vec<Duration> {
        let requests = self.0.requests.lock().unwrap();
        let replies = requests.values().filter(|known| known.reply.is_some());
        replies.map(|known| known.until - Instant::now()).collect()
    }

    /// Waits until it knows so many requests and replies.
    pub(super) async fn knows(&self, requests: usize, replies: usize) {
        until(|| self.known() == (requests, replies)).await;
    }

    fn mood(&self, method: &'static str) -> Mood {
        self.0.moods.lock().unwrap().get(method).copied().unwrap_or(Mood::Works)
    }

    /// Makes a call with this effect.
    async fn call<T>(
        &self,
        method: &'static str,
        key: &Key,
        effect: impl FnOnce(&mut HashMap<Vec<u8>, Known>) -> T + Send,
    ) -> Result<T, BoxError> {
        self.0.calls.lock().unwrap().push(format!("{method} {}", key.text));
        let mood = self.mood(method);
        match mood {
            Mood::Waits => self.0.gate.pass().await,
            Mood::Fails => return Err("it is down, as asked".into()),
            Mood::Panics => panic!("as asked"),
            Mood::Hangs => pending().await,
            Mood::Works | Mood::FailsLate => {}
        }
        if method == "begin" && key.text.contains("hang") {
            pending().await
        }
        if key.text.contains("gate") {
            self.0.gate.pass().await;
        }
        let done = effect(&mut self.0.requests.lock().unwrap());
        if mood == Mood::FailsLate { Err("it is down, as asked".into()) } else { Ok(done) }
    }
}

impl ReplyStore for Store {
    type Key = Key;

    fn key(&self, request: &StoredRequest<'_>) -> Key {
        assert_ne!(self.mood("key"), Mood::Panics, "as asked");
        let text = String::from_utf8_lossy(request.datagram()).into_owned();
        // A server with chunks has a kind in front of each packet.
        let datagram = request.datagram();
        let packet = datagram.strip_prefix(&[0]).unwrap_or(datagram);
        assert_eq!(request.id(), u64::from(packet[0] - b'0'));
        assert!(!request.peer().is_unnamed());
        Key {
            request: request.to_bytes(),
            text,
            owner: self.0.owners.fetch_add(1, Relaxed),
            panics: self.mood("drop") == Mood::Panics,
        }
    }

    async fn begin(&self, key: &Key, ttl: Duration) -> Result<Begun, BoxError> {
        self.call("begin", key, |requests| {
            let now = Instant::now();
            requests.retain(|_, known| known.until > now);
            let new = || Known { owner: key.owner, reply: None, until: now + ttl };
            let known = requests.entry(key.request.clone()).or_insert_with(new);
            match &known.reply {
                Some(reply) => Begun::Answered(reply.clone()),
                None if known.owner == key.owner => Begun::New,
                None => Begun::InProgress,
            }
        })
        .await
    }

    async fn complete(&self, key: &Key, reply: &[u8], ttl: Duration) -> Result<(), BoxError> {
        let (reply, until) = (Some(reply.to_vec()), Instant::now() + ttl);
        self.call("complete", key, |requests| {
            requests.insert(key.request.clone(), Known { owner: key.owner, reply, until });
        })
        .await
    }

    async fn forget(&self, key: &Key) -> Result<(), BoxError> {
        self.call("forget", key, |requests| {
            requests.retain(|name, known| *name != key.request || known.owner != key.owner);
        })
        .await
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        assert!(!self.panics, "as asked");
    }
}

/// A server of numbered texts that uses this store.
pub(super) fn replica<Form>(
    store: &Store,
    handler: impl IntoHandler<String, String, Form, Handler: datagrammar::Handler<String, String>>,
) -> ServerBuilder<Numbered> {
    Server::builder(Numbered, handler).reply_store(store.clone())
}

/// A peer that sends to several servers from one socket: it is a server itself, which receives what they send.
pub(super) struct Source {
    server: Running,
    heard: AsyncMutex<mpsc::UnboundedReceiver<String>>,
}

impl Source {
    pub(super) async fn on(net: &Net) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let listen = datagrammar::no_reply(move |text: String| {
            // The receiver may be gone at the end of a test.
            let _ = tell.send(text);
            ready(())
        });
        let server = net.serve(Server::builder(Text, listen)).await;
        Self { server, heard: AsyncMutex::new(heard) }
    }

    pub(super) async fn send(&self, to: &Running, text: &str) {
        let sender = self.sender(to.handle.local_addrs().swap_remove(0));
        within_deadline(sender.send(text.to_owned())).await.unwrap();
    }

    pub(super) fn sender(&self, to: Addr) -> datagrammar::PeerSender<String> {
        self.server.handle.sender(to).unwrap()
    }

    pub(super) async fn hear(&self) -> String {
        within_deadline(self.heard.lock().await.recv()).await.unwrap()
    }

    pub(super) async fn ask(&self, to: &Running, text: &str) -> String {
        self.send(to, text).await;
        self.hear().await
    }

    /// Whether nothing more has come. First wait for an effect that comes later.
    pub(super) async fn hears_nothing(&self) -> bool {
        self.heard.lock().await.try_recv().is_err()
    }

    pub(super) async fn stop(self) {
        self.server.stop().await;
    }
}
