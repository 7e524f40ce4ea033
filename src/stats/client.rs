//! The counters of a client.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::counter::{self, Counter};

/// The counters of a client and its clones; returned by [`Client::stats`](crate::Client::stats).
///
/// No counter ever decreases. [`counters`](Self::counters) returns all of them with their names, for an
/// exporter of metrics.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::connect(server.local_addr()?, Text).await?;
/// client.send("hello".to_owned()).await?;
///
/// let stats = client.stats();
/// assert_eq!((stats.sent, stats.received), (1, 0));
/// assert_eq!(stats.to_string(), "sent: 1");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "counters")]
#[doc(alias = "metrics")]
#[doc(alias = "prometheus")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Datagrams that the kernel has accepted for sending.
    pub sent: u64,
    /// Datagrams that the kernel refused.
    pub send_errors: u64,
    /// Datagrams that a `recv` has consumed, as packets or as errors.
    pub received: u64,
    /// The datagrams in `received` that were not packets of the protocol.
    pub decode_errors: u64,
    /// The datagrams in `received` that were longer than
    /// [`max_datagram_size`](crate::ClientBuilder::max_datagram_size).
    pub too_large: u64,
    /// Datagrams with which the server has asked for a token, for clients with the
    /// [envelope](crate::ClientBuilder::address_token_envelope). They are not in `received`. The datagrams that they send again
    /// are in `sent`.
    pub challenges: u64,
}

impl ClientStats {
    /// Returns all counters. The name of each is the name of its field.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::ClientStats;
    ///
    /// let names: Vec<_> = ClientStats::default().counters().map(|counter| counter.name).collect();
    /// assert_eq!(names, ["sent", "send_errors", "received", "decode_errors", "too_large", "challenges"]);
    /// ```
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        [
            Counter::total("sent", self.sent),
            Counter::total("send_errors", self.send_errors),
            Counter::total("received", self.received),
            Counter::total("decode_errors", self.decode_errors),
            Counter::total("too_large", self.too_large),
            Counter::total("challenges", self.challenges),
        ]
        .into_iter()
    }
}

/// Prints each counter that is not 0: `sent: 3, received: 2`.
impl fmt::Display for ClientStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        counter::list(self.counters().map(|counter| (counter.name, counter.value)), f)
    }
}

/// The counters of a [`ClientStats`].
#[derive(Debug, Default)]
pub(crate) struct ClientCounters {
    pub(crate) sent: AtomicU64,
    pub(crate) send_errors: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) decode_errors: AtomicU64,
    pub(crate) too_large: AtomicU64,
    pub(crate) challenges: AtomicU64,
}

impl ClientCounters {
    pub(crate) fn read(&self) -> ClientStats {
        ClientStats {
            sent: self.sent.load(Relaxed),
            send_errors: self.send_errors.load(Relaxed),
            received: self.received.load(Relaxed),
            decode_errors: self.decode_errors.load(Relaxed),
            too_large: self.too_large.load(Relaxed),
            challenges: self.challenges.load(Relaxed),
        }
    }
}
