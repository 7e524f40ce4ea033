//! All values that were received, by name and labels. What strangers can make it remember is bounded: with all limits
//! below reached, it is some 120 MB. The page takes 32 MiB more while it is made, and up to 330 bytes more for each line
//! if they send numbers with so many digits.

use std::collections::{BTreeMap, HashSet};

use super::metric::{Metric, Value};

/// How many values of any type there may be, over all names and labels.
pub(crate) const MAX_SERIES: usize = 20_000;
/// How many bytes names and labels may have on the page, with 64 more for the rest of each line. The labels are longer
/// there than in a line of a client, and a histogram repeats them 19 times.
pub(crate) const MAX_PAGE: usize = 32 << 20;
/// How many members there may be in all sets together. Each takes up to `MAX_LINE` bytes, and some 60 for its place.
pub(crate) const MAX_MEMBERS: usize = 100_000;

/// The limits of the buckets of times (in seconds) and of other numbers.
pub(crate) const BUCKETS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 100.0, 1_000.0,
    10_000.0,
];

/// Names that the page has for the server itself.
const OWN: [&str; 2] = ["datagrammar_", "statsd_"];

#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) families: BTreeMap<String, Family>,
    pub(crate) counts: Counts,
    series: usize,
    page: usize,
    members: usize,
}

/// What the server itself has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Values that were taken.
    pub(crate) values: u64,
    /// Lines that are no metrics, in datagrams that have some.
    pub(crate) refused_lines: u64,
    /// Events and service checks.
    pub(crate) ignored_lines: u64,
    /// Values that were not taken because of a limit, or because their name has another type.
    pub(crate) refused_values: u64,
}

/// All values of a name, by their labels.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) kind: Kind,
    pub(crate) series: BTreeMap<String, Series>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// How many lines of the page a value takes.
    const fn lines(self) -> usize {
        match self {
            Self::Counter | Self::Gauge => 1,
            Self::Histogram => BUCKETS.len() + 3,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Series {
    Number(f64),
    Set(HashSet<String>),
    /// How many values are not above each limit of `BUCKETS` and above the one before; all, and their sum.
    Histogram {
        buckets: [f64; BUCKETS.len()],
        count: f64,
        sum: f64,
    },
}

impl Registry {
    pub(crate) fn add(&mut self, Metric { name, labels, values, weight }: &Metric) {
        for value in values {
            if self.take(name, labels, value, *weight).is_some() {
                self.counts.values += 1;
            } else {
                self.counts.refused_values += 1;
            }
        }
    }

    /// Returns nothing if the value was not taken.
    fn take(&mut self, name: &str, labels: &str, value: &Value, weight: f64) -> Option<()> {
        let (suffix, kind) = match value {
            // A counter of Prometheus cannot decrease, so decrements have a counter of their own.
            Value::Count(count) if *count < 0.0 => ("_decrements_total", Kind::Counter),
            Value::Count(_) if name.ends_with("_total") => ("", Kind::Counter),
            Value::Count(_) => ("_total", Kind::Counter),
            Value::Gauge(_) | Value::GaugeChange(_) => ("", Kind::Gauge),
            Value::Member(_) => ("_unique", Kind::Gauge),
            Value::Time(_) => ("_seconds", Kind::Histogram),
            Value::Observed(_) => ("", Kind::Histogram),
        };
        let room = self.members < MAX_MEMBERS;
        match (value, self.series(&format!("{name}{suffix}"), kind, labels, value)?) {
            (Value::Count(count), Series::Number(number)) => *number += count.abs() * weight,
            (Value::Gauge(value), Series::Number(number)) => *number = *value,
            (Value::GaugeChange(change), Series::Number(number)) => *number += change,
            (
                Value::Time(value) | Value::Observed(value),
                Series::Histogram { buckets, count, sum },
            ) => {
                if let Some(n) = BUCKETS.iter().position(|limit| value <= limit) {
                    buckets[n] += weight;
                }
                *count += weight;
                *sum += value * weight;
            }
            (Value::Member(member), Series::Set(members)) => {
                if !members.contains(member) {
                    room.then(|| members.insert(member.clone()))?;
                    self.members += 1;
                }
            }
            _ => return None, // a set and a gauge with the same name
        }
        Some(())
    }

    /// The series with these labels. A new one is at zero. Returns nothing if there is no place for it.
    fn series(
        &mut self,
        name: &str,
        kind: Kind,
        labels: &str,
        value: &Value,
    ) -> Option<&mut Series> {
        if !self.families.contains_key(name) && self.conflicts(name, kind) {
            return None;
        }
        let known = self.families.get(name);
        if known.is_some_and(|family| family.kind != kind) {
            return None;
        }
        if !known.is_some_and(|family| family.series.contains_key(labels)) {
            // Two more lines begin a family.
            let bytes = (kind.lines() + 2) * (name.len() + labels.len() + 64);
            if self.series >= MAX_SERIES || self.page + bytes > MAX_PAGE {
                return None;
            }
            self.series += 1;
            self.page += bytes;
            let family = self.families.entry(name.to_owned());
            let family = family.or_insert_with(|| Family { kind, series: BTreeMap::new() });
            family.series.insert(labels.to_owned(), Series::new(value));
        }
        self.families.get_mut(name)?.series.get_mut(labels)
    }

    /// Whether a new name would give the page the same series as another one: a histogram has several.
    fn conflicts(&self, name: &str, kind: Kind) -> bool {
        let parts = ["_bucket", "_sum", "_count"];
        let is_part = parts.iter().filter_map(|part| name.strip_suffix(part)).any(|whole| {
            self.families.get(whole).is_some_and(|family| family.kind == Kind::Histogram)
        });
        let has_part = kind == Kind::Histogram
            && parts.iter().any(|part| self.families.contains_key(&format!("{name}{part}")));
        is_part || has_part || OWN.iter().any(|own| name.starts_with(own))
    }
}

impl Series {
    fn new(value: &Value) -> Self {
        match value {
            Value::Count(_) | Value::Gauge(_) | Value::GaugeChange(_) => Self::Number(0.0),
            Value::Member(_) => Self::Set(HashSet::new()),
            Value::Time(_) | Value::Observed(_) => {
                Self::Histogram { buckets: [0.0; BUCKETS.len()], count: 0.0, sum: 0.0 }
            }
        }
    }
}
