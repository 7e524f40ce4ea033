//! Typed state of conversations, which all replicas see.

mod error;
mod format;
mod stats;

use std::time::Duration;

use datagrammar::DatagramProtocol;
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use self::stats::Counters;
pub use self::{error::SessionError, stats::SessionStats};
use crate::{Created, Entry, Revision, Store, StoreError, digest::hex_key, unique};

/// The state of conversations in any [`Store`]: each replica can go on with a conversation that another one has begun.
///
/// A key is whatever identifies the conversation: an id of your protocol, or the address of the peer. A state has
/// any type that a protocol of datagrammar encodes: `Json`, `Postcard`, or `Sealed` around one of them if the engine
/// should not read it.
///
/// Two replicas that change the same state at once do not overwrite each other: [`save`](Self::save) stores only if the
/// state is still the one that was loaded, and [`update`](Self::update) loads it again until that is so.
///
/// | option | default |
/// | --- | --- |
/// | [`ttl`](Self::ttl) | 1 hour since it was stored last |
/// | [`max_len`](Self::max_len) | 64 KiB |
/// | [`timeout`](Self::timeout) | 1 s for each call |
/// | [`version`](Self::version) | 0 |
///
/// # When the store is down
///
/// Calls fail, and [`SessionError::is_unavailable`] tells these failures from others. The handler decides: it can go on
/// without the state, or not answer, so that the client repeats its request. [`stats`](Self::stats) counts both kinds.
///
/// # Examples
///
/// ```
/// use datagrammar::Json;
/// use datagrammar_stores::{MemoryStore, SessionError, Sessions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), SessionError> {
/// let visits = Sessions::new(MemoryStore::new(), Json::<u32>::new());
/// for expected in 1..=3 {
///     let visit = visits.update("192.0.2.7", |count| count.unwrap_or(0) + 1).await?;
///     assert_eq!(visit, expected);
/// }
///
/// // By hand, with the decision left to the caller.
/// let session = visits.load("192.0.2.7").await?.unwrap();
/// visits.save("192.0.2.7", session.revision, &10).await?;
/// let late = visits.save("192.0.2.7", session.revision, &20).await;
/// assert!(matches!(late, Err(SessionError::Conflict)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sessions<S, P> {
    store: S,
    protocol: P,
    version: u16,
    ttl: Duration,
    max_len: usize,
    timeout: Duration,
    counters: Counters,
}

/// A state, and which of its values it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Session<T> {
    /// The state.
    pub state: T,
    /// Changes whenever the state is stored.
    pub revision: Revision,
}

/// How often `update` tries to store.
const ATTEMPTS: u32 = 16;

/// The longest pause before the second attempt. It doubles for each further one, up to 32 times as much.
const PAUSE: Duration = Duration::from_millis(1);

impl<S, P> Sessions<S, P> {
    /// Makes a store of sessions whose states this protocol encodes.
    pub fn new(store: S, protocol: P) -> Self {
        Self {
            store,
            protocol,
            version: 0,
            ttl: Duration::from_secs(3600),
            max_len: 64 << 10,
            timeout: Duration::from_secs(1),
            counters: Counters::default(),
        }
    }

    /// Sets the version of the state, which is stored with it. A state of another version is not decoded
    /// ([`SessionError::Version`]). The default is 0.
    ///
    /// While replicas of two versions run, each finds states of the other. If the codec reads both, as `Json` does when a
    /// field was added, leave the version as it is.
    #[must_use]
    pub const fn version(mut self, version: u16) -> Self {
        self.version = version;
        self
    }

    /// Sets how long a state is kept after it was stored last. The default is 1 hour.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how many bytes an encoded state may have. A longer one is not stored and not decoded. The default is 64 KiB.
    #[must_use]
    pub const fn max_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes;
        self
    }

    /// Sets how long each call of the engine may take. The default is 1 second.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns what the calls of this value have come to.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        self.counters.stats()
    }
}

impl<S: Store, T, P: DatagramProtocol<Incoming = T, Outgoing = T>> Sessions<S, P> {
    /// Returns the state of a key, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// The store failed, or it has a state that this protocol does not decode.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing has changed.
    pub async fn load(&self, key: impl AsRef<[u8]>) -> Result<Option<Session<T>>, SessionError> {
        let entry = self.call(self.store.get(&name(key.as_ref()))).await?;
        entry.map(|entry| self.decode(&entry)).transpose()
    }

    /// Stores the state of a new session, and returns its revision.
    ///
    /// # Errors
    ///
    /// [`Conflict`](SessionError::Conflict) if the key has a state already. The store failed, or the state is too long
    /// or cannot be encoded.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, or fails with an error for which [`is_unavailable`](SessionError::is_unavailable), the
    /// state may be stored.
    pub async fn create(&self, key: impl AsRef<[u8]>, state: &T) -> Result<Revision, SessionError> {
        let value = self.encode(state)?;
        match self.call(self.store.create(&name(key.as_ref()), &value, self.ttl)).await? {
            Created::New(revision) => Ok(revision),
            Created::Exists(_) => Err(self.conflict()),
        }
    }

    /// Replaces a state if it still has this revision, and returns the new one.
    ///
    /// # Errors
    ///
    /// [`Conflict`](SessionError::Conflict) if it has not, because it was stored or removed meanwhile or its time is
    /// over. With `NatsStore`, a state whose time is over is stored nevertheless, unless somebody has created the session
    /// again or the bucket has removed it. The store failed, or the state is too long or cannot be encoded.
    ///
    /// # Cancel safety
    ///
    /// As for [`create`](Self::create).
    pub async fn save(
        &self,
        key: impl AsRef<[u8]>,
        revision: Revision,
        state: &T,
    ) -> Result<Revision, SessionError> {
        let (name, value) = (name(key.as_ref()), self.encode(state)?);
        let replaced = self.call(self.store.replace(&name, revision, &value, self.ttl)).await?;
        replaced.ok_or_else(|| self.conflict())
    }

    /// Changes a state, whatever other replicas do, and returns the new one. The function gets the state, or `None` for a
    /// new session. It is called again if the state was stored meanwhile, up to 16 times, with pauses of up to 32 ms.
    ///
    /// # Errors
    ///
    /// [`Conflict`](SessionError::Conflict) after 16 attempts. Those of [`load`](Self::load) and [`save`](Self::save).
    ///
    /// # Cancel safety
    ///
    /// As for [`create`](Self::create).
    pub async fn update(
        &self,
        key: impl AsRef<[u8]>,
        mut change: impl FnMut(Option<T>) -> T,
    ) -> Result<T, SessionError> {
        let key = key.as_ref();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                // By chance, so that replicas which do the same do not meet again and again.
                let longest = PAUSE.as_micros() as u64 * (1 << (attempt - 1).min(5));
                sleep(Duration::from_micros(unique::number() % longest)).await;
            }
            let (state, stored) = match self.load(key).await? {
                Some(session) => {
                    let state = change(Some(session.state));
                    let stored = self.save(key, session.revision, &state).await;
                    (state, stored)
                }
                None => {
                    let state = change(None);
                    let stored = self.create(key, &state).await;
                    (state, stored)
                }
            };
            match stored {
                Ok(_) => return Ok(state),
                Err(SessionError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(SessionError::Conflict)
    }

    /// Removes a state if it still has this revision.
    ///
    /// # Errors
    ///
    /// [`Conflict`](SessionError::Conflict) if it has not. When its time is over, as for [`save`](Self::save). The store
    /// failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the state may be removed.
    pub async fn remove(
        &self,
        key: impl AsRef<[u8]>,
        revision: Revision,
    ) -> Result<(), SessionError> {
        match self.call(self.store.delete(&name(key.as_ref()), revision)).await? {
            true => Ok(()),
            false => Err(self.conflict()),
        }
    }

    fn encode(&self, state: &T) -> Result<Vec<u8>, SessionError> {
        let mut value = format::head(self.version);
        self.protocol.encode(state, &mut value).map_err(SessionError::Encode)?;
        self.check_len(&value)?;
        Ok(value)
    }

    fn decode(&self, entry: &Entry) -> Result<Session<T>, SessionError> {
        self.check_len(&entry.value)?;
        let state = format::payload(&entry.value, self.version)?;
        let state = self.protocol.decode(state).map_err(SessionError::Decode)?;
        Ok(Session { state, revision: entry.revision })
    }

    fn check_len(&self, value: &[u8]) -> Result<(), SessionError> {
        let (len, limit) = (value.len().saturating_sub(format::HEAD), self.max_len);
        if len > limit { Err(SessionError::TooLong { len, limit }) } else { Ok(()) }
    }

    async fn call<R>(
        &self,
        call: impl Future<Output = Result<R, StoreError>>,
    ) -> Result<R, SessionError> {
        self.counters.called();
        match timeout(self.timeout, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.counters.failed();
                Err(SessionError::Store(error))
            }
            Err(_) => {
                self.counters.timed_out();
                Err(SessionError::TimedOut(self.timeout))
            }
        }
    }

    fn conflict(&self) -> SessionError {
        self.counters.conflicted();
        SessionError::Conflict
    }
}

/// Returns the key of the entry. It is a digest, so that any bytes of any length are a key in each engine.
fn name(key: &[u8]) -> String {
    hex_key("s.", Sha256::digest(key).into())
}
