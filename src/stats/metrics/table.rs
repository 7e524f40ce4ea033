//! The table of all metrics. `docs/metrics.md` lists them.

use std::time::Duration;

use super::{
    super::{BatchSizes, ClientStats, DropReason, RequestStats, RoundTrips, ServerStats},
    Metric, Value,
};

// Each function names all fields of its stats, so that none is forgotten.

impl ServerStats {
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let Self {
            received,
            received_bytes,
            delivered,
            decode_errors,
            sent,
            sent_bytes,
            send_errors,
            send_timeouts,
            over_budget,
            over_rate,
            challenges,
            replayed,
            reply_cache_evictions,
            store_errors,
            store_timeouts,
            store_skipped,
            chunks,
            incomplete,
            waited,
            waited_micros,
            spawned,
            conversations,
            failed,
            panicked,
            aborted,
            evicted,
            idle_timeouts,
            stalls,
            suppressed_events,
            active_conversations,
            queued_bytes,
            batches,
            dropped,
        } = self;
        let drops = DropReason::ALL.iter().map(|reason| reason.as_str()).zip(*dropped);
        let waited_time = Value::Seconds(Duration::from_micros(*waited_micros));
        vec![
            Metric::counter(
                "datagrammar_server_received_datagrams_total",
                *received,
                "Datagrams that were read from the sockets.",
            ),
            Metric::counter(
                "datagrammar_server_received_bytes_total",
                *received_bytes,
                "Bytes of the datagrams that were read from the sockets.",
            ),
            Metric::counter(
                "datagrammar_server_delivered_datagrams_total",
                *delivered,
                "Datagrams that handlers have received, as packets or as decode errors.",
            ),
            Metric::counter(
                "datagrammar_server_decode_errors_total",
                *decode_errors,
                "Delivered datagrams that were not packets of the protocol.",
            ),
            Metric::by_label(
                "datagrammar_server_dropped_datagrams_total",
                "reason",
                drops,
                "Datagrams that no handler has received, by reason. Those with the reason kernel were never received.",
            ),
            Metric::counter(
                "datagrammar_server_sent_datagrams_total",
                *sent,
                "Datagrams that the kernel has accepted for sending.",
            ),
            Metric::counter(
                "datagrammar_server_sent_bytes_total",
                *sent_bytes,
                "Bytes of the datagrams that the kernel has accepted for sending.",
            ),
            Metric::counter(
                "datagrammar_server_send_errors_total",
                *send_errors,
                "Datagrams that the kernel has refused to send.",
            ),
            Metric::counter(
                "datagrammar_server_send_timeouts_total",
                *send_timeouts,
                "Datagrams that were not sent because the kernel had no room for them in time.",
            ),
            Metric::counter(
                "datagrammar_server_over_budget_datagrams_total",
                *over_budget,
                "Datagrams that were not sent because their peer is not validated and its budget of bytes is used up.",
            ),
            Metric::counter(
                "datagrammar_server_over_rate_datagrams_total",
                *over_rate,
                "Datagrams that were not sent because their peer is not validated and its network gets no more of them.",
            ),
            Metric::counter(
                "datagrammar_server_challenges_total",
                *challenges,
                "Datagrams that asked a peer to repeat its request with an address token.",
            ),
            Metric::counter(
                "datagrammar_server_replayed_replies_total",
                *replayed,
                "Replies that the reply cache has sent again.",
            ),
            Metric::counter(
                "datagrammar_server_reply_cache_evictions_total",
                *reply_cache_evictions,
                "Requests that the reply cache has forgotten before their time.",
            ),
            Metric::counter(
                "datagrammar_server_store_errors_total",
                *store_errors,
                "Calls of the reply store that failed.",
            ),
            Metric::counter(
                "datagrammar_server_store_timeouts_total",
                *store_timeouts,
                "Calls of the reply store that took too long.",
            ),
            Metric::counter(
                "datagrammar_server_store_skipped_calls_total",
                *store_skipped,
                "Calls of the reply store that were not made or not finished.",
            ),
            Metric::counter(
                "datagrammar_server_chunks_total",
                *chunks,
                "Datagrams that were parts of long requests, or asked for parts of long replies.",
            ),
            Metric::counter(
                "datagrammar_server_incomplete_requests_total",
                *incomplete,
                "Long requests that were given up before all their parts had arrived.",
            ),
            Metric::summary(
                "datagrammar_server_queue_time_seconds",
                *waited,
                waited_time,
                "How long datagrams waited in queues before a handler received them, if a limit of that time is set.",
            ),
            Metric::counter(
                "datagrammar_server_spawned_conversations_total",
                *spawned,
                "Conversations that had to wait and became tasks.",
            ),
            Metric::counter(
                "datagrammar_server_conversations_total",
                *conversations,
                "Conversations that have ended, for any reason.",
            ),
            Metric::counter(
                "datagrammar_server_failed_conversations_total",
                *failed,
                "Conversations whose handler returned an error.",
            ),
            Metric::counter(
                "datagrammar_server_panicked_conversations_total",
                *panicked,
                "Conversations whose handler panicked.",
            ),
            Metric::counter(
                "datagrammar_server_aborted_conversations_total",
                *aborted,
                "Conversations that were dropped at shutdown because they took longer than the grace.",
            ),
            Metric::counter(
                "datagrammar_server_evicted_conversations_total",
                *evicted,
                "Conversations that were dropped so that another peer got their place.",
            ),
            Metric::counter(
                "datagrammar_server_idle_timeouts_total",
                *idle_timeouts,
                "Conversations that ended because their peer was silent for too long.",
            ),
            Metric::counter(
                "datagrammar_server_stalls_total",
                *stalls,
                "How often handlers blocked a worker for more than a second.",
            ),
            Metric::counter(
                "datagrammar_server_suppressed_events_total",
                *suppressed_events,
                "Events about peers that were not logged.",
            ),
            Metric::gauge(
                "datagrammar_server_active_conversations",
                *active_conversations,
                "Conversations that wait or run as tasks now.",
            ),
            Metric::gauge(
                "datagrammar_server_queued_bytes",
                *queued_bytes,
                "Bytes of the datagrams that wait for handlers now.",
            ),
            batch_sizes(batches, *received),
        ]
    }
}

fn batch_sizes(batches: &BatchSizes, received: u64) -> Metric {
    let largest =
        |(sizes, batches): (std::ops::RangeInclusive<usize>, u64)| (*sizes.end(), batches);
    let (within, above): (Vec<_>, Vec<_>) =
        batches.iter().map(largest).partition(|(size, _)| *size < usize::MAX);
    Metric::histogram(
        "datagrammar_server_batch_datagrams",
        within.into_iter().map(|(size, batches)| (size.to_string(), batches)),
        above.into_iter().map(|(_, batches)| batches).sum(),
        Value::Whole(received),
        "How many datagrams each read of a socket returned.",
    )
}

impl ClientStats {
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let Self { sent, send_errors, received, decode_errors, too_large, challenges } = self;
        vec![
            Metric::counter(
                "datagrammar_client_sent_datagrams_total",
                *sent,
                "Datagrams that the kernel has accepted for sending.",
            ),
            Metric::counter(
                "datagrammar_client_send_errors_total",
                *send_errors,
                "Datagrams that the kernel has refused to send.",
            ),
            Metric::counter(
                "datagrammar_client_received_datagrams_total",
                *received,
                "Datagrams that the program has received, as packets or as errors.",
            ),
            Metric::counter(
                "datagrammar_client_decode_errors_total",
                *decode_errors,
                "Received datagrams that were not packets of the protocol.",
            ),
            Metric::counter(
                "datagrammar_client_too_large_datagrams_total",
                *too_large,
                "Received datagrams that were longer than the limit.",
            ),
            Metric::counter(
                "datagrammar_client_challenges_total",
                *challenges,
                "Datagrams with which a server has asked for an address token.",
            ),
        ]
    }
}

impl RequestStats {
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let Self {
            requests,
            answered,
            timed_out,
            unreachable,
            refused,
            decode_errors,
            retry_budget_exhausted,
            cancelled,
            attempts,
            retries,
            resumed,
            notifications,
            challenges,
            send_errors,
            late,
            unsolicited,
            too_large,
            round_trips,
        } = self;
        vec![
            Metric::counter(
                "datagrammar_request_client_requests_total",
                *requests,
                "Requests that were sent at least once.",
            ),
            Metric::by_label(
                "datagrammar_request_client_ended_requests_total",
                "outcome",
                [
                    ("answered", *answered),
                    ("timed_out", *timed_out),
                    ("unreachable", *unreachable),
                    ("refused", *refused),
                    ("decode_error", *decode_errors),
                    ("retry_budget_exhausted", *retry_budget_exhausted),
                    ("cancelled", *cancelled),
                ]
                .into_iter(),
                "Requests that have ended, by how they ended.",
            ),
            Metric::counter(
                "datagrammar_request_client_attempts_total",
                *attempts,
                "How often requests were sent: first attempts and repetitions.",
            ),
            Metric::counter(
                "datagrammar_request_client_retries_total",
                *retries,
                "Attempts that repeated a request.",
            ),
            Metric::counter(
                "datagrammar_request_client_resumed_transfers_total",
                *resumed,
                "Timers that expired while a long packet was on its way in parts.",
            ),
            Metric::counter(
                "datagrammar_request_client_notifications_total",
                *notifications,
                "One-way packets that were sent.",
            ),
            Metric::counter(
                "datagrammar_request_client_challenges_total",
                *challenges,
                "Datagrams with which servers have asked for an address token.",
            ),
            Metric::counter(
                "datagrammar_request_client_send_errors_total",
                *send_errors,
                "Datagrams that the kernel has refused to send.",
            ),
            Metric::counter(
                "datagrammar_request_client_late_responses_total",
                *late,
                "Responses to requests that had ended or were answered already.",
            ),
            Metric::counter(
                "datagrammar_request_client_unsolicited_datagrams_total",
                *unsolicited,
                "Received datagrams that answer no request.",
            ),
            Metric::counter(
                "datagrammar_request_client_too_large_datagrams_total",
                *too_large,
                "Received datagrams that were longer than the limit.",
            ),
            round_trip_times(round_trips),
        ]
    }
}

fn round_trip_times(round_trips: &RoundTrips) -> Metric {
    let (within, above) = round_trips.doubling();
    Metric::histogram(
        "datagrammar_request_client_round_trip_seconds",
        within.map(|(limit, count)| (Value::Seconds(limit).to_string(), count)),
        above,
        Value::Seconds(round_trips.sum()),
        "The round-trip times of requests that were answered after one attempt.",
    )
}
