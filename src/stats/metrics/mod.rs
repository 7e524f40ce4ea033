//! Statistics as metrics: their names, what they mean, and their values.

mod prometheus;
mod table;

use std::{borrow::Cow, fmt, time::Duration};

pub use prometheus::PrometheusPage;
#[cfg(feature = "metrics")]
pub(crate) use prometheus::check_label;

/// One metric: what each exporter says about it, and its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric {
    /// It ends in the unit, and in `_total` if it only increases.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
}

/// The types of metrics that Prometheus knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// Without quantiles: the number of values, and their sum.
    Summary,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// What follows the name of the metric: nothing, `_bucket`, `_sum` or `_count`.
    pub(crate) suffix: &'static str,
    pub(crate) label: Option<(&'static str, Cow<'static, str>)>,
    pub(crate) value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(u64),
    Seconds(Duration),
}

impl Metric {
    fn counter(name: &'static str, value: u64, help: &'static str) -> Self {
        let samples = vec![Sample::of("", None, Value::Whole(value))];
        Self { name, help, kind: Kind::Counter, samples }
    }

    fn gauge(name: &'static str, value: usize, help: &'static str) -> Self {
        Self { kind: Kind::Gauge, ..Self::counter(name, value as u64, help) }
    }

    /// A counter for each value of a label. Their sum is the number of all.
    fn by_label(
        name: &'static str,
        label: &'static str,
        values: impl Iterator<Item = (&'static str, u64)>,
        help: &'static str,
    ) -> Self {
        let sample =
            |(text, value)| Sample::of("", Some((label, Cow::Borrowed(text))), Value::Whole(value));
        Self { name, help, kind: Kind::Counter, samples: values.map(sample).collect() }
    }

    /// `sum` is the sum of all `count` values.
    fn summary(name: &'static str, count: u64, sum: Value, help: &'static str) -> Self {
        let samples = Sample::sum_and_count(sum, count).to_vec();
        Self { name, help, kind: Kind::Summary, samples }
    }

    /// `buckets` has for each limit, in ascending order, how many values are not above it and above the limit before. `above` is
    /// how many are above all limits.
    fn histogram(
        name: &'static str,
        buckets: impl Iterator<Item = (String, u64)>,
        above: u64,
        sum: Value,
        help: &'static str,
    ) -> Self {
        let mut count = 0;
        let mut samples: Vec<_> = buckets
            .chain([("+Inf".to_owned(), above)])
            .map(|(limit, values)| {
                count += values;
                Sample::of("_bucket", Some(("le", Cow::Owned(limit))), Value::Whole(count))
            })
            .collect();
        samples.extend(Sample::sum_and_count(sum, count));
        Self { name, help, kind: Kind::Histogram, samples }
    }
}

impl Sample {
    const fn of(
        suffix: &'static str,
        label: Option<(&'static str, Cow<'static, str>)>,
        value: Value,
    ) -> Self {
        Self { suffix, label, value }
    }

    const fn sum_and_count(sum: Value, count: u64) -> [Self; 2] {
        [Self::of("_sum", None, sum), Self::of("_count", None, Value::Whole(count))]
    }
}

impl Value {
    pub(crate) const fn as_f64(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            // So that the number of microseconds is what is read again.
            Self::Seconds(time) => time.as_micros() as f64 / 1e6,
        }
    }
}

/// The name by which Prometheus knows it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Seconds(_) => self.as_f64().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
