//! The recipes of the cookbook: each runs to its end by itself.

use crate::program::Program;

/// What a recipe prints, after it has ended without an error.
fn printed(recipe: &str) -> Vec<String> {
    let (code, lines) = Program::start(recipe, [] as [&str; 0]).end();
    assert_eq!(code, Some(0), "{lines:?}");
    lines
}

#[test]
fn shared_state_counts_the_visitors_of_all_calls() {
    let lines = [
        "Welcome, Ada, you are visitor 1.",
        "Welcome, Bob, you are visitor 2.",
        "2 visitors in all",
    ];
    assert_eq!(printed("shared_state"), lines);
}

#[test]
fn background_task_saves_what_the_handler_has_collected() {
    let lines = ["saved 21.5", "saved 22", "the task has ended"];
    assert_eq!(printed("background_task"), lines);
}

#[test]
fn peer_address_is_the_address_that_the_client_is_bound_to() {
    let lines = printed("peer_address");
    let addr = lines[0].strip_prefix("client: bound to 127.0.0.1:").unwrap();
    assert_eq!(lines[1..], [format!("server: your address is 127.0.0.1:{addr}")]);
}

#[test]
fn concurrency_serves_several_requests_of_a_peer_at_once() {
    let lines =
        ["one after another: 20 answers, 1 at once", "concurrent(8, _): 20 answers, 8 at once"];
    assert_eq!(printed("concurrency"), lines);
}

#[cfg(feature = "blocking")]
#[test]
fn blocking_needs_no_async() {
    let lines = [
        "datagram: the bytes that the network carries in one piece",
        "packet: the typed value that a datagram stands for",
        "octet: unknown",
        "3 datagrams received",
    ];
    assert_eq!(printed("blocking"), lines);
}

#[test]
fn exchange_repeats_each_line_until_the_client_has_it() {
    let lines = printed("exchange");
    let (server, client): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.starts_with("server: "));
    assert_eq!(server, ["server: got 0", "server: got 1", "server: got 2"]);
    assert_eq!(client[0], "client: ignores 0 Roses are red,");
    assert_eq!(client[1], "client: 0 Roses are red,");
    assert_eq!(client.last().unwrap().as_str(), "client: 2 send them again.");
}

#[cfg(unix)]
#[test]
fn fd_passing_passes_files_in_both_directions() {
    let lines = ["answer: the poem has 7 words", "comments: Thank you."];
    assert_eq!(printed("fd_passing"), lines);
}

#[test]
fn timeouts_clean_up_after_a_silent_peer_and_at_shutdown() {
    let lines = ["Ada: hello", "Ada is silent", "Ada has left", "Bob has left"];
    assert_eq!(printed("timeouts"), lines);
}

#[test]
fn push_sends_the_state_to_all_peers() {
    assert_eq!(printed("push"), ["Ada: [1.5, 2.0], Bob: [1.5, 2.0]"]);
}

#[test]
fn retries_outlast_a_server_that_is_not_up_and_pass_over_late_answers() {
    let lines = printed("retries");
    // How many attempts it takes depends on the machine, and so do late answers.
    let expected =
        |line: &&String| !line.starts_with("attempt ") && *line != "late: an answer to request 1";
    assert_eq!(lines.iter().filter(expected).collect::<Vec<_>>(), ["HELLO", "WORLD"], "{lines:?}");
}

#[cfg(feature = "testing")]
#[test]
fn request_answers_each_request_in_spite_of_loss() {
    let lines = printed("request");
    assert_eq!(lines[0], "sum of the squares: 338350");
    assert!(lines[1].starts_with("requests: 100, answered: 100, attempts: "), "{lines:?}");
}

#[test]
fn two_servers_answer_in_turn_when_one_is_stopped() {
    let lines = [
        "the first server greets Ada",
        "the second server greets Grace",
        "the second server greets Joan",
    ];
    assert_eq!(printed("two_servers"), lines);
}

#[test]
fn several_protocols_tell_datagrams_apart_by_their_first_byte() {
    let lines = [
        r#"/received Command("/join")"#,
        "/received Position([1.5, 2.0])",
        r#"/received Voice(b"\x80\x01")"#,
    ];
    assert_eq!(printed("several_protocols"), lines);
}

#[cfg(all(feature = "signed", feature = "zlib"))]
#[test]
fn layers_refuse_a_stranger() {
    let lines = ["answer: 500", "stranger: Err(TimedOut)", "refused by the server: 1"];
    assert_eq!(printed("layers"), lines);
}

#[cfg(feature = "testing")]
#[test]
fn lossy_network_loses_datagrams_and_no_request() {
    let lines = printed("lossy_network");
    assert!(lines[0].starts_with("1000 answers in "), "{lines:?}");
    let (lost, sent) = lines[1].split_once(" of ").unwrap();
    let (lost, sent): (u64, u64) =
        (lost.parse().unwrap(), sent.strip_suffix(" datagrams lost").unwrap().parse().unwrap());
    assert!(0 < lost && lost < sent && sent > 2_000, "{lines:?}");
}

#[cfg(feature = "axum")]
#[test]
fn beside_axum_answers_both_and_ends_both() {
    assert_eq!(
        printed("beside_axum"),
        ["datagram: hello, page: datagrammar_server_received_datagrams_total 1"]
    );
}

#[cfg(feature = "tower")]
#[test]
fn tower_limits_how_many_requests_are_served() {
    let lines = ["the server is busy", "long job for 127.0.0.1", "short job for 127.0.0.1"];
    assert_eq!(printed("tower"), lines);
}
