//! Tokens and envelopes from strangers, for the fuzzer.

use std::{
    net::SocketAddr,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    AddressTokens, PeerTokens, TokenSecret, TokenSecrets, ValidateAddress,
    envelope::{Envelope, Reply, Request},
    jar::TokenJar,
};

/// Reads a datagram as a server and as a client, and as a token at the time that it contains. Nobody can guess a secret, so
/// no token is valid, except for those that are issued here.
pub(crate) fn run(input: &[u8]) {
    let secrets = TokenSecrets::new([[1; 16], [2; 16]].map(TokenSecret::from));
    let tokens = AddressTokens::new(secrets.expect("two are allowed"));
    for addr in ["192.0.2.7:5000", "[2001:db8::7]:5000"] {
        let addr: SocketAddr = addr.parse().expect("it is an address");
        for at in 0..=input.len().min(17) {
            let time = input[at..].first_chunk().map_or(0, |time| u32::from_be_bytes(*time));
            let now = UNIX_EPOCH + Duration::from_secs(time.into());
            tokens_are_refused(input, &tokens.for_peer(addr, now));
        }
        read(input, &tokens.for_peer(addr, UNIX_EPOCH));
    }
    reply(input);
}

fn tokens_are_refused(input: &[u8], peer: &PeerTokens<'_>) {
    let (context, token) = input.split_at(input.len().saturating_sub(16));
    assert!(!peer.is_valid(context, token) && !peer.is_valid(b"", input));
    assert!(!peer.is_valid_short(context, token) && !peer.is_valid_short(b"", input));
    let client = input.first_chunk().copied().unwrap_or_default();
    assert!(!peer.is_valid_dns_cookie(client, token) && !peer.is_fresh_dns_cookie(client, token));
    assert!(!peer.is_valid_dns_cookie(client, input));

    assert!(peer.is_valid(context, &peer.issue(context)));
    assert!(peer.is_valid_short(context, &peer.issue_short(context)));
    assert!(peer.is_fresh_dns_cookie(client, &peer.issue_dns_cookie(client)));
}

/// What a server does with a datagram, and its client with the challenge.
fn read(input: &[u8], peer: &PeerTokens<'_>) {
    let mut challenge = Vec::new();
    let is_challenged = Envelope.challenge(input, peer, &mut challenge);
    assert!(challenge.len() <= input.len() && !Envelope.has_valid_token(input, peer));
    let Some(request) = Request::read(input) else {
        assert!(!is_challenged && challenge.is_empty());
        return;
    };
    assert!(is_challenged && challenge.len() == Envelope::REQUEST_HEADER);
    let mut written = Vec::new();
    Envelope::begin_request(request.token.copied(), &mut written);
    written.extend_from_slice(request.payload);
    assert_eq!(written, input);

    let Some(Reply::Challenge(token)) = Reply::read(&challenge) else { panic!("{challenge:?}") };
    let jar = TokenJar::default();
    let mut sent = jar.stamp(&mut written);
    jar.put(*token);
    assert!(jar.stamp_again(&mut written, &mut sent) && !jar.stamp_again(&mut written, &mut sent));
    assert!(Envelope.has_valid_token(&written, peer));
    assert_eq!(Request::read(&written).map(|again| again.payload), Some(request.payload));
}

/// What a client does with a datagram.
fn reply(input: &[u8]) {
    match Reply::read(input) {
        Some(Reply::Payload(payload)) => {
            let mut written = Vec::new();
            Envelope::begin_reply(&mut written);
            written.extend_from_slice(payload);
            assert_eq!(written, input);
        }
        Some(Reply::Challenge(token)) => assert_eq!((&input[1..], input.len()), (&token[..], 17)),
        None => {}
    }
}
