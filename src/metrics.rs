//! Publishes statistics through the crate [`metrics`](https://docs.rs/metrics), for the exporter of your program.
//!
//! That crate is a facade, as `log` is for messages: a program installs one exporter, such as `metrics-exporter-prometheus`, and
//! libraries publish to it. A [`Publisher`] publishes the stats of servers and clients, under the names of
//! [the table](crate::_documentation::metrics).
//!
//! Without such an exporter you need no feature: [`ServerStats::to_prometheus`] makes a page for Prometheus.
//!
//! # Examples
//!
//! ```no_run
//! use datagrammar::{BoxError, Server, Text, metrics::Publisher};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     // Here: install an exporter.
//!     let server = Server::bind("[::]:9000", Text, async |text: String| text).await?;
//!     let serving = server.serve_until(tokio::signal::ctrl_c());
//!     Ok(Publisher::new().label("server", "echo").during(serving, server.handle()).await?)
//! }
//! ```

use std::{pin::pin, time::Duration};

use ::metrics::{Key, KeyName, Label, Level, Metadata, Recorder, with_recorder};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    ClientStats, RequestStats, ServerHandle, ServerStats,
    stats::metrics::{Kind, Metric, Sample, Value, check_label},
};

const METADATA: Metadata<'_> =
    Metadata::new("datagrammar", Level::INFO, Some("datagrammar::metrics"));

/// Publishes stats to the recorder of the crate `metrics`, as absolute values, with labels of yours.
///
/// [`during`](Self::during) publishes while a server serves. The other methods publish once: call them before an exporter that
/// you ask for its page writes it, or in a loop of yours.
///
/// The names are those of [the table](crate::_documentation::metrics). The facade has no histograms or summaries that are counted
/// elsewhere. So their parts, such as `…_bucket` with the label `le`, are published as counters with the names that Prometheus
/// expects, and the sums of seconds as gauges, because counters of the facade are whole numbers. Queries and dashboards are the same
/// as with [`ServerStats::to_prometheus`].
///
/// Values go to the recorder that is installed when they are published: the local one of the thread, or the global one. Without
/// one, publishing does nothing.
///
/// # Examples
///
/// A client publishes when it likes:
///
/// ```
/// use datagrammar::{Client, Server, Text, metrics::Publisher};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
/// let client = Client::connect(server.local_addr(), Text).await?;
/// client.send("hello".to_owned()).await?;
///
/// Publisher::new().label("to", "echo").publish_client(&client.stats());
/// assert_eq!(client.stats().sent, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it publishes nothing by itself"]
pub struct Publisher {
    labels: Vec<(String, String)>,
    interval: Duration,
}

impl Default for Publisher {
    fn default() -> Self {
        Self::new()
    }
}

impl Publisher {
    /// Returns a publisher without labels, with an interval of one second.
    pub const fn new() -> Self {
        Self { labels: Vec::new(), interval: Duration::from_secs(1) }
    }

    /// Adds a label to all values. Servers of one program need different labels, or each overwrites the values of the other.
    ///
    /// # Panics
    ///
    /// If the name is not made of ASCII letters, digits and underscores, begins with a digit or two underscores, is given
    /// twice, or is `le`, `outcome`, `quantile` or `reason`. Prometheus would refuse it, or metrics have it themselves.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        check_label(&name, self.labels.iter().map(|(other, _)| &**other));
        self.labels.push((name, value.into()));
        self
    }

    /// Sets how often [`during`](Self::during) publishes. The default is one second; less than a millisecond counts as that.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Awaits `serving`, and publishes the stats of the server at once, in each interval, and when `serving` has completed. So the last
    /// values are exact. It returns the output of `serving`.
    ///
    /// `serving` is usually the future of [`Server::serve_until`](crate::Server::serve_until), or the task of
    /// [`Server::spawn`](crate::Server::spawn). It costs the server nothing for a datagram: it reads
    /// [`stats`](ServerHandle::stats).
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime. Time must be enabled in the runtime.
    ///
    /// # Cancel safety
    ///
    /// The same as that of `serving`. If the future is dropped, nothing more is published.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text, metrics::Publisher};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    /// let stop = async { assert!(handle.ready().await) };
    ///
    /// Publisher::new().during(server.serve_until(stop), server.handle()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn during<T>(&self, serving: impl Future<Output = T>, server: ServerHandle) -> T {
        let mut serving = pin!(serving);
        let mut interval = interval(self.interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let output = loop {
            tokio::select! {
                biased;
                output = serving.as_mut() => break output,
                _ = interval.tick() => self.publish_server(&server.stats()),
            }
        };
        self.publish_server(&server.stats());
        output
    }

    /// Publishes the stats of a server once.
    pub fn publish_server(&self, stats: &ServerStats) {
        self.publish(&stats.metrics());
    }

    /// Publishes the stats of a client once.
    pub fn publish_client(&self, stats: &ClientStats) {
        self.publish(&stats.metrics());
    }

    /// Publishes the stats of a request client once.
    pub fn publish_request_client(&self, stats: &RequestStats) {
        self.publish(&stats.metrics());
    }

    fn publish(&self, metrics: &[Metric]) {
        with_recorder(|recorder| {
            for metric in metrics {
                for part in metric.samples.chunk_by(|one, next| one.suffix == next.suffix) {
                    self.record(recorder, metric, part);
                }
            }
        });
    }

    /// Records samples of a metric that have the same name.
    fn record(&self, recorder: &dyn Recorder, metric: &Metric, samples: &[Sample]) {
        let name = match samples[0].suffix {
            "" => KeyName::from(metric.name),
            suffix => KeyName::from(format!("{}{suffix}", metric.name)),
        };
        // Counters of the facade are whole numbers.
        let is_gauge = metric.kind == Kind::Gauge || matches!(samples[0].value, Value::Seconds(_));
        // Each time, because nobody tells when another recorder was installed. No unit, because exporters would add it to names.
        if is_gauge {
            recorder.describe_gauge(name.clone(), None, metric.help.into());
        } else {
            recorder.describe_counter(name.clone(), None, metric.help.into());
        }
        for Sample { label, value, .. } in samples {
            let own = label.iter().map(|(name, value)| Label::new(*name, value.clone()));
            let given =
                self.labels.iter().map(|(name, value)| Label::new(name.clone(), value.clone()));
            let key = Key::from_parts(name.clone(), given.chain(own).collect::<Vec<_>>());
            match *value {
                Value::Whole(value) if !is_gauge => {
                    recorder.register_counter(&key, &METADATA).absolute(value);
                }
                value => recorder.register_gauge(&key, &METADATA).set(value.as_f64()),
            }
        }
    }
}
