//! What the recorder of a program gets, from a real server.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use datagrammar::{Client, Server, ServerStats, Text, metrics::Publisher};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder, with_local_recorder,
};

use super::Busy;

/// Remembers what was published last.
#[derive(Default)]
struct Recorded {
    /// By name and labels, as on a page of Prometheus. Gauges are bits of numbers with fractions.
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    /// By name: whether it is a gauge, and what it means.
    descriptions: Mutex<BTreeMap<String, (bool, String)>>,
}

impl Recorded {
    fn counter(&self, series: &str) -> u64 {
        self.counters.lock().unwrap()[series].load(Relaxed)
    }

    fn gauge(&self, series: &str) -> f64 {
        f64::from_bits(self.gauges.lock().unwrap()[series].load(Relaxed))
    }

    /// Everything, as lines of a page of Prometheus without comments.
    fn lines(&self) -> Vec<String> {
        let (counters, gauges) = (self.counters.lock().unwrap(), self.gauges.lock().unwrap());
        let counters =
            counters.iter().map(|(series, value)| format!("{series} {}", value.load(Relaxed)));
        let gauge = |value: &AtomicU64| f64::from_bits(value.load(Relaxed));
        let gauges = gauges.iter().map(|(series, value)| format!("{series} {}", gauge(value)));
        let mut lines: Vec<_> = counters.chain(gauges).collect();
        lines.sort();
        lines
    }
}

fn series(key: &Key) -> String {
    let labels: Vec<_> =
        key.labels().map(|label| format!("{}=\"{}\"", label.key(), label.value())).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    format!("{}{labels}", key.name())
}

impl Recorder for Recorded {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        assert_eq!(unit, None, "exporters add it to names");
        self.descriptions
            .lock()
            .unwrap()
            .insert(name.as_str().to_owned(), (false, text.into_owned()));
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        assert_eq!(unit, None, "exporters add it to names");
        self.descriptions
            .lock()
            .unwrap()
            .insert(name.as_str().to_owned(), (true, text.into_owned()));
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{name:?} is counted elsewhere");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.counters.lock().unwrap().entry(series(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.gauges.lock().unwrap().entry(series(key)).or_default().clone())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is counted elsewhere");
    }
}

/// The lines of a page of Prometheus without comments.
fn values(page: &str) -> Vec<String> {
    let mut lines: Vec<_> =
        page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    lines.sort();
    lines
}

// O-1 and O-16
#[tokio::test]
async fn what_is_published_is_what_a_page_has() {
    let (busy, recorded) = (Busy::start().await, Recorded::default());
    busy.stop().await;
    let stats = busy.handle.stats();

    with_local_recorder(&recorded, || Publisher::new().label("server", "a").publish_server(&stats));

    assert_eq!(recorded.lines(), values(&stats.to_prometheus(&[("server", "a")])));
    assert_eq!(recorded.counter("datagrammar_server_received_datagrams_total{server=\"a\"}"), 13);
    let descriptions = recorded.descriptions.lock().unwrap();
    assert_eq!(
        descriptions["datagrammar_server_stalls_total"].1,
        "How often handlers blocked a worker for more than a second."
    );
    let gauges: Vec<_> = descriptions
        .iter()
        .filter(|(_, (gauge, _))| *gauge)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        gauges,
        [
            "datagrammar_server_active_conversations",
            "datagrammar_server_queue_time_seconds_sum",
            "datagrammar_server_queued_bytes",
        ]
    );
}

// O-16
#[tokio::test]
async fn clients_publish_too() {
    let (busy, recorded) = (Busy::start().await, Recorded::default());

    with_local_recorder(&recorded, || Publisher::new().publish_client(&busy.client.stats()));

    assert_eq!(recorded.counter("datagrammar_client_sent_datagrams_total"), 10);
    assert_eq!(recorded.counter("datagrammar_client_received_datagrams_total"), 10);
    busy.stop().await;
}

// O-17: no datagram is missing from the last values.
#[tokio::test]
async fn the_last_values_are_those_after_serving() {
    let recorded = Recorded::default();
    let _guard = set_default_local_recorder(&recorded);
    let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let client = Client::connect(addr, Text).await.unwrap();
    let stop = async {
        for n in 0..7 {
            client.send(n.to_string()).await.unwrap();
            client.recv().await.unwrap();
        }
    };

    // Within the interval, so that only the first and the last values are published.
    let publisher = Publisher::new().interval(Duration::from_secs(3_600));
    publisher.during(server.serve_until(stop), handle.clone()).await.unwrap();

    let stats = handle.stats();
    assert_eq!((stats.received, stats.sent), (7, 7));
    assert_eq!(recorded.lines(), values(&stats.to_prometheus(&[])));
}

// O-17
#[tokio::test(start_paused = true)]
async fn values_are_published_in_each_interval() {
    let recorded = Recorded::default();
    let _guard = set_default_local_recorder(&recorded);
    let network = datagrammar::testing::Network::new(1, Default::default());
    let socket = network.bind("10.0.0.1:9000").unwrap();
    let server = Server::bind(socket, Text, async |text: String| text).await.unwrap();
    let handle = server.handle();
    let stranger = network.connect("10.0.0.2:0", "10.0.0.1:9000").unwrap();
    let client = Client::connect(stranger, Text).await.unwrap();
    let received = "datagrammar_server_received_datagrams_total";
    let stop = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(recorded.counter(received), 0, "the first values come at once");
        client.send("hello".to_owned()).await.unwrap();
        client.recv().await.unwrap();
        assert_eq!(recorded.counter(received), 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(recorded.counter(received), 1);
        assert_eq!(recorded.gauge("datagrammar_server_active_conversations"), 0.0);
    };

    let publisher = Publisher::new().interval(Duration::from_secs(2));
    publisher.during(server.serve_until(stop), handle).await.unwrap();
}

// O-16
#[test]
fn nothing_happens_without_a_recorder() {
    Publisher::new().publish_server(&ServerStats::default());
}

// O-16
#[test]
fn a_publisher_refuses_the_labels_that_the_page_refuses() {
    for name in ["", "1a", "a-b", "ä", "__name__", "le", "outcome", "quantile", "reason", "given"]
    {
        let labels = [("given", "one"), (name, "two")];
        let published = std::panic::catch_unwind(|| {
            labels.iter().fold(Publisher::new(), |to, (name, value)| to.label(*name, *value))
        });
        let page = std::panic::catch_unwind(|| ServerStats::default().to_prometheus(&labels));

        assert!(published.is_err() && page.is_err(), "{name:?}");
    }
    let _ = Publisher::new().label("given", "one").label("_a1", "two").label("A", "");
}
