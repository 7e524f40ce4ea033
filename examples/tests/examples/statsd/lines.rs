//! Lines as clients write them, and datagrams of several.

use datagrammar::DatagramProtocol;

use super::server::{
    metric::{MAX_LINE, Metric, Value, parse},
    protocol::{Lines, Statsd},
};

fn metric(name: &str, labels: &str, weight: f64, values: &[Value]) -> Metric {
    Metric { name: name.to_owned(), labels: labels.to_owned(), values: values.to_vec(), weight }
}

fn plain(line: &str, name: &str, value: Value) {
    assert_eq!(parse(line), Ok(metric(name, "", 1.0, &[value])), "{line}");
}

#[test]
fn each_type_is_read() {
    plain("a:1|c", "a", Value::Count(1.0));
    plain("a:-1|c", "a", Value::Count(-1.0));
    plain("a:2.5|g", "a", Value::Gauge(2.5));
    plain("a:+3|g", "a", Value::GaugeChange(3.0));
    plain("a:-3|g", "a", Value::GaugeChange(-3.0));
    plain("a:320|ms", "a", Value::Time(0.32));
    plain("a:320.000000|ms", "a", Value::Time(0.32));
    plain("a:7|h", "a", Value::Observed(7.0));
    plain("a:7|d", "a", Value::Observed(7.0));
    plain("a:joe|s", "a", Value::Member("joe".to_owned()));
    plain("a:10.0.0.1:80|s", "a", Value::Member("10.0.0.1:80".to_owned()));
}

#[test]
fn names_become_those_of_prometheus() {
    plain("page.views-all/é:1|c", "page_views_all__", Value::Count(1.0));
    plain("2xx:1|c", "_2xx", Value::Count(1.0));
}

#[test]
fn a_sample_rate_is_a_weight() {
    assert_eq!(parse("a:1|c|@0.1"), Ok(metric("a", "", 10.0, &[Value::Count(1.0)])));
    assert_eq!(parse("a:1|c|@1"), Ok(metric("a", "", 1.0, &[Value::Count(1.0)])));
    assert_eq!(parse("a:20|ms|@0.5|#x:y"), Ok(metric("a", "x=\"y\"", 2.0, &[Value::Time(0.02)])));
}

#[test]
fn tags_become_labels_in_one_order() {
    let labels = |line| parse(line).unwrap().labels;
    assert_eq!(labels("a:1|c|#host:b,env:prod"), "env=\"prod\",host=\"b\"");
    assert_eq!(labels("a:1|c|#env:prod,host:b|c:ci-1234|T1656581400"), "env=\"prod\",host=\"b\"");
    assert_eq!(labels("a:1|c|#canary"), "canary=\"true\"");
    assert_eq!(labels("a:1|c|#url:http://x,,u:"), "u=\"\",url=\"http://x\"");
    assert_eq!(labels("a:1|c|#a:1,a:2"), "a=\"1\"");
    assert_eq!(labels(r#"a:1|c|#a:\"x"#), r#"a="\\\"x""#);
    assert_eq!(
        labels("a:1|h|#le:1,__name__:x,1a:y,a-b:z"),
        "_1a=\"y\",a_b=\"z\",tag___name__=\"x\",tag_le=\"1\""
    );
    assert_eq!(labels("a:1|c|#"), "");
}

#[test]
fn dogstatsd_packs_values() {
    let values = [1.0, 2.0, 3.0].map(Value::Observed);
    assert_eq!(parse("a:1:2:3|h|#x:y"), Ok(metric("a", "x=\"y\"", 1.0, &values)));
}

#[test]
fn what_is_wrong_is_said() {
    for (line, error) in [
        ("a", "no colon after the name"),
        ("a|c", "no colon after the name"),
        (":1|c", "no name"),
        ("a:1", "no type"),
        ("a:1|x", "unknown type"),
        ("a:|c", "value is no number"),
        ("a:1:|c", "value is no number"),
        ("a:one|c", "value is no number"),
        ("a:nan|g", "value is not finite"),
        ("a:inf|c", "value is not finite"),
        ("a:1e999|c", "value is not finite"),
        ("a:-1|ms", "time is less than zero"),
        ("a:1|c|@", "sample rate is no number"),
        ("a:1|c|@0", "sample rate is not above 0 and at most 1"),
        ("a:1|c|@1.1", "sample rate is not above 0 and at most 1"),
        ("a:1|c|@nan", "sample rate is not above 0 and at most 1"),
    ] {
        assert_eq!(parse(line), Err(error), "{line}");
    }
}

#[test]
fn a_line_has_a_limit() {
    let line = |len: usize| format!("a:{}|s", "m".repeat(len - "a:|s".len()));
    assert!(parse(&line(MAX_LINE)).is_ok());
    assert_eq!(parse(&line(MAX_LINE + 1)), Err("line is too long"));
    let datagram = format!("{}\nb:2|g\n{}", line(MAX_LINE + 1), line(MAX_LINE));
    let lines = Statsd.decode(datagram.as_bytes()).unwrap();
    assert_eq!((lines.metrics.len(), lines.refused), (2, 1));
}

#[test]
fn a_datagram_has_several_lines() {
    let lines = Statsd.decode(b"a:1|c\nbad\n\nb:2|g\r\n_e{5,4}:title|text\n_sc|name|0\n").unwrap();

    let metrics = vec![
        metric("a", "", 1.0, &[Value::Count(1.0)]),
        metric("b", "", 1.0, &[Value::Gauge(2.0)]),
    ];
    assert_eq!(lines, Lines { metrics, refused: 1, ignored: 2 });
}

#[test]
fn a_datagram_without_any_metric_is_refused() {
    let refused = |datagram: &[u8]| Statsd.decode(datagram).unwrap_err().to_string();
    assert_eq!(refused(b""), "no line");
    assert_eq!(refused(b"\n\n"), "no line");
    assert_eq!(refused(b"bad\nworse:1"), "no type");
    assert_eq!(refused(b"a:\xff|s"), "invalid UTF-8");
    assert_eq!(Statsd.decode(b"_e{5,4}:title|text").unwrap().ignored, 1);
}

#[test]
fn no_datagram_panics() {
    let mut random = 1_u64;
    let parts = [
        "a", ":", "|", "c", "ms", "g", "s", "h", "@", "0.1", "#", ",", "\n", "-", "+", "1e309",
        "é", "\"", "\\", "le", "__", "_e{",
    ];
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..1 + random % 12 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text += parts[(random >> 33) as usize % parts.len()];
        }
        let _ = Statsd.decode(text.as_bytes());
    }
}
