//! Metrics in the text format of Prometheus.

use std::fmt;

use super::{
    super::{ClientStats, RequestStats, ServerStats},
    Kind, Metric, Sample,
};

/// A page of metrics in the text format of Prometheus (version 0.0.4), for an HTTP server of yours.
///
/// A page can have the stats of several servers and clients. Each needs its own labels, or Prometheus refuses the page: two
/// values would have the same name. [The table](crate::_documentation::metrics) lists the metrics. `Display` writes the page.
///
/// The numbers are counted since the server or the client was bound, and start again at 0 with a new process. Prometheus
/// expects that.
///
/// # Panics
///
/// The methods panic if the name of a label is not made of ASCII letters, digits and underscores, begins with a digit or two
/// underscores, is given twice, or is one of those that metrics have themselves: `le`, `outcome`, `quantile` and `reason`. Values
/// can be any text.
///
/// # Examples
///
/// ```
/// use datagrammar::{Client, PrometheusPage, Server, Text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let upper = Server::bind("127.0.0.1:0", Text, async |text: String| text.to_uppercase()).await?;
/// let lower = Server::bind("127.0.0.1:0", Text, async |text: String| text.to_lowercase()).await?;
/// let client = Client::connect(upper.local_addr(), Text).await?;
/// client.send("hello".to_owned()).await?;
///
/// let page = PrometheusPage::new()
///     .server(&upper.handle().stats(), &[("server", "upper")])
///     .server(&lower.handle().stats(), &[("server", "lower")])
///     .client(&client.stats(), &[])
///     .to_string();
/// assert!(page.contains("datagrammar_server_received_datagrams_total{server=\"upper\"} 0\n"));
/// assert!(page.contains("datagrammar_server_dropped_datagrams_total{server=\"lower\",reason=\"queue_full\"} 0\n"));
/// assert!(page.contains("datagrammar_client_sent_datagrams_total 1\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct PrometheusPage {
    metrics: Vec<Lines>,
}

/// All lines of a metric. The format demands that they are together.
#[derive(Clone, Debug)]
struct Lines {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    samples: String,
}

impl PrometheusPage {
    /// The value of the HTTP header `Content-Type` for such a page.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Returns an empty page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the stats of a server with these labels: names and values.
    #[must_use]
    pub fn server(self, stats: &ServerStats, labels: &[(&str, &str)]) -> Self {
        self.add(stats.metrics(), labels)
    }

    /// Adds the stats of a client with these labels: names and values.
    #[must_use]
    pub fn client(self, stats: &ClientStats, labels: &[(&str, &str)]) -> Self {
        self.add(stats.metrics(), labels)
    }

    /// Adds the stats of a request client with these labels: names and values.
    #[must_use]
    pub fn request_client(self, stats: &RequestStats, labels: &[(&str, &str)]) -> Self {
        self.add(stats.metrics(), labels)
    }

    fn add(mut self, metrics: Vec<Metric>, labels: &[(&str, &str)]) -> Self {
        for (n, (name, _)) in labels.iter().enumerate() {
            check_label(name, labels[..n].iter().map(|(other, _)| *other));
        }
        let labels: Vec<_> = labels.iter().map(|(name, value)| label(name, value)).collect();
        for Metric { name, help, kind, samples } in metrics {
            let known = self.metrics.iter().position(|lines| lines.name == name);
            let n = known.unwrap_or_else(|| {
                self.metrics.push(Lines { name, help, kind, samples: String::new() });
                self.metrics.len() - 1
            });
            for sample in &samples {
                self.metrics[n].samples.push_str(&line(name, sample, &labels));
            }
        }
        self
    }
}

impl ServerStats {
    /// Returns all of these stats in the text format of Prometheus (version 0.0.4), with these labels at each value:
    /// names and values. [The table](crate::_documentation::metrics) lists the metrics. [`PrometheusPage`] makes one page
    /// of several servers and clients.
    ///
    /// # Panics
    ///
    /// If the name of a label is not made of ASCII letters, digits and underscores, begins with a digit or two underscores,
    /// is given twice, or is `le`, `outcome`, `quantile` or `reason`.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::ServerStats;
    ///
    /// let page = ServerStats::default().to_prometheus(&[("server", "dns")]);
    /// assert!(page.contains("# TYPE datagrammar_server_received_datagrams_total counter\n"));
    /// assert!(page.contains("datagrammar_server_received_datagrams_total{server=\"dns\"} 0\n"));
    /// ```
    #[must_use]
    pub fn to_prometheus(&self, labels: &[(&str, &str)]) -> String {
        PrometheusPage::new().server(self, labels).to_string()
    }
}

/// Writes the page.
impl fmt::Display for PrometheusPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Lines { name, help, kind, samples } in &self.metrics {
            write!(f, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}")?;
        }
        Ok(())
    }
}

/// Checks the name of a label that is given after those of `others`.
///
/// # Panics
///
/// If Prometheus would refuse it.
pub(crate) fn check_label<'a>(name: &str, mut others: impl Iterator<Item = &'a str>) {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let reserved =
        name.starts_with("__") || ["le", "outcome", "quantile", "reason"].contains(&name);
    assert!(letters && first && !reserved, "{name:?} cannot be the name of a label");
    assert!(others.all(|other| other != name), "label {name:?} is given twice");
}

/// `name="value"`, as the format demands it.
fn label(name: &str, value: &str) -> String {
    let mut label = format!("{name}=\"");
    for character in value.chars() {
        match character {
            '\\' => label.push_str("\\\\"),
            '"' => label.push_str("\\\""),
            '\n' => label.push_str("\\n"),
            other => label.push(other),
        }
    }
    label.push('"');
    label
}

fn line(name: &str, sample: &Sample, labels: &[String]) -> String {
    let own = sample.label.as_ref().map(|(name, value)| label(name, value));
    let labels: Vec<_> = labels.iter().chain(&own).map(String::as_str).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    format!("{name}{}{labels} {}\n", sample.suffix, sample.value)
}

#[cfg(test)]
mod tests;
