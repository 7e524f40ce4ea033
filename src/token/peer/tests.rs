//! Tests of the tokens of a peer.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddrV6},
    time::{SystemTime, UNIX_EPOCH},
};

use super::*;
use crate::AddressTokens;

/// The time of the examples.
const NOW: u32 = 0x5cf7_9f11;

fn counting() -> TokenSecret {
    TokenSecret::from(std::array::from_fn(|n| n as u8))
}

fn at(seconds: u32) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.into())
}

fn peer<'a>(tokens: &'a AddressTokens, addr: &str, seconds: u32) -> PeerTokens<'a> {
    tokens.for_peer(addr.parse().unwrap(), at(seconds))
}

fn hex<const N: usize>(bytes: [u8; N]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A kind of token: how it is issued and checked. The context is a client cookie for DNS.
struct Kind {
    name: &'static str,
    issue: fn(&PeerTokens<'_>, [u8; 8]) -> Vec<u8>,
    is_valid: fn(&PeerTokens<'_>, [u8; 8], &[u8]) -> bool,
    has_port: bool,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "long",
        issue: |peer, context| peer.issue(&context).to_vec(),
        is_valid: |peer, context, token| peer.is_valid(&context, token),
        has_port: true,
    },
    Kind {
        name: "short",
        issue: |peer, context| peer.issue_short(&context).to_vec(),
        is_valid: |peer, context, token| peer.is_valid_short(&context, token),
        has_port: true,
    },
    Kind {
        name: "dns",
        issue: |peer, context| peer.issue_dns_cookie(context).to_vec(),
        is_valid: |peer, context, token| peer.is_valid_dns_cookie(context, token),
        has_port: false,
    },
];

const CONTEXT: [u8; 8] = *b"context!";

// the vectors of the page of `AddressTokens`, which a program in Python has made too
#[test]
fn tokens_have_the_documented_format() {
    let tokens = AddressTokens::new(counting());
    let v4 = peer(&tokens, "192.0.2.7:5000", NOW);
    let v6 = peer(&tokens, "[2001:db8::7]:5000", NOW);

    assert_eq!(hex(v4.issue(b"")), "010000005cf79f113f5bea908ce0f904");
    assert_eq!(hex(v4.issue(b"login")), "010000005cf79f111d24e1b50858ca22");
    assert_eq!(hex(v6.issue(b"")), "010000005cf79f1149f413a0e4e12c95");
    assert_eq!(hex(v4.issue_short(b"")), "c40d25ae5ea4a199");
    assert_eq!(hex(v6.issue_short(b"login")), "c4fff751299f84f0");
}

//
#[test]
fn a_token_is_valid_only_for_its_address_context_and_secret() {
    let tokens = AddressTokens::new(counting());
    let others = AddressTokens::new(TokenSecret::from([7; 16]));
    for kind in KINDS {
        for (addr, port, ip) in [
            ("192.0.2.7:5000", "192.0.2.7:5001", "192.0.2.6:5000"),
            ("[2001:db8::7]:5000", "[2001:db8::7]:5001", "[2001:db8::6]:5000"),
        ] {
            let token = (kind.issue)(&peer(&tokens, addr, NOW), CONTEXT);
            let is_valid =
                |tokens, addr| (kind.is_valid)(&peer(tokens, addr, NOW), CONTEXT, &token);
            assert!(is_valid(&tokens, addr), "{}", kind.name);
            assert_eq!(is_valid(&tokens, port), !kind.has_port, "{}", kind.name);
            assert!(!is_valid(&tokens, ip), "{}", kind.name);
            assert!(!is_valid(&tokens, "198.51.100.1:5000"), "{}", kind.name);
            assert!(!is_valid(&others, addr), "{}", kind.name);
            let other = *b"Context!";
            assert!(!(kind.is_valid)(&peer(&tokens, addr, NOW), other, &token), "{}", kind.name);
        }
    }
}

//
#[test]
fn a_token_with_any_other_bit_or_length_is_not_valid() {
    let tokens = AddressTokens::new(counting());
    let peer = peer(&tokens, "192.0.2.7:5000", NOW);
    for kind in KINDS {
        let token = (kind.issue)(&peer, CONTEXT);
        for bit in 0..8 * token.len() {
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!(kind.is_valid)(&peer, CONTEXT, &flipped), "{} {bit}", kind.name);
        }
        let longer = [&token[..], &token].concat();
        for len in (0..longer.len()).filter(|len| *len != token.len()) {
            assert!(!(kind.is_valid)(&peer, CONTEXT, &longer[..len]), "{} {len}", kind.name);
        }
        assert!(!(kind.is_valid)(&peer, CONTEXT, &vec![0; token.len()]), "{}", kind.name);
    }
}

// a chosen context, client cookie or IPv6 address does not make one kind out of another
#[test]
fn a_token_is_not_valid_as_one_of_another_kind() {
    let tokens = AddressTokens::new(counting());
    // The hashed texts of all kinds can be of one length, and agree in their first 8 bytes: then only byte 8 differs.
    let header: [u8; 8] = [1, 0, 0, 0, 0x5c, 0xf7, 0x9f, 0x10];
    let texts = ["192.0.2.7:5000", "[100:0:5cf7:9f10::]:5000"].map(|addr| {
        let peer = peer(&tokens, addr, NOW - 1);
        let long = peer.hashed(LONG, header);
        let short = peer.hashed(SHORT, header);
        let dns = peer.dns(header, header, |hashed| hashed.to_vec());
        assert_eq!(
            (long[..8].to_vec(), short[..8].to_vec()),
            (dns[..8].to_vec(), dns[..8].to_vec())
        );
        (long[8], short[8], dns[8])
    });
    assert_eq!(texts, [(0xf0, 0xf1, 1); 2]);

    for issued in &KINDS {
        for checked in KINDS.iter().filter(|checked| checked.name != issued.name) {
            let peer = peer(&tokens, "[100:0:5cf7:9f10::]:5000", NOW - 1);
            let token = (issued.issue)(&peer, header);
            assert!(!(checked.is_valid)(&peer, header, &token), "{} {}", issued.name, checked.name);
        }
    }
}

//
#[test]
fn the_context_does_not_run_into_the_address() {
    let tokens = AddressTokens::new(counting());
    let peer = peer(&tokens, "192.0.2.7:5000", NOW);
    let mut seen = std::collections::HashSet::new();

    for context in [&b""[..], b"\0", b"\0\0", b"a", b"ab", b"b", &[0; 300], &[0; 301], &[0; 44]] {
        assert!(seen.insert(peer.issue(context)), "{context:?}");
    }
}

// also on a dual-stack socket; the flow label and the interface are not a part of it
#[test]
fn one_peer_has_one_token_on_each_socket() {
    let tokens = AddressTokens::new(counting());
    let of = |ip: Ipv6Addr, flow, scope| {
        let peer = tokens.for_peer(SocketAddrV6::new(ip, 5000, flow, scope).into(), at(NOW));
        (peer.issue(b""), peer.issue_short(b""), peer.issue_dns_cookie(CONTEXT))
    };
    let v4 = peer(&tokens, "192.0.2.7:5000", NOW);
    let IpAddr::V4(ip) = v4.ip else { panic!() };

    let expected = (v4.issue(b""), v4.issue_short(b""), v4.issue_dns_cookie(CONTEXT));
    assert_eq!(of(ip.to_ipv6_mapped(), 0, 0), expected);
    let link_local = "fe80::1".parse().unwrap();
    assert_eq!(of(link_local, 5, 6), of(link_local, 0, 0));
}

//
#[test]
fn a_token_expires_to_the_second() {
    let tokens = AddressTokens::new(counting());
    // Now, in 1970, and around the end of the 32-bit clock.
    for issued in [NOW, 0, 3, 1 << 31, u32::MAX - 30, u32::MAX - 29, u32::MAX] {
        let token = peer(&tokens, "192.0.2.7:5000", issued).issue(b"");
        let is_valid = |tokens: &AddressTokens, age: i64| {
            let seconds = i64::from(issued) + (1 << 32) + age;
            let now = UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap());
            tokens.for_peer("192.0.2.7:5000".parse().unwrap(), now).is_valid(b"", &token)
        };

        for (age, expected) in [
            (-6, false),
            (-5, true),
            (0, true),
            (30, true),
            (31, false),
            (1 << 31, false),
            (-(1 << 31), false),
        ] {
            assert_eq!(is_valid(&tokens, age), expected, "{issued} {age}");
        }
        let longer = tokens.clone().lifetime(Duration::from_secs(120));
        assert!(is_valid(&longer, 120) && !is_valid(&longer, 121));
        let exact = tokens.clone().max_clock_skew(Duration::ZERO);
        assert!(is_valid(&exact, 0) && !is_valid(&exact, -1));
    }
}

//
#[test]
fn a_protocol_may_set_the_lifetime() {
    let tokens = AddressTokens::new(counting());
    let token = peer(&tokens, "192.0.2.7:5000", NOW).issue(b"");
    let is_valid = |age, lifetime| {
        let peer = peer(&tokens, "192.0.2.7:5000", NOW + age);
        peer.lifetime(Duration::from_secs(lifetime)).is_valid(b"", &token)
    };

    assert!(is_valid(10, 10) && !is_valid(11, 10) && is_valid(120, 120) && !is_valid(121, 120));
    assert!(is_valid(1, 0) && !is_valid(2, 0), "less than a second counts as one");
    assert!(is_valid(86_400, u64::MAX) && !is_valid(86_401, u64::MAX));
}

//
#[test]
fn a_short_token_is_valid_for_its_lifetime_and_a_little_longer() {
    let tokens = AddressTokens::new(counting());
    let wrap = (0..8).map(|n| u32::MAX.wrapping_sub(3).wrapping_add(n));
    for issued in (NOW..NOW + 4).chain([0, 3, u32::MAX - 121]).chain(wrap) {
        let token = peer(&tokens, "192.0.2.7:5000", issued).issue_short(b"");
        let is_valid = |age: i32, lifetime: u32| {
            let peer = peer(&tokens, "192.0.2.7:5000", issued.wrapping_add_signed(age));
            peer.lifetime(Duration::from_secs(lifetime.into())).is_valid_short(b"", &token)
        };

        for lifetime in [1_u32, 30, 120, 600, 86_400] {
            let end = lifetime.min(600).cast_signed();
            assert!((-5..=end).all(|age| is_valid(age, lifetime)), "{issued} {lifetime}");
            assert!((end + 8..2_200).all(|age| !is_valid(age, lifetime)), "{issued} {lifetime}");
            assert!((-1_100..-11).all(|age| !is_valid(age, lifetime)), "{issued} {lifetime}");
        }
    }
}

// the byte of the time repeats after 1,024 s, and the hash covers all of the time
#[test]
fn an_old_short_token_is_not_valid_when_its_byte_of_time_comes_again() {
    let tokens = AddressTokens::new(counting());
    let token = peer(&tokens, "192.0.2.7:5000", NOW).issue_short(b"");

    for rounds in 1..=1_000 {
        let later = peer(&tokens, "192.0.2.7:5000", NOW + 1_024 * rounds);
        assert_eq!(later.issue_short(b"")[0], token[0]);
        assert!(!later.is_valid_short(b"", &token));
    }
}

//
#[test]
fn tokens_of_each_secret_are_valid_and_the_first_one_signs() {
    let secret = |byte: u8| TokenSecret::from([byte; 16]);
    let one = AddressTokens::new(secret(1));
    let secrets = TokenSecrets::from(secret(1));
    let rolled = AddressTokens::new(secrets.clone());
    for kind in KINDS {
        secrets.replace([secret(1)]).unwrap();
        let (before, after) =
            (peer(&one, "192.0.2.7:5000", NOW), peer(&rolled, "192.0.2.7:5000", NOW));
        let old = (kind.issue)(&before, CONTEXT);
        assert_eq!((kind.issue)(&after, CONTEXT), old, "replicas make the same tokens");

        secrets.roll(secret(2));
        let new = (kind.issue)(&after, CONTEXT);
        assert_ne!(new, old);
        assert!((kind.is_valid)(&after, CONTEXT, &new) && (kind.is_valid)(&after, CONTEXT, &old));
        assert!(!(kind.is_valid)(&before, CONTEXT, &new));

        (3..=5).for_each(|byte| secrets.roll(secret(byte)));
        assert!((kind.is_valid)(&after, CONTEXT, &new) && !(kind.is_valid)(&after, CONTEXT, &old));
    }
}

// RFC 9018, appendix A: what a query has, when it arrives, and the server cookie of the answer
#[test]
fn dns_cookies_are_those_of_rfc_9018() {
    let [first, old, new] = [
        "e5e973e5a6b2a43f48e7dc849e37bfcf",
        "dd3bdf9344b678b185a6f5cb60fca715",
        "445536bcd2513298075a5d379663c962",
    ]
    .map(|secret| move || secret.parse::<TokenSecret>().unwrap());
    let one = AddressTokens::new(first());
    let rolled = AddressTokens::new(TokenSecrets::new([new(), old()]).unwrap());
    let before = AddressTokens::new(TokenSecrets::new([old(), new()]).unwrap());
    let client = |cookie: u64| cookie.to_be_bytes();
    let server = |cookie: u128| cookie.to_be_bytes();

    // A.1
    let (addr, cookie) = ("198.51.100.100:57406", client(0x2464_c4ab_cf10_c957));
    let learned = server(0x0100_0000_5cf7_9f11_1f81_30c3_eee2_9480);
    assert_eq!(peer(&one, addr, 1_559_731_985).issue_dns_cookie(cookie), learned);

    // A.2: 40 minutes later it is valid and not fresh
    let later = peer(&one, "198.51.100.100:50939", 1_559_734_385);
    assert!(later.is_valid_dns_cookie(cookie, &learned));
    assert!(!later.is_fresh_dns_cookie(cookie, &learned));
    let renewed = server(0x0100_0000_5cf7_a871_d4a5_64a1_442a_ca77);
    assert_eq!(later.issue_dns_cookie(cookie), renewed);
    assert!(later.is_fresh_dns_cookie(cookie, &renewed));

    // A.3: the hash covers reserved bytes that are not zero. The query comes after almost 2 hours.
    let (addr, cookie) = ("203.0.113.203:34736", client(0xfc93_fc62_807d_db86));
    let reserved = server(0x01ab_cdef_5cf7_8f71_a314_227b_6679_ebf5);
    assert!(peer(&one, addr, 1_559_727_985).is_fresh_dns_cookie(cookie, &reserved));
    let query = peer(&one, addr, 1_559_734_700);
    assert!(!query.is_valid_dns_cookie(cookie, &reserved));
    let expected = server(0x0100_0000_5cf7_a9ac_f73a_7810_aca2_381e);
    assert_eq!(query.issue_dns_cookie(cookie), expected);

    // A.4: IPv6, with a new secret; the old one has signed the cookie
    let (addr, cookie) =
        ("[2001:db8:220:1:59de:d0f4:8769:82b8]:6774", client(0x2268_1ab9_7d52_c298));
    let old = server(0x0100_0000_5cf7_c579_2655_6bd0_934c_72f8);
    assert_eq!(peer(&before, addr, 1_559_741_817).issue_dns_cookie(cookie), old);
    assert!(peer(&before, addr, 1_559_741_961).is_fresh_dns_cookie(cookie, &old));
    let query = peer(&rolled, addr, 1_559_741_961);
    assert!(query.is_valid_dns_cookie(cookie, &old) && !query.is_fresh_dns_cookie(cookie, &old));
    let new = server(0x0100_0000_5cf7_c609_a6bb_79d1_6625_507a);
    assert_eq!(query.issue_dns_cookie(cookie), new);
    assert!(query.is_fresh_dns_cookie(cookie, &new));
    assert!(peer(&before, addr, 1_559_741_961).is_valid_dns_cookie(cookie, &new));
}

//
#[test]
fn a_dns_cookie_is_valid_for_an_hour_and_fresh_for_half_of_it() {
    // The options are about other tokens.
    let tokens = AddressTokens::new(counting()).lifetime(Duration::from_secs(1));
    for issued in [NOW, 0, u32::MAX, u32::MAX - 1_799] {
        let cookie = peer(&tokens, "192.0.2.7:53", issued).issue_dns_cookie(CONTEXT);
        for (age, expected) in [
            (-301, (false, false)),
            (-300, (true, true)),
            (0, (true, true)),
            (1_799, (true, true)),
            (1_800, (true, false)),
            (3_600, (true, false)),
            (3_601, (false, false)),
        ] {
            let peer = peer(&tokens, "192.0.2.7:54", issued.wrapping_add_signed(age));
            let found = (
                peer.is_valid_dns_cookie(CONTEXT, &cookie),
                peer.is_fresh_dns_cookie(CONTEXT, &cookie),
            );
            assert_eq!(found, expected, "{issued} {age}");
        }
    }
}

//
#[test]
fn comparing_looks_at_each_bit() {
    assert!(is_same(0, 0) && is_same(u64::MAX, u64::MAX));
    assert!((0..64).all(|bit| !is_same(1 << bit, 0)));
}
