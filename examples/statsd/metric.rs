//! Reads one line: `name:value|type`, with what Etsy's statsd and DogStatsD put behind it.

use std::fmt::Write;

/// How many bytes a line may have. Clients send far shorter ones.
pub(crate) const MAX_LINE: usize = 512;

/// One line. A line of DogStatsD can have several values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric {
    /// Made of letters, digits, `_` and `:`, as Prometheus wants it.
    pub(crate) name: String,
    /// The tags as labels of Prometheus, in ascending order: `env="prod",host="a"`.
    pub(crate) labels: String,
    pub(crate) values: Vec<Value>,
    /// How many events each value stands for: 10 if one of ten was sent (`@0.1`).
    pub(crate) weight: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `c`: how much was counted, before `weight`. Less than zero for a decrement.
    Count(f64),
    /// `g`: the value.
    Gauge(f64),
    /// `g` with a sign: the difference to the value before.
    GaugeChange(f64),
    /// `ms`: a time in seconds.
    Time(f64),
    /// `h` and `d`: a number of any unit.
    Observed(f64),
    /// `s`: a member of a set.
    Member(String),
}

/// Reads a line without its line feed. The error says what is wrong.
pub(crate) fn parse(line: &str) -> Result<Metric, &'static str> {
    if line.len() > MAX_LINE {
        return Err("line is too long"); // its parts would be kept
    }
    let mut parts = line.split('|');
    let (name, values) =
        parts.next().and_then(|part| part.split_once(':')).ok_or("no colon after the name")?;
    let kind = parts.next().ok_or("no type")?;
    if name.is_empty() {
        return Err("no name");
    }
    let (mut weight, mut labels) = (1.0, String::new());
    for option in parts {
        if let Some(rate) = option.strip_prefix('@') {
            let rate: f64 = rate.parse().map_err(|_| "sample rate is no number")?;
            if !(rate > 0.0 && rate <= 1.0) {
                return Err("sample rate is not above 0 and at most 1");
            }
            weight = 1.0 / rate;
        } else if let Some(tags) = option.strip_prefix('#') {
            labels = to_labels(tags);
        }
        // Other options name a container (`c:`) or a time (`T`).
    }
    // A member of a set may have a colon.
    let values = match kind {
        "s" => vec![Value::Member(values.to_owned())],
        _ => values.split(':').map(|text| value(kind, text)).collect::<Result<_, _>>()?,
    };
    Ok(Metric { name: sanitized(name), labels, values, weight })
}

fn value(kind: &str, text: &str) -> Result<Value, &'static str> {
    let number: f64 = text.parse().map_err(|_| "value is no number")?;
    if !number.is_finite() {
        return Err("value is not finite"); // nothing could be added to it
    }
    match kind {
        "c" => Ok(Value::Count(number)),
        "g" if text.starts_with(['+', '-']) => Ok(Value::GaugeChange(number)),
        "g" => Ok(Value::Gauge(number)),
        "ms" if number < 0.0 => Err("time is less than zero"),
        "ms" => Ok(Value::Time(number / 1_000.0)),
        "h" | "d" => Ok(Value::Observed(number)),
        _ => Err("unknown type"),
    }
}

/// Tags as labels. Tags with equal names would be labels with equal names, so only the first one is kept.
fn to_labels(tags: &str) -> String {
    let mut labels: Vec<(String, &str)> = tags
        .split(',')
        .filter(|tag| !tag.is_empty())
        .map(|tag| tag.split_once(':').unwrap_or((tag, "true")))
        .map(|(name, value)| (label_name(name), value))
        .collect();
    labels.sort_by(|(one, _), (other, _)| one.cmp(other));
    labels.dedup_by(|(next, _), (one, _)| next == one);
    let mut text = String::new();
    for (name, value) in labels {
        let separator = if text.is_empty() { "" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        write!(text, "{separator}{name}=\"{value}\"").expect("a String takes all text");
    }
    text
}

/// Prometheus has labels of its own: those of buckets, and those with two underscores.
fn label_name(name: &str) -> String {
    let name = sanitized(name).replace(':', "_");
    if name == "le" || name.starts_with("__") { format!("tag_{name}") } else { name }
}

fn sanitized(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' };
    let first = if name.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    first.chars().chain(name.chars().map(allowed)).collect()
}
