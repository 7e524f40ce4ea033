//! What the page of metrics looks like, line by line.

use super::*;

fn lines<'a>(page: &'a str, start: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.starts_with(start)).collect()
}

// O-15
#[test]
fn a_page_has_each_metric_with_its_help_its_type_and_its_values() {
    let mut stats = ServerStats {
        received: 7,
        waited: 2,
        waited_micros: 1_500_001,
        queued_bytes: 5,
        ..Default::default()
    };
    stats.dropped[0] = 3;

    let page = stats.to_prometheus(&[]);

    assert!(page.starts_with(
        "# HELP datagrammar_server_received_datagrams_total Datagrams that were read from the sockets.\n\
         # TYPE datagrammar_server_received_datagrams_total counter\n\
         datagrammar_server_received_datagrams_total 7\n"
    ));
    assert_eq!(
        lines(&page, "datagrammar_server_dropped_datagrams_total")[..2],
        [
            "datagrammar_server_dropped_datagrams_total{reason=\"queue_full\"} 3",
            "datagrammar_server_dropped_datagrams_total{reason=\"memory_limit\"} 0",
        ]
    );
    assert_eq!(
        lines(&page, "datagrammar_server_queue_time_seconds"),
        [
            "datagrammar_server_queue_time_seconds_sum 1.500001",
            "datagrammar_server_queue_time_seconds_count 2"
        ]
    );
    assert!(page.contains(
        "# TYPE datagrammar_server_queued_bytes gauge\ndatagrammar_server_queued_bytes 5\n"
    ));
    assert!(page.ends_with('\n'));
}

// O-15
#[test]
fn batch_sizes_are_a_histogram() {
    let counters = super::super::super::Counters::default();
    for size in [1, 1, 2, 3, 64, 65] {
        counters.batch(size);
        counters.received.fetch_add(size as u64, std::sync::atomic::Ordering::Relaxed);
    }

    let page = counters.read().to_prometheus(&[]);

    let values: Vec<_> = lines(&page, "datagrammar_server_batch_datagrams")
        .into_iter()
        .map(|line| line.trim_start_matches("datagrammar_server_batch_datagrams_"))
        .collect();
    assert_eq!(
        values,
        [
            "bucket{le=\"1\"} 2",
            "bucket{le=\"2\"} 3",
            "bucket{le=\"4\"} 4",
            "bucket{le=\"8\"} 4",
            "bucket{le=\"16\"} 4",
            "bucket{le=\"32\"} 4",
            "bucket{le=\"64\"} 5",
            "bucket{le=\"+Inf\"} 6",
            "sum 136",
            "count 6",
        ]
    );
}

// O-15
#[test]
fn round_trips_are_a_histogram_in_seconds() {
    let counters = super::super::super::RequestCounters::default();
    counters.round_trip(std::time::Duration::from_micros(1_000));
    counters.round_trip(std::time::Duration::from_secs(100));

    let page = PrometheusPage::new().request_client(&counters.read(), &[("to", "b")]).to_string();

    let values: Vec<_> = lines(&page, "datagrammar_request_client_round_trip_seconds")
        .into_iter()
        .map(|line| line.trim_start_matches("datagrammar_request_client_round_trip_seconds_"))
        .collect();
    assert_eq!(values.len(), 21 + 3);
    assert_eq!(
        values[..2],
        ["bucket{to=\"b\",le=\"0.000064\"} 0", "bucket{to=\"b\",le=\"0.000128\"} 0"]
    );
    assert!(values.contains(&"bucket{to=\"b\",le=\"0.001024\"} 1"), "{values:?}");
    assert_eq!(
        values[20..],
        [
            "bucket{to=\"b\",le=\"67.108864\"} 1",
            "bucket{to=\"b\",le=\"+Inf\"} 2",
            "sum{to=\"b\"} 100.001",
            "count{to=\"b\"} 2",
        ]
    );
}

// O-15
#[test]
fn values_of_labels_are_escaped() {
    let page = ServerStats::default().to_prometheus(&[("path", "a\\b\"c\nd"), ("name", "é")]);

    assert!(
        page.contains("_received_datagrams_total{path=\"a\\\\b\\\"c\\nd\",name=\"é\"} 0\n"),
        "{page}"
    );
    assert!(page.contains(
        "_dropped_datagrams_total{path=\"a\\\\b\\\"c\\nd\",name=\"é\",reason=\"late\"} 0\n"
    ));
}

// O-15
#[test]
fn the_values_of_several_servers_are_together() {
    let (first, second) = (
        ServerStats { sent: 1, ..Default::default() },
        ServerStats { sent: 2, ..Default::default() },
    );

    let page = PrometheusPage::new()
        .server(&first, &[("n", "1")])
        .server(&second, &[("n", "2")])
        .to_string();

    assert!(page.contains(
        "# TYPE datagrammar_server_sent_datagrams_total counter\n\
         datagrammar_server_sent_datagrams_total{n=\"1\"} 1\n\
         datagrammar_server_sent_datagrams_total{n=\"2\"} 2\n# HELP "
    ));
    assert_eq!(lines(&page, "# TYPE datagrammar_server_sent_datagrams_total").len(), 1);
}

// O-15
#[test]
fn labels_that_prometheus_would_refuse_panic() {
    let twice: &[_] = &[("a", ""), ("a", "")];
    let wrong: [&[_]; 10] = [
        &[("", "")],
        &[("1a", "")],
        &[("a-b", "")],
        &[("ä", "")],
        &[("__name__", "")],
        &[("le", "")],
        &[("outcome", "")],
        &[("quantile", "")],
        &[("reason", "")],
        twice,
    ];
    for labels in wrong {
        let page = std::panic::catch_unwind(|| ServerStats::default().to_prometheus(labels));
        assert!(page.is_err(), "{labels:?}");
    }
    assert!(!ServerStats::default().to_prometheus(&[("_a1", ""), ("A", "")]).is_empty());
}
