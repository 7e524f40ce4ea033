//! The counters of a server, summed over all its sockets.

mod batches;
mod client;
mod counter;
mod counters;
mod drop_reason;
pub(crate) mod metrics;
mod request;
mod round_trips;

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

pub use batches::BatchSizes;
pub(crate) use client::ClientCounters;
pub use client::ClientStats;
pub use counter::Counter;
pub(crate) use counters::Counters;
pub use drop_reason::DropReason;
pub use metrics::PrometheusPage;
pub(crate) use request::RequestCounters;
pub use request::RequestStats;
pub use round_trips::RoundTrips;

/// The counters of a server since it was bound; returned by
/// [`ServerHandle::stats`](crate::ServerHandle::stats).
///
/// All counters only increase, except the gauges [`active_conversations`](Self::active_conversations) and
/// [`queued_bytes`](Self::queued_bytes), which are current values. When no datagram waits and no
/// batch is in progress, `received == delivered + chunks + total_dropped()`. While it works on a batch, `received` is ahead of the others,
/// because the batch counts as received first.
///
/// `println!("{}", handle.stats())` shows the counters that are not 0. [`counters`](Self::counters) and
/// [`drops`](Self::drops) return all of them with their names, for an exporter of metrics. When a limit or
/// the kernel drops a datagram, the first drop for each reason is logged at WARN, once per run of `serve`.
/// [The list of checks](crate::_documentation::troubleshooting) says what to change.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, DropReason, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
/// let (addr, handle) = (server.local_addr(), server.handle());
/// server.spawn();
///
/// let client = Client::connect(addr, Text).await?;
/// client.send("hello".to_owned()).await?;
/// client.recv().await?;
/// handle.shutdown().await;
///
/// let stats = handle.stats();
/// assert_eq!((stats.received, stats.delivered, stats.sent), (1, 1, 1));
/// assert_eq!(stats.dropped(DropReason::QueueFull), 0);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "counters")]
#[doc(alias = "metrics")]
#[doc(alias = "prometheus")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Datagrams that were read from the sockets.
    pub received: u64,
    /// The bytes of these datagrams.
    pub received_bytes: u64,
    /// Datagrams that `recv` returned to handlers, as packets or as decode errors.
    pub delivered: u64,
    /// The datagrams in `delivered` that were not packets of the protocol.
    pub decode_errors: u64,
    /// Datagrams that the kernel has accepted for sending.
    pub sent: u64,
    /// The bytes of these datagrams. If several leave together and the kernel refuses one, its bytes are included.
    /// `sent_bytes` ÷ [`received_bytes`](Self::received_bytes) says how much an attacker with forged addresses amplifies.
    pub sent_bytes: u64,
    /// Datagrams that the kernel has refused after `send` had returned.
    pub send_errors: u64,
    /// Datagrams that were dropped because the kernel had no room for them within
    /// [`Limits::send_timeout`](crate::Limits::send_timeout).
    pub send_timeouts: u64,
    /// Datagrams that were not sent because the address of their peer is not validated, and its budget allows no more
    /// bytes; see [`Guard::reply_factor`](crate::Guard::reply_factor).
    pub over_budget: u64,
    /// Datagrams that were not sent because the address of their peer is not validated, and the guard allows no more
    /// datagrams to its network; see [`Guard::reply_rate`](crate::Guard::reply_rate).
    pub over_rate: u64,
    /// Datagrams that asked a peer to repeat its request with an [address token](crate::AddressTokens). They are also among
    /// [`sent`](Self::sent).
    pub challenges: u64,
    /// Replies that the [reply cache](crate::ReplyCache) has sent again.
    pub replayed: u64,
    /// Requests that the [reply cache](crate::ReplyCache) has forgotten before their time, because of its limits.
    pub reply_cache_evictions: u64,
    /// Calls of the [reply store](crate::ReplyStore) that returned an error or panicked.
    pub store_errors: u64,
    /// Calls of the [reply store](crate::ReplyStore) that took longer than
    /// [`ReplyCache::store_timeout`](crate::ReplyCache::store_timeout).
    pub store_timeouts: u64,
    /// Calls of the [reply store](crate::ReplyStore) that were not made or not finished, because of
    /// [`ReplyCache::max_store_writes`](crate::ReplyCache::max_store_writes) or because serving has ended.
    pub store_skipped: u64,
    /// Datagrams that were parts of long requests, or asked for parts of long replies; see
    /// [`Chunked`](crate::Chunked). The last part of each request is not among them, since it counts as the request.
    pub chunks: u64,
    /// Requests that were given up before all their chunks had arrived: because no new one came in time, or because of
    /// the limits of [`Chunked`](crate::Chunked).
    pub incomplete: u64,
    /// Datagrams that waited in the queues of the server before a handler received them. Counted only with
    /// [`Limits::max_queue_time`](crate::Limits::max_queue_time) or a [guard](crate::Guard::max_queue_time).
    pub waited: u64,
    /// How long these have waited, all together, in microseconds. See [`mean_wait`](Self::mean_wait).
    pub waited_micros: u64,
    /// Conversations that had to wait and were spawned as tasks. The others were polled to their end by the worker, which
    /// takes less time.
    pub spawned: u64,
    /// Conversations that have ended, for any reason. The next five counters say how some of them ended.
    pub conversations: u64,
    /// Conversations whose handler returned an error that was logged as a failure. A panic does not count
    /// here, only as [`panicked`](Self::panicked). With [`concurrent`](crate::concurrent), each failed call
    /// counts.
    pub failed: u64,
    /// Conversations whose handler panicked. With [`concurrent`](crate::concurrent), each call that panicked
    /// counts.
    pub panicked: u64,
    /// Conversations that were dropped at shutdown because they ran longer than
    /// [`Limits::shutdown_grace`](crate::Limits::shutdown_grace).
    pub aborted: u64,
    /// Conversations that were dropped so that another peer got their place, when
    /// [`Limits::max_conversations`](crate::Limits::max_conversations) was reached: because nothing that their peer has
    /// sent did decode, or, with a [guard](crate::Guard), because their peer was idle and not validated. Also those that
    /// lasted longer than [`Guard::max_conversation_time`](crate::Guard::max_conversation_time).
    pub evicted: u64,
    /// Conversations that ended because the peer was silent for longer than
    /// [`Limits::idle_timeout`](crate::Limits::idle_timeout), or did not answer a
    /// [request](crate::Peer::exchange) in time.
    pub idle_timeouts: u64,
    /// How often handlers blocked a worker for more than a second, so that it could not receive. See
    /// [`ServerBuilder::dedicated_threads`](crate::ServerBuilder::dedicated_threads).
    pub stalls: u64,
    /// Events about peers that were not logged, because of
    /// [`Limits::max_events_per_second`](crate::Limits::max_events_per_second) or because the subscriber
    /// panicked.
    pub suppressed_events: u64,
    /// A gauge: conversations that count towards [`max_conversations`](crate::Limits::max_conversations) now.
    /// A conversation whose handler answers without waiting does not count.
    pub active_conversations: usize,
    /// A gauge: bytes that count towards [`max_total_queue_bytes`](crate::Limits::max_total_queue_bytes) now.
    /// They belong to datagrams that wait for handlers.
    pub queued_bytes: usize,
    /// How many datagrams each read of a socket returned.
    pub batches: BatchSizes,
    dropped: [u64; DropReason::ALL.len()],
}

impl ServerStats {
    /// Returns how many datagrams were dropped for `reason`.
    #[must_use]
    pub const fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Returns how long a datagram has waited in the queues of the server on average, if it had to wait and that was measured;
    /// see [`waited`](Self::waited). Subtract two stats for the average of the time between them.
    #[must_use]
    pub const fn mean_wait(&self) -> Option<Duration> {
        match self.waited_micros.checked_div(self.waited) {
            Some(micros) => Some(Duration::from_micros(micros)),
            None => None,
        }
    }

    /// Returns each reason, and how many datagrams were dropped for that reason.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().map(|&reason| (reason, self.dropped(reason)))
    }

    /// Returns all counters except the drops, with their names: all fields except [`batches`](Self::batches).
    ///
    /// An exporter of metrics needs only this and [`drops`](Self::drops). It then also exports counters that
    /// later versions add. [`is_gauge`](Counter::is_gauge) marks the values that can decrease.
    ///
    /// For Prometheus, [`to_prometheus`](Self::to_prometheus) makes the whole page.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::ServerStats;
    ///
    /// let stats = ServerStats::default();
    /// let lines: Vec<_> =
    ///     stats.counters().map(|counter| format!("{} = {}", counter.name, counter.value)).collect();
    /// assert_eq!(lines[0], "received = 0");
    /// ```
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        [
            Counter::total("received", self.received),
            Counter::total("received_bytes", self.received_bytes),
            Counter::total("delivered", self.delivered),
            Counter::total("decode_errors", self.decode_errors),
            Counter::total("sent", self.sent),
            Counter::total("sent_bytes", self.sent_bytes),
            Counter::total("send_errors", self.send_errors),
            Counter::total("send_timeouts", self.send_timeouts),
            Counter::total("over_budget", self.over_budget),
            Counter::total("over_rate", self.over_rate),
            Counter::total("challenges", self.challenges),
            Counter::total("replayed", self.replayed),
            Counter::total("reply_cache_evictions", self.reply_cache_evictions),
            Counter::total("store_errors", self.store_errors),
            Counter::total("store_timeouts", self.store_timeouts),
            Counter::total("store_skipped", self.store_skipped),
            Counter::total("chunks", self.chunks),
            Counter::total("incomplete", self.incomplete),
            Counter::total("waited", self.waited),
            Counter::total("waited_micros", self.waited_micros),
            Counter::total("spawned", self.spawned),
            Counter::total("conversations", self.conversations),
            Counter::total("failed", self.failed),
            Counter::total("panicked", self.panicked),
            Counter::total("aborted", self.aborted),
            Counter::total("evicted", self.evicted),
            Counter::total("idle_timeouts", self.idle_timeouts),
            Counter::total("stalls", self.stalls),
            Counter::total("suppressed_events", self.suppressed_events),
            Counter::gauge("active_conversations", self.active_conversations),
            Counter::gauge("queued_bytes", self.queued_bytes),
        ]
        .into_iter()
    }

    /// Returns how many datagrams the server has dropped, for all reasons together. Datagrams that the
    /// [kernel](DropReason::Kernel) has dropped are not included, because the server never received them.
    #[must_use]
    pub fn total_dropped(&self) -> u64 {
        self.dropped.iter().sum::<u64>() - self.dropped(DropReason::Kernel)
    }
}

/// Shows each counter and each reason that is not 0: `received: 3, delivered: 2, dropped (unread): 1`.
impl fmt::Display for ServerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = self.counters().map(|counter| (counter.name.to_owned(), counter.value));
        let drops =
            self.drops().map(|(reason, datagrams)| (format!("dropped ({reason})"), datagrams));
        counter::list(counters.chain(drops), f)
    }
}

/// Adds `n` to a counter, unless `n` is 0.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    if n > 0 {
        counter.fetch_add(n, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // G-9
    #[test]
    fn each_reason_has_its_own_counter() {
        let counters = Counters::default();

        for (n, &reason) in (1..).zip(DropReason::ALL) {
            counters.dropped(reason, n);
        }

        let stats = counters.read();
        for (n, &reason) in (1..).zip(DropReason::ALL) {
            assert_eq!(stats.dropped(reason), n, "{reason:?}");
        }
        let all: u64 = (1..).zip(DropReason::ALL).map(|(n, _)| n).sum();
        assert_eq!(stats.total_dropped(), all - stats.dropped(DropReason::Kernel));
        let drops: Vec<_> = stats.drops().map(|(reason, n)| (reason.as_str(), n)).collect();
        assert_eq!((drops[0], drops[8]), (("queue_full", 1), ("kernel", 9)));
    }

    // G-9
    #[test]
    fn the_mean_wait_is_that_of_the_datagrams_that_waited() {
        let counters = Counters::default();
        assert_eq!(counters.read().mean_wait(), None);
        for millis in [10, 20] {
            counters.waited(Duration::from_millis(millis));
        }
        assert_eq!(counters.read().mean_wait(), Some(Duration::from_millis(15)));
    }

    // G-9
    #[test]
    fn all_counters_can_be_exported_by_name() {
        let counters = Counters::default();
        counters.received.store(3, Relaxed);
        counters.queued_bytes.store(4, Relaxed);
        counters.dropped(DropReason::Unread, 3);
        let stats = counters.read();

        let debug = format!("{stats:?}");
        for counter in stats.counters() {
            assert!(debug.contains(&format!("{}: {}", counter.name, counter.value)), "{counter:?}");
        }
        let fields = debug.matches(": ").count();
        assert_eq!(stats.counters().count() + 2, fields, "all fields but `batches` and `dropped`");
        assert_eq!(stats.to_string(), "received: 3, queued_bytes: 4, dropped (unread): 3");
        assert_eq!(ServerStats::default().to_string(), "nothing counted");
    }
}
