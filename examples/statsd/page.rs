//! The page of Prometheus with everything that was received.
//!
//! It is text of ours. The exporter crates want names that are known in advance or a recorder for the whole program, and have no
//! sets. The values are here already, and the format is a few lines.

use std::fmt::{self, Display, Write};

use super::registry::{BUCKETS, Counts, Family, Kind, Registry, Series};

pub(crate) fn page(registry: &Registry) -> String {
    let mut page = String::new();
    write(&mut page, registry).expect("a String takes all text");
    page
}

fn write(page: &mut String, registry: &Registry) -> fmt::Result {
    for (name, Family { kind, series }) in &registry.families {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        writeln!(page, "# HELP {name} Received over statsd.\n# TYPE {name} {kind}")?;
        for (labels, series) in series {
            match series {
                Series::Number(number) => line(page, name, labels, number)?,
                Series::Set(members) => line(page, name, labels, members.len())?,
                Series::Histogram { buckets, count, sum } => {
                    let mut below = 0.0;
                    for (limit, values) in BUCKETS.iter().zip(buckets) {
                        below += values;
                        bucket(page, name, labels, limit, below)?;
                    }
                    bucket(page, name, labels, "+Inf", *count)?;
                    line(page, &format!("{name}_sum"), labels, sum)?;
                    line(page, &format!("{name}_count"), labels, count)?;
                }
            }
        }
    }
    let Counts { values, refused_lines, ignored_lines, refused_values } = registry.counts;
    for (name, help, value) in [
        ("statsd_values_total", "Values that were received.", values),
        ("statsd_refused_lines_total", "Lines that are no metrics, beside metrics.", refused_lines),
        ("statsd_ignored_lines_total", "Events and service checks.", ignored_lines),
        (
            "statsd_refused_values_total",
            "Values beyond a limit, or of another type.",
            refused_values,
        ),
    ] {
        writeln!(page, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}")?;
    }
    Ok(())
}

fn line(page: &mut String, name: &str, labels: &str, value: impl Display) -> fmt::Result {
    let (open, close) = if labels.is_empty() { ("", "") } else { ("{", "}") };
    writeln!(page, "{name}{open}{labels}{close} {value}")
}

fn bucket(
    page: &mut String,
    name: &str,
    labels: &str,
    limit: impl Display,
    value: f64,
) -> fmt::Result {
    let separator = if labels.is_empty() { "" } else { "," };
    writeln!(page, "{name}_bucket{{{labels}{separator}le=\"{limit}\"}} {value}")
}
