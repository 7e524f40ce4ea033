//! The counters of a request client.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    counter::{self, Counter},
    round_trips::{RoundTripCounters, RoundTrips},
};

/// Declares the counters once: their fields, and how they are read and listed.
macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// The counters of a request client and its clones; returned by
        /// [`RequestClient::stats`](crate::RequestClient::stats).
        ///
        /// No counter ever decreases. [`counters`](Self::counters) returns all of them with their names, for an
        /// exporter of metrics.
        ///
        /// # Examples
        ///
        /// ```
        /// use datagrammar::RequestStats;
        ///
        /// let stats = RequestStats::default();
        /// assert_eq!((stats.requests, stats.late), (0, 0));
        /// assert!(stats.counters().all(|counter| counter.value == 0));
        /// ```
        #[doc(alias("metrics", "counters"))]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct RequestStats {
            $($(#[$doc])+ pub $name: u64,)+
            /// The round-trip times of requests that were answered after one attempt.
            pub round_trips: RoundTrips,
        }

        impl RequestStats {
            /// Returns all counters. The name of each is the name of its field.
            pub fn counters(&self) -> impl Iterator<Item = Counter> {
                [$(Counter::total(stringify!($name), self.$name),)+].into_iter()
            }
        }

        /// The counters of a [`RequestStats`].
        #[derive(Debug, Default)]
        pub(crate) struct RequestCounters {
            $(pub(crate) $name: AtomicU64,)+
            round_trips: RoundTripCounters,
        }

        impl RequestCounters {
            pub(crate) fn read(&self) -> RequestStats {
                RequestStats {
                    $($name: self.$name.load(Relaxed),)+
                    round_trips: self.round_trips.read(),
                }
            }
        }
    };
}

counters! {
    /// Requests that were sent at least once.
    requests,
    /// The `requests` that were answered with a packet.
    answered,
    /// The `requests` that ended without an answer in time.
    timed_out,
    /// The `requests` that ended because no server could be reached.
    unreachable,
    /// The `requests` that the server refused.
    refused,
    /// The `requests` whose response did not decode.
    decode_errors,
    /// The `requests` that ended because the retry budget was empty.
    retry_budget_exhausted,
    /// The `requests` whose future was dropped.
    cancelled,
    /// How often a request was sent: first attempts and repetitions. Without [chunks](crate::Chunked), each is a datagram.
    /// What was sent again because of `challenges` does not count.
    attempts,
    /// The `attempts` that repeated a request.
    retries,
    /// Timers that expired while a long packet was on its way in [chunks](crate::Chunked). Only chunks that were missing
    /// were sent again, or asked for.
    resumed,
    /// One-way packets that were sent.
    notifications,
    /// Challenges of servers that ask for an address token, with the
    /// [envelope](crate::RequestClientBuilder::address_token_envelope). The requests that waited were sent again at once.
    challenges,
    /// Datagrams that the kernel refused.
    send_errors,
    /// Responses to requests that had ended, or were answered already, and chunks that had arrived already.
    late,
    /// Datagrams that answer no request of this client.
    unsolicited,
    /// Datagrams that were longer than
    /// [`max_datagram_size`](crate::RequestClientBuilder::max_datagram_size).
    too_large,
}

impl RequestCounters {
    pub(crate) fn round_trip(&self, time: Duration) {
        self.round_trips.add(time);
    }
}

/// Prints each counter that is not 0: `requests: 3, answered: 3, attempts: 4, retries: 1`.
impl fmt::Display for RequestStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        counter::list(self.counters().map(|counter| (counter.name, counter.value)), f)
    }
}
