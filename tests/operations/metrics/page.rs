//! The page of Prometheus, of a real server.

use super::Busy;

/// The value of a series, as it is named on the page.
fn value(page: &str, series: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}

// O-1
#[tokio::test]
async fn the_totals_of_a_page_are_those_of_the_stats() {
    let busy = Busy::start().await;

    busy.stop().await;

    let stats = busy.handle.stats();
    let page = stats.to_prometheus(&[]);
    let server = |name: &str| value(&page, &format!("datagrammar_server_{name}"));
    assert_eq!((server("received_datagrams_total"), server("decode_errors_total")), (13, 3));
    assert_eq!((server("sent_datagrams_total"), server("sent_bytes_total")), (10, 50));
    assert_eq!((server("received_bytes_total"), server("delivered_datagrams_total")), (53, 13));
    assert_eq!(server("batch_datagrams_sum"), stats.received);
    assert_eq!(server("batch_datagrams_count"), stats.batches.total());
    for (reason, datagrams) in stats.drops() {
        assert_eq!(server(&format!("dropped_datagrams_total{{reason=\"{reason}\"}}")), datagrams);
    }
}

// O-1
#[tokio::test]
async fn to_read_a_page_changes_nothing() {
    let busy = Busy::start().await;

    let pages = [(); 3].map(|()| busy.handle.stats().to_prometheus(&[("server", "echo")]));

    assert!(pages[0] == pages[1] && pages[1] == pages[2]);
    busy.ask(1).await;
    let series = "datagrammar_server_sent_datagrams_total{server=\"echo\"}";
    let after = busy.handle.stats().to_prometheus(&[("server", "echo")]);
    assert_eq!((value(&pages[0], series), value(&after, series)), (10, 11));
    busy.stop().await;
}
