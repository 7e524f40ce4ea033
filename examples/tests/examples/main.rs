//! Starts each example as a user does, and checks what it prints and sends.

#[cfg(all(feature = "systemd", target_os = "linux"))]
mod activated;
#[cfg(all(feature = "admin", unix))]
mod admin;
#[cfg(feature = "coap")]
mod coap;
mod custom_protocol;
#[cfg(feature = "dns")]
mod dns;
mod echo;
#[cfg(unix)]
mod handover;
#[cfg(all(any(feature = "admin", feature = "metrics", feature = "statsd"), unix))]
mod http;
#[cfg(all(feature = "metrics", unix))]
mod metrics;
mod program;
#[cfg(feature = "radius")]
mod radius;
mod recipes;
#[cfg(any(feature = "coap", feature = "radius"))]
mod relay;
#[cfg(all(feature = "statsd", target_os = "linux"))]
mod statsd;
mod syslog;
#[cfg(feature = "tftp")]
mod tftp;
#[cfg(feature = "tracker")]
mod tracker;
#[cfg(target_os = "linux")]
mod unix;

use program::Program;

#[test]
fn discovery_finds_both_nodes_over_multicast() {
    let (code, lines) = Program::start("discovery", [] as [&str; 0]).end();

    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("found: printer, scanner"), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("127.0.0.1:")).count(), 2, "{lines:?}");
}

#[test]
fn a_conversation_lasts_until_the_number_is_guessed_or_the_client_is_silent() {
    let (code, lines) = Program::start("conversation", ["77"]).end();

    let text = lines.join("\n");
    assert_eq!(code, Some(0), "{text}");
    let turns = [
        "client: Ada\nserver: Hello, Ada. Guess a number from 1 to 100.\n",
        "client: fifty\nserver: That is no such number.\nclient: 50\nserver: Higher.\n",
        "client: 77\nserver: Right, after 8 guesses!\nclient: Bob\nserver: Hello, Bob.",
    ];
    for turn in turns {
        assert!(text.contains(turn), "{text}");
    }
    assert_eq!(lines.last().unwrap(), "server: You have gone quiet, Bob. Goodbye.");
    assert_eq!(Program::start("conversation", ["101"]).end().0, Some(1));
}

#[cfg(feature = "signed")]
#[test]
fn signed_counter_refuses_what_was_recorded_and_what_nobody_signed() {
    let (code, lines) = Program::start("signed_counter", [] as [&str; 0]).end();

    assert_eq!(code, Some(0), "{lines:?}");
    let times = |line| lines.iter().filter(|&printed| printed == line).count();
    assert_eq!(lines[0], "client: the total is 40");
    assert_eq!(times("server: refused, a recorded datagram"), 1, "{lines:?}");
    assert_eq!(times("server: refused, not a signed hello"), 2, "{lines:?}");
    assert_eq!(lines[4..], ["client: the total is 42"], "{lines:?}");
}
