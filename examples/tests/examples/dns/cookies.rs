//! Cookies, as address tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datagrammar::{AddressTokens, PeerTokens, TokenSecret, ValidateAddress};
use server::protocol::{self, Dns};

use super::*;

/// The first vector of RFC 9018, appendix A: its time, the address of its client, and its server cookie.
const TIME: u64 = 1_559_731_985;
const ADDR: &str = "198.51.100.100:57406";
const SERVER: u128 = 0x0100_0000_5cf7_9f11_1f81_30c3_eee2_9480;

fn with_tokens<T>(later: u64, run: impl FnOnce(PeerTokens<'_>) -> T) -> T {
    let tokens = AddressTokens::new(SECRET.parse::<TokenSecret>().unwrap());
    run(tokens.for_peer(ADDR.parse().unwrap(), UNIX_EPOCH + Duration::from_secs(TIME + later)))
}

fn challenge(datagram: &[u8]) -> Option<Vec<u8>> {
    let mut challenge = Vec::new();
    let is_sent = with_tokens(0, |tokens| Dns.challenge(datagram, &tokens, &mut challenge));
    is_sent.then_some(challenge)
}

fn is_valid(datagram: &[u8], later: u64) -> bool {
    with_tokens(later, |tokens| Dns.has_valid_token(datagram, &tokens))
}

#[test]
fn dns_accepts_the_cookie_of_the_rfc_for_an_hour_and_sends_it_back_for_half_an_hour() {
    let datagram = Asking::server(SERVER.to_be_bytes()).query("example.com", Rtype::A);
    let sent = |later| {
        let query = Query::read(&datagram).unwrap();
        with_tokens(later, |tokens| protocol::cookie(&query, &tokens)).unwrap()
    };

    assert!(is_valid(&datagram, 0) && is_valid(&datagram, 3_600) && !is_valid(&datagram, 3_601));
    for later in [0, 1_799] {
        assert_eq!(sent(later).server().unwrap().as_ref(), SERVER.to_be_bytes());
    }
    let renewed: [u8; 16] = sent(1_800).server().unwrap().as_ref().try_into().unwrap();
    assert_ne!(renewed, SERVER.to_be_bytes());
    let renewed = Asking::server(renewed).query("example.com", Rtype::A);
    assert!(is_valid(&renewed, 5_400) && !is_valid(&renewed, 5_401));

    for at in 0..128 {
        let forged = SERVER ^ 1 << at;
        assert!(!is_valid(&Asking::server(forged.to_be_bytes()).query("a", Rtype::A), 0), "{at}");
    }
    for other in [Asking::default(), Asking::edns(512), Asking::client()] {
        assert!(!is_valid(&other.query("example.com", Rtype::A), 0));
    }
}

#[test]
fn dns_challenges_are_not_longer_than_their_queries() {
    const NAMES: [&str; 4] =
        [".", "a.test", "www.example.test", "a.very.long.name.of.the.example.test"];
    let padded = Asking { padding: 12, ..Asking::client() };
    let askings =
        [Asking::default(), Asking::edns(512), Asking::client(), Asking::server([7; 16]), padded];

    for name in NAMES {
        for (n, asking) in askings.into_iter().enumerate() {
            let query = asking.query(name, Rtype::A);
            let response = challenge(&query).unwrap();

            assert!(response.len() <= query.len(), "{name} {n}");
            let questions = response[5];
            let expected = match n {
                0 | 1 => ("NOERROR QR TC", 1),
                // 12 bytes of the name, at least, are in place of the server cookie.
                2 if name.len() < 11 => ("NOERROR QR TC", 1),
                2 => ("BADCOOKIE QR TC", 0),
                _ => ("BADCOOKIE QR", 1),
            };
            assert_eq!((&*text(&response), questions), expected, "{name} {n}");
            // The cookie is good for the next query.
            if text(&response).starts_with("BADCOOKIE") {
                let given = cookie(&response).unwrap();
                assert_eq!(given.client().into_octets(), CLIENT);
                let given = given.server().unwrap().as_ref().try_into().unwrap();
                assert!(is_valid(&Asking::server(given).query(name, Rtype::A), 0));
            }
        }
    }
}

#[test]
fn dns_challenges_queries_only() {
    let query = Asking::client().query("www.example.test", Rtype::A);
    assert!(challenge(&query).is_some());

    for len in 0..query.len() {
        assert_eq!(challenge(&query[..len]), None, "{len}");
    }
    let response = challenge(&query).unwrap();
    assert_eq!(challenge(&response), None);
    for byte in 0..=255 {
        assert!(!is_valid(&[byte; 600], 0));
        assert!(challenge(&[byte; 600]).is_none_or(|response| response.len() <= 600));
    }
}

#[test]
fn dns_the_program_requires_cookies_if_it_is_told_to() {
    let (_program, socket) = start(&["required"]);
    let name = "www.example.test";

    let response = ask(&socket, &Asking::edns(1_232).query(name, Rtype::A));
    assert_eq!(text(&response), "NOERROR QR TC");
    let response = ask(&socket, &Asking::client().query(name, Rtype::A));
    assert_eq!(text(&response), "BADCOOKIE QR TC");
    let server = cookie(&response).unwrap().server().unwrap().as_ref().try_into().unwrap();
    let response = ask(&socket, &Asking::server(server).query(name, Rtype::A));
    assert!(text(&response).starts_with("NOERROR QR AA\n= www"));
    // It is fresh, so it comes back. It is that of the secret.
    assert_eq!(cookie(&response).unwrap().server().unwrap().as_ref(), server);
    let tokens = AddressTokens::new(SECRET.parse::<TokenSecret>().unwrap());
    let peer = tokens.for_peer(socket.local_addr().unwrap(), SystemTime::now());
    assert!(peer.is_valid_dns_cookie(CLIENT, &server));
    // Another cookie is replaced.
    let response = ask(&socket, &Asking::server([1; 16]).query(name, Rtype::A));
    assert_eq!(text(&response), "BADCOOKIE QR");
}

#[test]
fn dns_the_program_needs_a_zone_and_a_secret_of_32_digits() {
    let zone = concat!(env!("CARGO_MANIFEST_DIR"), "/dns/example.zone");

    for args in [&["127.0.0.1:0"][..], &["127.0.0.1:0", zone, "12"], &["127.0.0.1:0", "none"]] {
        assert_eq!(Program::start("dns", args).end().0, Some(1), "{args:?}");
    }
}
