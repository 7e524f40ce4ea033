//! The store in NATS JetStream.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use async_nats::{
    ConnectOptions,
    jetstream::{
        self,
        context::{Context, PublishErrorKind},
        message::PublishMessage,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use datagrammar::BoxError;
use serde_json::{Value, json};

use crate::{Created, Entry, Revision, Store, StoreError};

/// Keeps entries in a key-value bucket of NATS JetStream (server 2.9 or later). A clone uses the same connection.
///
/// The first call opens the bucket, and makes it if it is not there. After that, `create`, `replace`, `put`, `delete`
/// and `get` are one round trip each. `create` takes a second one if the key has an entry, and
/// `delete_if_starts_with` two.
///
/// The bucket removes all entries after its `max_age`. An entry that should live for a shorter time holds that time,
/// in milliseconds, in the 8 bytes in front of its value. Whether it is over is decided by the time of NATS at which it
/// was written and the clock of the replica that reads it. So the clocks of the hosts must agree to within a part of
/// the shortest time. `replace` and `delete` do not read: they succeed for an entry whose time is over, as long as the
/// bucket has it and nobody has created it again.
///
/// While NATS is down, the client keeps what is written, and sends it when it is connected again. So a request that was
/// dropped meanwhile can be begun in NATS afterwards, by a replica that has given up. Its repetitions are dropped until
/// the [lease](crate::Replies::lease), or without one the whole time of the request, is over.
///
/// # What NATS can lose
///
/// A stream with one replica is as durable as its disk: NATS answers before it calls `fsync`. With
/// [`replicas`](NatsBucket::replicas) of 3, NATS answers when two of three servers have the entry.
#[derive(Clone)]
pub struct NatsStore(Arc<Inner>);

struct Inner {
    context: Context,
    bucket: NatsBucket,
    opened: Mutex<Option<Arc<Opened>>>,
}

struct Opened {
    stream: Stream<()>,
    /// `None` if the bucket keeps entries for ever.
    max_age: Option<Duration>,
}

/// The key-value bucket of a [`NatsStore`], and the options that it is made with. If the bucket exists, its own
/// options count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it has an effect only when it is given to a store"]
pub struct NatsBucket {
    name: String,
    max_age: Duration,
    max_bytes: u64,
    replicas: usize,
}

impl NatsBucket {
    /// Names a bucket, and says how long it keeps an entry at most. A name has letters, digits, `-` and `_`.
    ///
    /// For [`Replies`](crate::Replies), `max_age` must be at least the
    /// [`ttl`](datagrammar::ReplyCache::ttl) of the reply cache; for [`Sessions`](crate::Sessions), at least
    /// [their own](crate::Sessions::ttl).
    pub fn new(name: impl Into<String>, max_age: Duration) -> Self {
        Self { name: name.into(), max_age, max_bytes: 256 << 20, replicas: 1 }
    }

    /// Sets how many bytes the bucket may take, which NATS reserves. The default is 256 MiB. Beyond it, writes fail.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many servers of a NATS cluster keep each entry: 1, 3 or 5. The default is 1.
    pub const fn replicas(mut self, servers: usize) -> Self {
        self.replicas = servers;
        self
    }
}

/// The error code of JetStream.
const STREAM_NOT_FOUND: u64 = 10059;

/// How many bytes of an entry are its time to live.
const HEAD: usize = 8;

impl NatsStore {
    /// Makes a store of a URL (`nats://127.0.0.1:4222`, several ones with commas between them;
    /// `tls://` if the program has installed a crypto provider of rustls).
    ///
    /// It does not wait for the connection, so a program can start while NATS is down.
    ///
    /// # Errors
    ///
    /// The URL is invalid.
    pub async fn connect(url: &str, bucket: NatsBucket) -> Result<Self, StoreError> {
        let client = ConnectOptions::new()
            .retry_on_initial_connect()
            // The default waits for up to 4 s.
            .reconnect_delay_callback(|attempt| Duration::from_millis(50 * attempt.min(10) as u64))
            .connect(url)
            .await
            .map_err(StoreError::engine)?;
        Ok(Self::with_context(jetstream::new(client), bucket))
    }

    /// Makes a store that uses a JetStream context of the crate `async-nats`, for options that a URL does not have.
    #[must_use]
    pub fn with_context(context: Context, bucket: NatsBucket) -> Self {
        Self(Arc::new(Inner { context, bucket, opened: Mutex::default() }))
    }

    /// Returns the bucket, which the first call opens.
    async fn opened(&self) -> Result<Arc<Opened>, StoreError> {
        if let Some(opened) = &*self.kept() {
            return Ok(Arc::clone(opened));
        }
        // Those that come meanwhile open it too, which is harmless.
        let opened = Arc::new(self.open().await?);
        *self.kept() = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Arc<Opened>>> {
        self.0.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error of a call. The next one looks whether the bucket is there, in case NATS has lost it.
    fn failed(&self, error: impl Into<BoxError>) -> StoreError {
        *self.kept() = None;
        StoreError::engine(error)
    }

    async fn open(&self) -> Result<Opened, StoreError> {
        let NatsBucket { name, max_age, max_bytes, replicas } = &self.0.bucket;
        let name = format!("KV_{name}");
        let stream = self.0.context.get_stream_no_info(&name).await.map_err(StoreError::engine)?;
        let mut info = self.asked(format!("STREAM.INFO.{name}"), &json!({})).await?;
        if info["error"]["err_code"] == STREAM_NOT_FOUND {
            // What clients of NATS make for a key-value bucket. If another replica has made the same meanwhile, it is no
            // error.
            let config = json!({
                "name": name,
                "subjects": [format!("$KV.{}.>", self.0.bucket.name)],
                "max_age": u64::try_from(max_age.as_nanos()).unwrap_or(u64::MAX),
                "max_bytes": max_bytes,
                "max_msgs_per_subject": 1,
                "max_msgs": -1,
                "max_consumers": -1,
                "num_replicas": replicas,
                "retention": "limits",
                "storage": "file",
                "discard": "new",
                "allow_rollup_hdrs": true,
                "allow_direct": true,
                "deny_delete": true,
            });
            info = self.asked(format!("STREAM.CREATE.{name}"), &config).await?;
        }
        if let Some(error) = info["error"]["description"].as_str() {
            return Err(StoreError::engine(error));
        }
        match &info["config"]["max_msgs_per_subject"] {
            kept if *kept == 1 => {}
            kept => {
                return Err(StoreError::engine(format!(
                    "bucket keeps {kept} revisions, limit is 1"
                )));
            }
        }
        let max_age = info["config"]["max_age"].as_u64().ok_or(StoreError::Malformed)?;
        let max_age = Some(Duration::from_nanos(max_age)).filter(|age| !age.is_zero());
        Ok(Opened { stream, max_age })
    }

    /// Calls the API of JetStream. The types of `async-nats` refuse what servers before 2.10 answer here.
    async fn asked(&self, call: String, request: &Value) -> Result<Value, StoreError> {
        self.0.context.request(call, request).await.map_err(StoreError::engine)
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.0.bucket.name)
    }

    /// Writes an entry, if the newest message of its key has this sequence number (0 for none). Returns `None` if it
    /// has another one.
    async fn write(
        &self,
        key: &str,
        expected: Option<u64>,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Revision>, StoreError> {
        if let Some(limit) = self.opened().await?.max_age.filter(|limit| ttl > *limit) {
            return Err(StoreError::Ttl { ttl, limit });
        }
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let payload = [&ttl.to_be_bytes(), value].concat();
        let mut message = PublishMessage::build().payload(payload.into());
        if let Some(sequence) = expected {
            message = message.expected_last_subject_sequence(sequence);
        }
        let sent = self.0.context.send_publish(self.subject(key), message).await;
        match sent.map_err(|error| self.failed(error))?.await {
            Ok(ack) => Ok(Some(Revision::new(ack.sequence))),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Returns the newest message of a key, and whether its time is over.
    async fn newest(&self, key: &str) -> Result<Option<(Entry, bool)>, StoreError> {
        // The leader answers this, so it is not behind what was written.
        let found =
            self.opened().await?.stream.get_last_raw_message_by_subject(&self.subject(key)).await;
        let message = match found {
            Ok(message) => message,
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(None);
            }
            Err(error) => return Err(self.failed(error)),
        };
        let (ttl, value) =
            message.payload.split_first_chunk::<HEAD>().ok_or(StoreError::Malformed)?;
        let ttl = Duration::from_millis(u64::from_be_bytes(*ttl));
        // An entry of the future is new.
        let age = SystemTime::from(message.time).elapsed().unwrap_or_default();
        let entry = Entry::new(Revision::new(message.sequence), value.to_vec());
        Ok(Some((entry, age >= ttl)))
    }
}

impl Store for NatsStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let newest = self.newest(key).await?;
        Ok(newest.and_then(|(entry, is_over)| (!is_over).then_some(entry)))
    }

    async fn create(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Created, StoreError> {
        let mut expected = 0;
        loop {
            if let Some(revision) = self.write(key, Some(expected), value, ttl).await? {
                return Ok(Created::New(revision));
            }
            expected = match self.newest(key).await? {
                Some((entry, false)) => return Ok(Created::Exists(entry)),
                // The bucket still has it.
                Some((entry, true)) => entry.revision.get(),
                None => 0,
            };
        }
    }

    async fn replace(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Revision>, StoreError> {
        self.write(key, Some(revision.get()), value, ttl).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Revision, StoreError> {
        let written = self.write(key, None, value, ttl).await?;
        // Nothing was expected, so nothing else can be there.
        written.ok_or(StoreError::Malformed)
    }

    async fn delete(&self, key: &str, revision: Revision) -> Result<bool, StoreError> {
        // The bucket keeps one message of a key. So if there is a newer one, there is none up to this sequence number.
        // And unlike a deletion of key-value clients, this leaves no marker behind.
        let purge = self.opened().await?.stream.purge().filter(self.subject(key));
        let purged =
            purge.sequence(revision.get() + 1).await.map_err(|error| self.failed(error))?;
        Ok(purged.purged > 0)
    }

    async fn delete_if_starts_with(&self, key: &str, start: &[u8]) -> Result<bool, StoreError> {
        match self.newest(key).await? {
            Some((entry, false)) if entry.value.starts_with(start) => {
                self.delete(key, entry.revision).await
            }
            _ => Ok(false),
        }
    }
}

impl fmt::Debug for NatsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A context could show the credentials of its connection.
        f.debug_struct("NatsStore").field("bucket", &self.0.bucket).finish_non_exhaustive()
    }
}
