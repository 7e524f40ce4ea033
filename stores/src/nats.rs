//! The store in NATS JetStream.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_nats::{
    ConnectOptions,
    jetstream::{
        self, ErrorCode,
        context::{Context, PublishErrorKind},
        kv,
        message::PublishMessage,
        stream::{DeleteMessageErrorKind, LastRawMessageErrorKind, Stream},
    },
};
use tokio::sync::OnceCell;

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
/// the shortest time.
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
    stream: OnceCell<Stream>,
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

/// How many bytes of an entry are its time to live.
const HEAD: usize = 8;

impl NatsStore {
    /// Makes a store of a URL (`nats://127.0.0.1:4222`, several ones with commas between them; with the feature
    /// `nats-tls` also `tls://`).
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
        Self(Arc::new(Inner { context, bucket, stream: OnceCell::new() }))
    }

    /// Returns the stream of the bucket. If the first call fails, the next one tries again.
    async fn stream(&self) -> Result<&Stream, StoreError> {
        self.0.stream.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Stream, StoreError> {
        let NatsBucket { name, max_age, max_bytes, replicas } = &self.0.bucket;
        if let Ok(found) = self.0.context.get_key_value(name).await {
            return Ok(found.stream);
        }
        let config = kv::Config {
            bucket: name.clone(),
            max_age: *max_age,
            max_bytes: i64::try_from(*max_bytes).unwrap_or(i64::MAX),
            num_replicas: *replicas,
            history: 1,
            ..kv::Config::default()
        };
        match self.0.context.create_key_value(config).await {
            Ok(made) => Ok(made.stream),
            // Another replica may have made it with other options meanwhile.
            Err(error) => {
                let found = self.0.context.get_key_value(name).await;
                found.map(|found| found.stream).map_err(|_| StoreError::engine(error))
            }
        }
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
        let limit = self.stream().await?.cached_info().config.max_age;
        if !limit.is_zero() && ttl > limit {
            return Err(StoreError::Ttl { ttl, limit });
        }
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let payload = [&ttl.to_be_bytes(), value].concat();
        let mut message = PublishMessage::build().payload(payload.into());
        if let Some(sequence) = expected {
            message = message.expected_last_subject_sequence(sequence);
        }
        let sent = self.0.context.send_publish(self.subject(key), message).await;
        match sent.map_err(StoreError::engine)?.await {
            Ok(ack) => Ok(Some(Revision::new(ack.sequence))),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(None),
            Err(error) => Err(StoreError::engine(error)),
        }
    }

    /// Returns the newest message of a key, and whether its time is over.
    async fn newest(&self, key: &str) -> Result<Option<(Entry, bool)>, StoreError> {
        // The leader answers this, so it is not behind what was written.
        let found = self.stream().await?.get_last_raw_message_by_subject(&self.subject(key)).await;
        let message = match found {
            Ok(message) => message,
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                return Ok(None);
            }
            Err(error) => return Err(StoreError::engine(error)),
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

    async fn delete(&self, _: &str, revision: Revision) -> Result<bool, StoreError> {
        // The bucket keeps only the newest message of a key, so an older revision is not found.
        match self.stream().await?.delete_message(revision.get()).await {
            Ok(deleted) => Ok(deleted),
            Err(error) => match error.kind() {
                DeleteMessageErrorKind::JetStream(error) if is_not_found(&error) => Ok(false),
                _ => Err(StoreError::engine(error)),
            },
        }
    }

    async fn delete_if_starts_with(&self, key: &str, start: &[u8]) -> Result<bool, StoreError> {
        match self.newest(key).await? {
            Some((entry, _)) if entry.value.starts_with(start) => {
                self.delete(key, entry.revision).await
            }
            _ => Ok(false),
        }
    }
}

fn is_not_found(error: &jetstream::Error) -> bool {
    matches!(error.error_code(), ErrorCode::NO_MESSAGE_FOUND | ErrorCode::SEQUENCE_NOT_FOUND)
        || error.code() == 404
}

impl fmt::Debug for NatsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A context could show the credentials of its connection.
        f.debug_struct("NatsStore").field("bucket", &self.0.bucket).finish_non_exhaustive()
    }
}
