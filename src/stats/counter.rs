//! A counter with its name.

use std::fmt;

/// One counter with its name; returned by [`ServerStats::counters`](crate::ServerStats::counters) and
/// [`ClientStats::counters`](crate::ClientStats::counters).
///
/// # Examples
///
/// ```
/// use datagrammar::ServerStats;
///
/// let stats = ServerStats::default();
/// let gauges: Vec<_> =
///     stats.counters().filter(|counter| counter.is_gauge()).map(|counter| counter.name).collect();
/// assert_eq!(gauges, ["active_conversations", "queued_bytes"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counter {
    /// The name of the field, in `snake_case`.
    pub name: &'static str,
    /// The value of the counter.
    pub value: u64,
    gauge: bool,
}

impl Counter {
    pub(super) const fn total(name: &'static str, value: u64) -> Self {
        Self { name, value, gauge: false }
    }

    pub(super) const fn gauge(name: &'static str, value: usize) -> Self {
        Self { name, value: value as u64, gauge: true }
    }

    /// Returns whether this is a gauge: its value can decrease. All other counters only increase.
    #[must_use]
    pub const fn is_gauge(&self) -> bool {
        self.gauge
    }
}

/// Writes the values that are not 0, each after its name.
pub(super) fn list<N: fmt::Display>(
    counters: impl Iterator<Item = (N, u64)>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut separator = "";
    for (name, value) in counters.filter(|(_, value)| *value > 0) {
        write!(f, "{separator}{name}: {value}")?;
        separator = ", ";
    }
    if separator.is_empty() { f.write_str("nothing counted") } else { Ok(()) }
}
