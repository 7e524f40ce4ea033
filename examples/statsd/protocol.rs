//! StatsD as a protocol: one datagram is one line or several.

use std::convert::Infallible;

use datagrammar::{DatagramProtocol, DecodeError, EncodeError};

use super::metric::{Metric, parse};

/// Receives metrics. A server of statsd does not send.
pub(crate) struct Statsd;

/// What a datagram has.
#[derive(Debug, PartialEq)]
pub(crate) struct Lines {
    pub(crate) metrics: Vec<Metric>,
    /// How many lines are no metrics. The others count nevertheless.
    pub(crate) refused: u64,
    /// How many lines are events and service checks of DogStatsD, which Prometheus has no place for.
    pub(crate) ignored: u64,
}

impl DatagramProtocol for Statsd {
    type Incoming = Lines;
    type Outgoing = Infallible;

    fn decode(&self, datagram: &[u8]) -> Result<Lines, DecodeError> {
        let text = str::from_utf8(datagram).map_err(|_| DecodeError::codec("invalid UTF-8"))?;
        let mut lines = Lines { metrics: Vec::new(), refused: 0, ignored: 0 };
        let mut error = "no line";
        for line in text.lines().filter(|line| !line.is_empty()) {
            if line.starts_with("_e{") || line.starts_with("_sc|") {
                lines.ignored += 1;
                continue;
            }
            match parse(line) {
                Ok(metric) => lines.metrics.push(metric),
                Err(reason) => {
                    lines.refused += 1;
                    error = reason;
                }
            }
        }
        if lines.metrics.is_empty() && lines.ignored == 0 {
            return Err(DecodeError::codec(error));
        }
        Ok(lines)
    }

    fn encode(&self, packet: &Infallible, _datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *packet {}
    }
}
