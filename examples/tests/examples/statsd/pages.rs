//! What is remembered, and the page about it.

use super::server::{
    metric::parse,
    page::page,
    registry::{MAX_MEMBERS, MAX_PAGE, MAX_SERIES, Registry},
};

fn registry(lines: &[&str]) -> Registry {
    let mut registry = Registry::default();
    for line in lines {
        registry.add(&parse(line).unwrap());
    }
    registry
}

/// The lines of the page about these names, without comments.
fn values(registry: &Registry, start: &str) -> Vec<String> {
    page(registry).lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

#[test]
fn counters_add_up_and_decrements_have_their_own() {
    let registry = registry(&["a:1|c", "a:2|c", "a:1|c|@0.1", "a:-4|c", "b_total:1|c"]);

    assert_eq!(values(&registry, "a_"), ["a_decrements_total 4", "a_total 13"]);
    assert_eq!(values(&registry, "b_"), ["b_total 1"]);
    assert!(page(&registry).contains("# TYPE a_total counter\n"));
}

#[test]
fn a_gauge_is_set_and_changed() {
    let registry = registry(&["a:5|g", "a:+3|g", "a:-10|g", "b:-1|g"]);

    assert_eq!(values(&registry, "a"), ["a -2"]);
    assert_eq!(values(&registry, "b"), ["b -1"]);
    assert!(page(&registry).contains("# TYPE a gauge\n"));
}

#[test]
fn a_set_counts_each_member_once() {
    let registry = registry(&["users:joe|s", "users:ann|s", "users:joe|s"]);

    assert_eq!(values(&registry, "users"), ["users_unique 2"]);
}

#[test]
fn times_are_a_histogram_in_seconds() {
    let registry = registry(&["t:1|ms", "t:30|ms|@0.5", "t:1000000000|ms"]);

    let lines = values(&registry, "t_");
    assert_eq!(
        lines[..2],
        ["t_seconds_bucket{le=\"0.001\"} 1", "t_seconds_bucket{le=\"0.0025\"} 1"]
    );
    assert!(lines.contains(&"t_seconds_bucket{le=\"0.05\"} 3".to_owned()), "{lines:?}");
    assert_eq!(
        lines[15..],
        [
            "t_seconds_bucket{le=\"10000\"} 3",
            "t_seconds_bucket{le=\"+Inf\"} 4",
            "t_seconds_sum 1000000.061",
            "t_seconds_count 4",
        ]
    );
}

#[test]
fn labels_tell_values_apart() {
    let registry = registry(&["a:1|c|#x:1", "a:2|c|#x:2", "a:4|c|#x:1", "a:8|c", "h:3|h|#x:1"]);

    assert_eq!(values(&registry, "a_"), ["a_total 8", "a_total{x=\"1\"} 5", "a_total{x=\"2\"} 2"]);
    assert_eq!(page(&registry).matches("# TYPE a_total").count(), 1);
    assert_eq!(values(&registry, "h_bucket")[8], "h_bucket{x=\"1\",le=\"0.5\"} 0");
    assert_eq!(values(&registry, "h_sum"), ["h_sum{x=\"1\"} 3"]);
}

#[test]
fn no_series_is_there_twice() {
    for lines in [
        ["a:1|h", "a:1|g"],
        ["a:1|g", "a:1|h"],
        ["a:1|h", "a_count:1|g"],
        ["a_count:1|g", "a:1|h"],
        ["a:1|ms", "a_seconds_sum:1|g"],
        ["a_unique:1|g", "a:1|s"],
        ["x:1|g", "statsd_values_total:1|c"],
        ["x:1|g", "datagrammar.server.sent:1|g"],
    ] {
        let registry = registry(&lines);
        assert_eq!((registry.counts.values, registry.counts.refused_values), (1, 1), "{lines:?}");
    }
}

#[test]
fn what_strangers_send_is_bounded() {
    let mut registry = Registry::default();
    for n in 0..MAX_SERIES + 5 {
        registry.add(&parse(&format!("a:1|c|#n:{n}")).unwrap());
    }
    assert_eq!((registry.counts.values, registry.counts.refused_values), (MAX_SERIES as u64, 5));
    registry.add(&parse("a:1|c|#n:0").unwrap());
    assert_eq!(registry.counts.values, MAX_SERIES as u64 + 1, "what is known still counts");

    let mut registry = Registry::default();
    for n in 0..MAX_MEMBERS + 5 {
        registry.add(&parse(&format!("a:{n}|s")).unwrap());
    }
    registry.add(&parse("a:0|s").unwrap());
    assert_eq!(
        (registry.counts.values, registry.counts.refused_values),
        (MAX_MEMBERS as u64 + 1, 5)
    );
    assert_eq!(values(&registry, "a_"), [format!("a_unique {MAX_MEMBERS}")]);
}

#[test]
fn the_bytes_that_strangers_send_are_bounded() {
    // Short tags become long labels, and a histogram repeats them in 19 lines.
    let tags: Vec<String> = ('a'..='z').flat_map(|c| [format!("{c}"), format!("__{c}")]).collect();
    let mut registry = Registry::default();
    let mut lines = 0;
    while registry.counts.refused_values == 0 {
        lines += 1;
        registry.add(&parse(&format!("h:1|h|#n:{lines},{}", tags.join(","))).unwrap());
    }
    let page = page(&registry);
    assert!(lines < MAX_SERIES, "{lines}");
    assert!((MAX_PAGE / 2..=MAX_PAGE).contains(&page.len()), "{}", page.len());
    registry.add(&parse(&format!("h:1|h|#n:1,{}", tags.join(","))).unwrap());
    assert_eq!(registry.counts.values, lines as u64, "what is known still counts");
}

#[test]
fn the_page_tells_of_the_server_itself() {
    let mut registry = registry(&["a:1:2|c", "a:1|h", "a_sum:1|g"]);
    registry.counts.refused_lines = 3;
    registry.counts.ignored_lines = 4;

    assert_eq!(
        values(&registry, "statsd_"),
        [
            "statsd_values_total 3",
            "statsd_refused_lines_total 3",
            "statsd_ignored_lines_total 4",
            "statsd_refused_values_total 1"
        ]
    );
}
