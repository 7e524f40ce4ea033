//! The store in Redis or Valkey.

use std::{fmt, time::Duration};

use redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};

use crate::{Created, Entry, Revision, Store, StoreError, unique};

/// Keeps entries in Redis (7.0 or later) or Valkey. A clone uses the same connection.
///
/// Each call is one command and one round trip. An entry is a string: 8 bytes of the revision, then the value. Redis
/// removes it when its time is over.
///
/// All calls share one connection. When it breaks, it is made again, at the latest half a second after Redis is there
/// again. Calls meanwhile fail, or wait for the timeout of the caller.
///
/// # What Redis can lose
///
/// Redis answers before a write is on the disk or at another Redis server. If it restarts without `appendonly yes` and
/// `appendfsync always`, or if a failover takes a server that has not got the last writes, then entries are lost: a
/// request could run twice, and a session could be the one before.
/// Redis with `maxmemory` must not evict entries either: set `maxmemory-policy noeviction`.
#[derive(Clone)]
pub struct RedisStore {
    manager: ConnectionManager,
    prefix: String,
}

/// The longest time until the next attempt to connect.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// How long an answer may take. The callers have shorter timeouts; this one ends what nobody waits for.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// `EVAL` with the source each time instead of `EVALSHA`: a restarted Redis does not know the script, which would cost
/// a second round trip then.
const REPLACE: &str = "local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 8) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return 0";

/// Deletes if the value has these bytes at this place, which counts from 1.
const DELETE: &str = "local v = redis.call('GET', KEYS[1])
if v and string.sub(v, ARGV[1], ARGV[1] + #ARGV[2] - 1) == ARGV[2] then
  return redis.call('DEL', KEYS[1])
end
return 0";

/// How many bytes of an entry are its revision.
const HEAD: usize = 8;

impl RedisStore {
    /// Makes a store of a URL (`redis://127.0.0.1:6379/0`, `redis+unix:///run/redis.sock`, and with the feature
    /// `redis-tls` also `rediss://`). Each key of Redis gets the prefix, so services that share a Redis server need
    /// different ones.
    ///
    /// It connects at the first call, so a program can start while Redis is down.
    ///
    /// # Errors
    ///
    /// The URL is invalid.
    ///
    /// # Panics
    ///
    /// If it is called outside of a tokio runtime.
    pub fn new(url: &str, prefix: impl Into<String>) -> Result<Self, StoreError> {
        let tcp = TcpSettings::default().set_nodelay(true);
        // Otherwise a connection to a host that has vanished would take a quarter of an hour to fail.
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(RESPONSE_TIMEOUT);
        let info = url.into_connection_info().map_err(StoreError::engine)?.set_tcp_settings(tcp);
        let client = Client::open(info).map_err(StoreError::engine)?;
        let config = ConnectionManagerConfig::new()
            .set_max_delay(MAX_DELAY)
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let manager =
            ConnectionManager::new_lazy_with_config(client, config).map_err(StoreError::engine)?;
        Ok(Self::with_manager(manager, prefix))
    }

    /// Makes a store that uses a connection of the crate `redis`, for options that a URL does not have.
    #[must_use]
    pub fn with_manager(manager: ConnectionManager, prefix: impl Into<String>) -> Self {
        Self { manager, prefix: prefix.into() }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        // A clone is the same connection.
        command.query_async(&mut self.manager.clone()).await.map_err(StoreError::engine)
    }

    async fn delete_at(&self, key: &str, place: usize, bytes: &[u8]) -> Result<bool, StoreError> {
        let mut command = redis::cmd("EVAL");
        command.arg(DELETE).arg(1).arg(self.key(key)).arg(place).arg(bytes);
        self.query(&command).await
    }
}

/// Returns an entry as Redis has it, and its revision.
fn written(value: &[u8]) -> (Vec<u8>, Revision) {
    let revision = Revision::new(unique::number());
    ([&revision.get().to_be_bytes(), value].concat(), revision)
}

fn read(mut stored: Vec<u8>) -> Result<Entry, StoreError> {
    let revision = stored.first_chunk::<HEAD>().ok_or(StoreError::Malformed)?;
    let revision = Revision::new(u64::from_be_bytes(*revision));
    Ok(Entry::new(revision, stored.split_off(HEAD)))
}

/// Redis counts whole milliseconds, and refuses 0.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 2)
}

impl Store for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let stored: Option<Vec<u8>> = self.query(redis::cmd("GET").arg(self.key(key))).await?;
        stored.map(read).transpose()
    }

    async fn create(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Created, StoreError> {
        let (bytes, revision) = written(value);
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(bytes).arg("NX").arg("GET").arg("PX").arg(millis(ttl));
        match self.query::<Option<Vec<u8>>>(&command).await? {
            None => Ok(Created::New(revision)),
            Some(stored) => Ok(Created::Exists(read(stored)?)),
        }
    }

    async fn replace(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Revision>, StoreError> {
        let (bytes, new) = written(value);
        let mut command = redis::cmd("EVAL");
        command.arg(REPLACE).arg(1).arg(self.key(key));
        command.arg(&revision.get().to_be_bytes()[..]).arg(bytes).arg(millis(ttl));
        Ok(self.query::<bool>(&command).await?.then_some(new))
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Revision, StoreError> {
        let (bytes, revision) = written(value);
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(bytes).arg("PX").arg(millis(ttl));
        self.query::<()>(&command).await?;
        Ok(revision)
    }

    async fn delete(&self, key: &str, revision: Revision) -> Result<bool, StoreError> {
        self.delete_at(key, 1, &revision.get().to_be_bytes()).await
    }

    async fn delete_if_starts_with(&self, key: &str, start: &[u8]) -> Result<bool, StoreError> {
        self.delete_at(key, 1 + HEAD, start).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A connection could show its password.
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
