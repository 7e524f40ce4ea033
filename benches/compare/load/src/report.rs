//! The JSON object that says what was measured.

use std::fmt::Display;

use crate::{Load, options::Mode, requests::Snapshot};

/// Prints what happened between two snapshots.
pub fn print(load: &Load, first: &Snapshot, last: &Snapshot) {
    let (options, requests) = (&load.options, &load.requests);
    let (from, to) = (&first.counts, &last.counts);
    let ns = (last.at - first.at) as f64;
    let seconds = ns / 1e9;
    let answered = (to.answered - from.answered) as f64;
    let sent = (to.sent - from.sent) as f64;
    let lost = to.lost - from.lost;
    let loss = match options.mode {
        Mode::Flood => (1.0 - answered / sent.max(1.0)).max(0.0),
        Mode::Closed | Mode::Many => lost as f64 / sent.max(1.0),
    };
    // A pause counts when it ends, so one that began before the measurement may be longer than it.
    let busy = (1.0 - (to.idle - from.idle) as f64 / ns).max(0.0);
    let own_cpu = (last.own_cpu - first.own_cpu) as f64;
    let time = |quantile| requests.times.value_at_quantile(quantile) as f64 / 1000.0;
    let per_request = |ns: f64| ns / 1000.0 / answered.max(1.0);

    let mut members = Members::default();
    members.number("rps", answered / seconds, 0);
    members.number("sent_ps", sent / seconds, 0);
    members.number("loss", loss, 6);
    members.add("lost", lost);
    members.number("p50_us", time(0.5), 1);
    members.number("p99_us", time(0.99), 1);
    members.number("p999_us", time(0.999), 1);
    members.number("gen_busy", busy, 3);
    members.number("gen_cpu_us", per_request(own_cpu) * busy, 3);
    members.add("stale", requests.counts.stale);
    members.add("bad", load.receiver.bad);
    members.add("multi", options.multi);
    members.add("tx_calls", load.sender.calls);
    members.add("rx_calls", load.receiver.calls);
    members.add("total", requests.counts.answered);
    if let (Some(a), Some(b)) = (&first.server, &last.server) {
        let cpu = b.cpu.saturating_sub(a.cpu) as f64;
        let (user, system) = (b.user - a.user, b.system - a.system);
        members.number("cpu_us", per_request(cpu), 4);
        members.number("srv_util", cpu / ns, 3);
        members.number("user_frac", user as f64 / (user + system).max(1) as f64, 3);
        members.number("ksoft_us", per_request((b.softirq - a.softirq) as f64), 4);
        members.add("rss_kb", b.resident_kib);
        members.add("threads", b.threads);
        members.add("vcsw", b.waits.saturating_sub(a.waits));
        if let (Some(a), Some(b)) = (&first.server_core, &last.server_core) {
            members.number("core_busy", b.busy(a), 3);
            members.number("core_other", (b.busy(a) - cpu / ns).max(0.0), 3);
        }
    }
    if let (Some(a), Some(b)) = (&first.core, &last.core) {
        members.number("gen_core_other", (b.busy(a) - own_cpu / ns).max(0.0), 3);
        members.number("steal", b.steal(a), 3);
    }
    println!("{{{}}}", members.0.join(","));
}

/// Members of a JSON object, whose values are numbers and booleans.
#[derive(Default)]
struct Members(Vec<String>);

impl Members {
    fn add(&mut self, name: &str, value: impl Display) {
        self.0.push(format!("\"{name}\":{value}"));
    }

    fn number(&mut self, name: &str, value: f64, decimals: usize) {
        self.add(name, format_args!("{value:.decimals$}"));
    }
}
