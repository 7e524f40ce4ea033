//! Which headers are accepted, and which are refused.

use datagrammar::{Addr, Bytes, Raw, Server, ServerBuilder};

use super::{
    Net,
    header::{LOCAL, PROXY, SIGNATURE, addresses, checked, extended, of, raw, tlv},
    recv, send, trusted,
};

const V4: &str = "192.0.2.7:5000";
const V6: &str = "[2001:db8::7]:5000";

/// Answers with the address of the peer and its bytes, as text.
async fn lossy(bytes: Bytes, peer: Addr) -> Bytes {
    format!("{peer} {}", String::from_utf8_lossy(&bytes)).into()
}

fn builder() -> ServerBuilder<Raw> {
    Server::builder(Raw, lossy).trust_proxy(trusted())
}

/// The answer to a datagram from a trusted proxy, or "refused".
async fn answer(net: &Net, datagram: &[u8]) -> String {
    let proxy = net.at("10.0.0.1:0").await;
    let (before, received) = (net.refused(), net.handle.stats().received);
    send(&proxy, datagram).await;
    net.received(received + 1).await;
    if net.refused() == before + 1 {
        return "refused".to_owned();
    }
    recv(&proxy).await
}

async fn assert_all(expected: &[(&str, Vec<u8>, &str)]) {
    let net = Net::serve(builder()).await;
    for (what, datagram, wanted) in expected {
        assert_eq!(answer(&net, datagram).await, *wanted, "{what}");
    }
}

fn with(header: Vec<u8>, payload: &[u8]) -> Vec<u8> {
    [header, payload.to_vec()].concat()
}

// O-3, O-21
#[tokio::test(start_paused = true)]
async fn each_valid_header_is_read() {
    let (v4, v6) = (addresses(V4.parse().unwrap()), addresses(V6.parse().unwrap()));
    let all = [tlv(0x01, b"h2"), tlv(0x02, b"example.test"), tlv(0x04, &[0; 9]), tlv(0x05, b"id")];
    let all = [all.concat(), tlv(0x20, b"\x01\0\0\0\0"), tlv(0x30, b"ns"), tlv(0xee, b"")].concat();

    assert_all(&[
        ("IPv4, UDP", of(V4, "hi"), "192.0.2.7:5000 hi"),
        ("IPv6, UDP", of(V6, "hi"), "[2001:db8::7]:5000 hi"),
        ("IPv4, TCP", with(raw(PROXY, 0x11, &v4.1), b"hi"), "192.0.2.7:5000 hi"),
        ("IPv6, TCP", with(raw(PROXY, 0x21, &v6.1), b"hi"), "[2001:db8::7]:5000 hi"),
        ("IPv4-mapped", of("[::ffff:192.0.2.7]:5000", "hi"), "192.0.2.7:5000 hi"),
        ("no payload", of(V4, ""), "192.0.2.7:5000 "),
        ("a header as payload", with(of(V4, ""), b"\r\n\r\n"), "192.0.2.7:5000 \r\n\r\n"),
        ("extensions", with(extended(V4, &all), b"hi"), "192.0.2.7:5000 hi"),
        ("extensions, IPv6", with(extended(V6, &all), b"hi"), "[2001:db8::7]:5000 hi"),
        ("a long one", with(extended(V4, &tlv(0xea, &[7; 999])), b"hi"), "192.0.2.7:5000 hi"),
        ("a checksum", with(checked(V4, b"", b"", 0), b"hi"), "192.0.2.7:5000 hi"),
        ("one among others", with(checked(V6, &all, &all, 0), b"hi"), "[2001:db8::7]:5000 hi"),
    ])
    .await;
}

// O-3, O-21
#[tokio::test(start_paused = true)]
async fn a_proxy_that_speaks_for_itself_is_the_peer_whatever_else_its_header_has() {
    let net = Net::serve(builder()).await;
    let (v4, v6) = (addresses(V4.parse().unwrap()).1, addresses(V6.parse().unwrap()).1);

    for family in 0..=u8::MAX {
        for (n, rest) in [&b""[..], &v4, &v6, &[0xff; 5], &[0; 216]].into_iter().enumerate() {
            let port = 1_000 + 10 * u16::from(family) + n as u16;
            let proxy = net.at(&format!("10.0.0.1:{port}")).await;
            send(&proxy, with(raw(LOCAL, family, rest), b"ping")).await;
            assert_eq!(recv(&proxy).await, format!("10.0.0.1:{port} ping"));
        }
    }
}

// O-3, O-22
#[tokio::test(start_paused = true)]
async fn each_invalid_header_is_refused() {
    let (v4, v6) = (addresses(V4.parse().unwrap()).1, addresses(V6.parse().unwrap()).1);
    let mut longer = of(V4, "hi");
    longer[15] += 3;
    let sum_of_three = [tlv(0x03, &[0; 3]), tlv(0x03, &[0; 5])];
    let mut two_sums = checked(V4, b"", b"", 0);
    two_sums = checked(V4, &two_sums[28..], b"", 0);

    assert_all(&[
        ("nothing", b"".to_vec(), "refused"),
        ("no header", b"hi".to_vec(), "refused"),
        ("version 1, TCP", b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 53\r\nhi".to_vec(), "refused"),
        ("version 1, unknown", b"PROXY UNKNOWN\r\nhi".to_vec(), "refused"),
        ("the signature only", SIGNATURE.to_vec(), "refused"),
        ("AF_UNSPEC", with(raw(PROXY, 0x00, b""), b"hi"), "refused"),
        ("AF_UNSPEC with addresses", with(raw(PROXY, 0x00, &v4), b"hi"), "refused"),
        ("AF_UNIX, STREAM", with(raw(PROXY, 0x31, &[b'/'; 216]), b"hi"), "refused"),
        ("AF_UNIX, DGRAM", with(raw(PROXY, 0x32, &[b'/'; 216]), b"hi"), "refused"),
        ("one byte of an extension", with(extended(V4, b"\x01"), b"hi"), "refused"),
        ("half the head of one", with(extended(V6, b"\x01\0"), b"hi"), "refused"),
        ("an extension without its end", with(extended(V4, b"\x01\0\x03ab"), b"hi"), "refused"),
        ("a length beyond the datagram", longer, "refused"),
        ("a wrong checksum", with(checked(V4, b"", b"", 1), b"hi"), "refused"),
        ("a short checksum", with(extended(V4, &sum_of_three[0]), b"hi"), "refused"),
        ("a long checksum", with(extended(V4, &sum_of_three[1]), b"hi"), "refused"),
        ("two checksums", with(two_sums, b"hi"), "refused"),
        ("addresses of IPv6 for IPv4", with(raw(PROXY, 0x22, &v4), b"hi"), "refused"),
    ])
    .await;

    let net = Net::serve(builder()).await;
    for version in (0..=u8::MAX).filter(|version| ![LOCAL, PROXY].contains(version)) {
        assert_eq!(answer(&net, &with(raw(version, 0x12, &v4), b"hi")).await, "refused");
    }
    for family in (0..=u8::MAX).filter(|family| ![0x11, 0x12, 0x21, 0x22].contains(family)) {
        assert_eq!(answer(&net, &with(raw(PROXY, family, &v6), b"hi")).await, "refused");
    }
}

// O-3, O-22
#[tokio::test(start_paused = true)]
async fn a_header_that_was_cut_or_changed_anywhere_is_refused_or_is_another_one() {
    let net = Net::serve(builder()).await;
    for whole in [extended(V4, &tlv(1, b"h2")), checked(V6, b"", &tlv(1, b"h2"), 0)] {
        for len in 0..whole.len() {
            assert_eq!(answer(&net, &whole[..len]).await, "refused", "{len}");
        }
        // A length that is too short leaves an address or an extension without its end.
        let rest = whole.len() - 16;
        for len in 0..rest {
            let mut short = whole.clone();
            short[14..16].copy_from_slice(&(len as u16).to_be_bytes());
            let without_extensions = [12, 36].contains(&len);
            let with_checksum_only = whole.len() > 50 && len == 36 + 7;
            let answered = answer(&net, &short).await;
            if without_extensions && (len == 12) == (whole[13] == 0x12) {
                assert!(answered.ends_with('2') || answered.contains("h2"), "{len} {answered}");
            } else if with_checksum_only {
                assert_eq!(answered, "refused", "the checksum covers the length");
            } else {
                assert_eq!(answered, "refused", "{len}");
            }
        }
    }
    // With a checksum, no bit can change.
    let whole = checked(V4, b"", &tlv(1, b"h2"), 0);
    for bit in 0..8 * whole.len() {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let answered = answer(&net, &changed).await;
        // Except for the one that makes `LOCAL` of it, and those of the type of the checksum, which hide it.
        let is_local = bit == 8 * 12;
        let hides_it = (8 * 28..8 * 29).contains(&bit);
        let expected = match answered.as_str() {
            "refused" => !is_local && !hides_it,
            local if local.starts_with("10.0.0.1:") => is_local,
            client => client.starts_with(V4) && hides_it,
        };
        assert!(expected, "bit {bit}: {answered}");
    }
}
