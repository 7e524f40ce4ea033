//! Tests of the limits.

use super::*;
use crate::BindError;

// G-1
#[test]
fn the_defaults_are_those_of_the_contract() {
    let limits = Limits::default();

    assert_eq!(limits.get_max_queue_len(), 1_024);
    assert_eq!(limits.get_max_queue_bytes(), 1_048_576);
    assert_eq!(limits.get_overflow(), Overflow::DropNewest);
    assert_eq!(limits.get_max_total_queue_bytes(), 67_108_864);
    assert_eq!(limits.get_max_queued_fds(), 256);
    assert_eq!(limits.get_max_conversations(), 16_384);
    assert_eq!(limits.get_max_datagram_size(), 65_535);
    assert_eq!(limits.get_max_queue_time(), None);
    assert_eq!(limits.get_idle_timeout(), Some(Duration::from_secs(60)));
    assert_eq!(limits.get_undecoded_timeout(), Duration::from_secs(5));
    assert_eq!(limits.get_shutdown_grace(), Duration::from_millis(750));
    assert_eq!(limits.get_send_timeout(), Duration::from_millis(100));
    assert_eq!(limits.get_max_tasks(), 16_384);
    assert_eq!(limits.get_max_events_per_second(), 10);
}

// G-1
#[test]
fn each_getter_returns_the_value_of_its_setter() {
    let limits = Limits::default()
        .max_queue_len(1)
        .max_queue_bytes(2)
        .overflow(Overflow::DropOldest)
        .max_total_queue_bytes(3)
        .max_queued_fds(11)
        .max_conversations(4)
        .max_datagram_size(5)
        .max_queue_time(Duration::from_secs(12))
        .idle_timeout(Duration::from_secs(6))
        .undecoded_timeout(Duration::from_secs(5))
        .shutdown_grace(Duration::from_secs(7))
        .send_timeout(Duration::from_secs(8))
        .max_tasks(9)
        .max_events_per_second(10_000);

    assert_eq!(limits.get_max_queue_len(), 1);
    assert_eq!(limits.get_max_queue_bytes(), 2);
    assert_eq!(limits.get_overflow(), Overflow::DropOldest);
    assert_eq!(limits.get_max_total_queue_bytes(), 3);
    assert_eq!(limits.get_max_queued_fds(), 11);
    assert_eq!(limits.get_max_conversations(), 4);
    assert_eq!(limits.get_max_datagram_size(), 5);
    assert_eq!(limits.get_max_queue_time(), Some(Duration::from_secs(12)));
    assert_eq!(limits.get_idle_timeout(), Some(Duration::from_secs(6)));
    assert_eq!(limits.get_undecoded_timeout(), Duration::from_secs(5));
    assert_eq!(limits.get_shutdown_grace(), Duration::from_secs(7));
    assert_eq!(limits.get_send_timeout(), Duration::from_secs(8));
    assert_eq!(limits.get_max_tasks(), 9);
    assert_eq!(limits.get_max_events_per_second(), 10_000);
    assert_eq!(limits.idle_timeout(None).get_idle_timeout(), None);
}

// G-1
#[test]
fn a_limit_of_zero_is_refused_by_name() {
    let zero = Duration::ZERO;
    let refused = [
        ("max_queue_bytes", Limits::default().max_queue_bytes(0)),
        ("max_total_queue_bytes", Limits::default().max_total_queue_bytes(0)),
        ("max_conversations", Limits::default().max_conversations(0)),
        ("max_datagram_size", Limits::default().max_datagram_size(0)),
        ("max_queue_time", Limits::default().max_queue_time(zero)),
        ("idle_timeout", Limits::default().idle_timeout(zero)),
        ("undecoded_timeout", Limits::default().undecoded_timeout(zero)),
        ("send_timeout", Limits::default().send_timeout(zero)),
        ("max_events_per_second", Limits::default().max_events_per_second(0)),
    ];

    for (name, limits) in refused {
        let error = BindError::from(limits.check().unwrap_err());
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    assert!(
        Limits::default()
            .max_queue_len(0)
            .shutdown_grace(zero)
            .max_tasks(0)
            .idle_timeout(None)
            .check()
            .is_ok()
    );
}
