//! The options of packets in chunks, and the limits that they need.

use datagrammar::{Limits, ReplyCache};

use super::*;
use crate::support::BindNow;

/// Echoes, with these chunks.
fn echo(chunked: Chunked) -> ServerBuilder<TaggedServer<Text>> {
    server(tagged(async |text: String| text)).chunked(chunked)
}

// Q-13, G-1
#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_is_refused_by_name() {
    let zero =
        |chunked: Chunked| echo(chunked).bind_now(Net::memory().socket()).unwrap_err().to_string();
    let some = || Chunked::with_limit(LIMIT);
    for (chunked, name) in [
        (Chunked::with_limit(0), "Chunked::with_limit"),
        (some().timeout(Duration::ZERO), "Chunked::timeout"),
        (some().max_packets(0), "Chunked::max_packets"),
        (some().max_bytes(0), "Chunked::max_bytes"),
        (some().max_packets_per_peer(0), "Chunked::max_packets_per_peer"),
        (some().max_bytes_per_peer(0), "Chunked::max_bytes_per_peer"),
    ] {
        let error = zero(chunked);
        assert!(error.contains(name), "{error}");
    }
}

//
#[test]
fn options_have_defaults_and_borders() {
    let chunked = Chunked::with_limit(1_000);
    assert_eq!((chunked.get_limit(), chunked.get_chunk_size()), (1_000, 1_200));
    assert_eq!(chunked.get_timeout(), Duration::from_secs(3));
    assert_eq!((chunked.get_max_packets(), chunked.get_max_bytes()), (1_024, 64 << 20));
    assert_eq!(
        (chunked.get_max_packets_per_peer(), chunked.get_max_bytes_per_peer()),
        (64, 16 << 20)
    );

    // With the overhead of the shortest chunks.
    let long = Chunked::with_limit(50 << 20);
    let longest = (60 << 20) + 1_024;
    assert_eq!((long.get_max_bytes(), long.get_max_bytes_per_peer()), (2 * longest, longest));
    let longest = (CHUNK << 16) + (CHUNK << 16) / 5 + 1_024;
    assert_eq!(Chunked::with_limit(usize::MAX).get_max_bytes(), 2 * longest);
    assert_eq!(Chunked::with_limit(usize::MAX).get_limit(), CHUNK << 16);
    assert_eq!(Chunked::with_limit(1).chunk_size(1).get_chunk_size(), 576);
    assert_eq!(Chunked::with_limit(1).chunk_size(100_000).get_chunk_size(), 65_507);
}

//
#[tokio::test(start_paused = true)]
async fn a_server_whose_other_limits_are_smaller_than_a_packet_is_not_bound() {
    let bind = |limits: Limits, cache: ReplyCache| {
        let server = echo(Chunked::with_limit(LIMIT)).limits(limits).reply_cache(cache);
        server.bind_now(Net::memory().socket()).map(drop)
    };
    let queue = |bytes| bind(Limits::default().max_queue_bytes(bytes), ReplyCache::default());
    let cache = |bytes| bind(Limits::default(), ReplyCache::default().max_bytes(bytes));

    let total = |bytes| bind(Limits::default().max_total_queue_bytes(bytes), ReplyCache::default());
    let datagram = |bytes| bind(Limits::default().max_datagram_size(bytes), ReplyCache::default());
    let chunks = |chunked: Chunked| echo(chunked).bind_now(Net::memory().socket()).map(drop);
    let (some, longest) = (|| Chunked::with_limit(LIMIT), LIMIT * 6 / 5 + 1_024);

    assert!(queue(LIMIT + 1).is_ok() && cache(LIMIT + 513).is_ok());
    assert!(total(LIMIT + 513).is_ok() && datagram(1_200).is_ok());
    assert!(chunks(some().max_bytes(longest).max_bytes_per_peer(longest)).is_ok());
    for (result, name, value) in [
        (queue(LIMIT), "Limits::max_queue_bytes", LIMIT),
        (cache(LIMIT + 512), "ReplyCache::max_bytes", LIMIT + 512),
        (total(LIMIT + 512), "Limits::max_total_queue_bytes", LIMIT + 512),
        (datagram(1_199), "Limits::max_datagram_size", 1_199),
        (chunks(some().max_bytes(longest - 1)), "Chunked::max_bytes", longest - 1),
        (
            chunks(some().max_bytes_per_peer(longest - 1)),
            "Chunked::max_bytes_per_peer",
            longest - 1,
        ),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let needed = value + 1;
        assert_eq!(
            error.to_string(),
            format!("the limit `{name}` is {value}, and packets in chunks need {needed}")
        );
    }
}

everywhere! {
    //
    async fn filtered(net) {
        let server = net.serve(echo(Chunked::with_limit(LIMIT)).kernel_filter(true)).await;
        let client = connect(&net, &server.handle, options()).await;

        for len in [0, SHORT, 3_000, LIMIT - 5] {
            let text = "n".repeat(len);
            let response = within_deadline(client.request(&text)).await.unwrap();
            assert_eq!(response, text);
        }

        assert_eq!(server.handle.stats().decode_errors, 0);
        server.stop().await;
    }
}
