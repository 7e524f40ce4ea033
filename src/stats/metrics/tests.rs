//! The table is complete, and so is the page about it.

use super::{
    super::{ClientStats, RequestStats, ServerStats},
    *,
};
use std::collections::BTreeSet;

/// Stats with a different number in each field but those of more than one number.
fn different() -> (ServerStats, ClientStats, RequestStats) {
    let server = ServerStats {
        received: 1_001,
        received_bytes: 1_002,
        delivered: 1_003,
        decode_errors: 1_004,
        sent: 1_005,
        sent_bytes: 1_006,
        send_errors: 1_007,
        send_timeouts: 1_008,
        over_budget: 1_009,
        over_rate: 1_010,
        challenges: 1_011,
        replayed: 1_012,
        reply_cache_evictions: 1_013,
        store_errors: 1_014,
        store_timeouts: 1_015,
        store_skipped: 1_016,
        chunks: 1_017,
        incomplete: 1_018,
        waited: 1_019,
        waited_micros: 1_020,
        spawned: 1_021,
        conversations: 1_022,
        failed: 1_023,
        panicked: 1_024,
        aborted: 1_025,
        evicted: 1_026,
        idle_timeouts: 1_027,
        stalls: 1_028,
        suppressed_events: 1_029,
        active_conversations: 1_030,
        queued_bytes: 1_031,
        batches: Default::default(),
        dropped: std::array::from_fn(|n| 2_000 + n as u64),
    };
    let client = ClientStats {
        sent: 1_001,
        send_errors: 1_002,
        received: 1_003,
        decode_errors: 1_004,
        too_large: 1_005,
        challenges: 1_006,
    };
    let requests = RequestStats {
        requests: 1_001,
        answered: 1_002,
        timed_out: 1_003,
        unreachable: 1_004,
        refused: 1_005,
        decode_errors: 1_006,
        retry_budget_exhausted: 1_007,
        cancelled: 1_008,
        attempts: 1_009,
        retries: 1_010,
        resumed: 1_011,
        notifications: 1_012,
        challenges: 1_013,
        send_errors: 1_014,
        late: 1_015,
        unsolicited: 1_016,
        too_large: 1_017,
        round_trips: Default::default(),
    };
    (server, client, requests)
}

fn numbers(metrics: &[Metric]) -> Vec<u64> {
    let number = |sample: &Sample| match sample.value {
        Value::Whole(number) => number,
        Value::Seconds(time) => time.as_micros() as u64,
    };
    let mut numbers: Vec<_> = metrics
        .iter()
        .filter(|metric| metric.kind != Kind::Histogram)
        .flat_map(|metric| metric.samples.iter().map(number))
        .collect();
    numbers.sort_unstable();
    numbers
}

// O-15
#[test]
fn each_field_is_in_the_table_once() {
    let (server, client, requests) = different();

    let drops = 2_000..2_000 + server.dropped.len() as u64;
    assert_eq!(numbers(&server.metrics()), (1_001..=1_031).chain(drops).collect::<Vec<_>>());
    assert_eq!(numbers(&client.metrics()), (1_001..=1_006).collect::<Vec<_>>());
    assert_eq!(numbers(&requests.metrics()), (1_001..=1_017).collect::<Vec<_>>());
    // The counters of the other list, which has the names of the fields.
    assert_eq!(server.counters().count(), 31);
    assert_eq!((client.counters().count(), requests.counters().count()), (6, 17));
}

fn tables() -> [(&'static str, Vec<Metric>); 3] {
    let (server, client, requests) = different();
    [
        ("server", server.metrics()),
        ("client", client.metrics()),
        ("request client", requests.metrics()),
    ]
}

// O-15
#[test]
fn names_say_the_unit_and_what_only_increases() {
    let mut names = BTreeSet::new();
    for metric in tables().into_iter().flat_map(|(_, metrics)| metrics) {
        let Metric { name, help, kind, .. } = metric;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        assert!(help.ends_with('.') && !help.contains(['\\', '\n']), "{help}");
    }
}

// O-15
#[test]
fn the_page_about_the_metrics_lists_them_all() {
    let page = include_str!("../../../docs/metrics.md");
    for (part, metrics) in tables() {
        let rows: String = metrics
            .iter()
            .map(|Metric { name, help, kind, samples }| {
                let label = samples[0]
                    .label
                    .as_ref()
                    .map(|(label, _)| *label)
                    .filter(|label| *label != "le");
                let label = label.map_or(String::new(), |label| format!(" by `{label}`"));
                format!("| `{name}` | {kind}{label} | {help} |\n")
            })
            .collect();
        let table =
            format!("\n| metric of a {part} | type | meaning |\n| --- | --- | --- |\n{rows}\n");
        assert!(page.contains(&table), "docs/metrics.md does not have this table:\n{table}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `datagrammar_")).count();
    assert_eq!(rows, tables().iter().map(|(_, metrics)| metrics.len()).sum::<usize>());
}
