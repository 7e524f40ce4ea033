//! Connection ids, without a server.

use std::time::{Duration, SystemTime};

use datagrammar::{AddressTokens, DatagramProtocol, TokenSecret, ValidateAddress};

use super::{
    CONNECT, HASH, announce, scrape,
    server::packet::{Announce, Event, Request, RequestBody, Tracker},
};

fn tokens() -> AddressTokens {
    AddressTokens::new(TokenSecret::from([7; 16])).lifetime(Duration::from_secs(120))
}

#[test]
fn tracker_reads_an_announce_with_options() {
    let options = [&[7; 8][..], &announce(1, 9, 6881), b"\x02\x09/announce"].concat();

    let request = Tracker.decode(&options).unwrap();

    let announce = Announce {
        info_hash: HASH,
        left: 9,
        event: Event::Completed,
        wanted: u32::MAX,
        port: 6881,
    };
    let body = RequestBody::Announce(announce);
    assert_eq!(request, Request { transaction: 0x0506_0708, body });
}

#[test]
fn tracker_challenges_a_connect_only_and_never_at_greater_length() {
    let (tokens, now) = (tokens(), SystemTime::now());
    let peer = tokens.for_peer("192.0.2.7:5000".parse().unwrap(), now);
    let challenge = |datagram: &[u8]| {
        let mut challenge = Vec::new();
        Tracker.challenge(datagram, &peer, &mut challenge).then_some(challenge)
    };

    let answer = challenge(CONNECT).unwrap();

    assert_eq!((answer.len(), &answer[..8]), (CONNECT.len(), &b"\0\0\0\0\x01\x02\x03\x04"[..]));
    assert_eq!(challenge(&[CONNECT, b"more"].concat()), Some(answer.clone()));
    assert_eq!(challenge(&answer), None);
    for at in 0..12 {
        let mut other = CONNECT.to_vec();
        other[at] ^= 1;
        assert_eq!(challenge(&other), None, "{at}");
    }
    for len in 0..CONNECT.len() {
        assert_eq!(challenge(&CONNECT[..len]), None, "{len}");
    }
    for request in [announce(2, 0, 1), scrape(&[HASH])] {
        assert_eq!(challenge(&[&answer[8..], &request].concat()), None);
        assert_eq!(challenge(&[&CONNECT[..8], &request].concat()), None);
    }
}

#[test]
fn tracker_accepts_an_id_for_two_minutes_from_one_port() {
    let (tokens, now) = (tokens(), SystemTime::now());
    let at = |addr: &str, seconds| {
        tokens.for_peer(addr.parse().unwrap(), now + Duration::from_secs(seconds))
    };
    let id = at("192.0.2.7:5000", 0).issue_short(b"");

    for request in [announce(2, 0, 1), scrape(&[HASH])] {
        let request = [&id[..], &request].concat();
        let is_valid = |addr, seconds| Tracker.has_valid_token(&request, &at(addr, seconds));
        assert!(is_valid("192.0.2.7:5000", 0) && is_valid("192.0.2.7:5000", 120));
        assert!(!is_valid("192.0.2.7:5000", 128));
        assert!(!is_valid("192.0.2.7:5001", 0) && !is_valid("192.0.2.8:5000", 0));
    }
    // A connect request carries no id, whatever is in its place.
    let connect = [&id[..], &CONNECT[8..]].concat();
    assert!(!Tracker.has_valid_token(&connect, &at("192.0.2.7:5000", 0)));
    for len in 0..16 {
        let _ = Tracker.has_valid_token(&CONNECT[..len], &at("192.0.2.7:5000", 0));
    }
}

#[test]
fn tracker_decodes_any_bytes_without_panic() {
    for len in 0..200 {
        for action in 0..=4 {
            let mut datagram = vec![0xff; len];
            if let Some(field) = datagram.get_mut(8..12) {
                field.copy_from_slice(&u32::to_be_bytes(action));
            }
            let is_whole = action == 1 && len >= 98 || action == 2 && len > 16 && len % 20 == 16;
            assert_eq!(Tracker.decode(&datagram).is_ok(), is_whole, "{action} {len}");
        }
    }
}
