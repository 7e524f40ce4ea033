//! HMAC-SHA-256: the vectors of RFC 4231 and of Project Wycheproof.

use datagrammar_protocols::{DatagramProtocol, Layer, Raw, Sha256Digest, Signed, SigningKey};
use serde::Deserialize;

use super::{hex, json_file, read, refused, sets};

// RFC 4231, section 4
#[test]
fn signatures_match_rfc_4231() {
    let hash_first = "Test Using Larger Than Block-Size Key - Hash Key First";
    let both_larger = "This is a test using a larger than block-size key and a larger than block-size \
        data. The key needs to be hashed before being used by the HMAC algorithm.";
    let cases: [(Vec<u8>, &[u8], &str); 6] = [
        (
            vec![0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            (1..=25).collect(),
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            vec![0xaa; 131],
            hash_first.as_bytes(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            both_larger.as_bytes(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];

    for (key, message, signature) in cases {
        let protocol = Raw.layer(Signed::new(&key_for(&key).unwrap()));
        let mut datagram = Vec::new();

        protocol.encode(&message.to_vec().into(), &mut datagram).unwrap();

        assert_eq!(datagram, [message, &hex(signature)].concat());
        assert_eq!(read(&protocol, &datagram, signature), message);
    }
}

// RFC 4231, section 4.6: half a signature is not accepted.
#[test]
fn a_truncated_signature_is_refused() {
    let protocol = Raw.layer(Signed::new(&key_for(&[0x0c; 20]).unwrap()));
    let datagram =
        [&b"Test With Truncation"[..], &hex("a3b6167473100ee06e0c796c2955552b")].concat();

    refused(&protocol, &datagram, "a signature of 16 bytes");
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    tag_size: usize,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    tc_id: u32,
    comment: String,
    key: String,
    msg: String,
    tag: String,
    result: String,
}

// P-20
#[test]
fn signatures_of_wycheproof_are_accepted_and_refused_as_expected() {
    let Some(sets) = sets() else { return };
    let set: Set = json_file(&sets.join("wycheproof/testvectors_v1/hmac_sha256_test.json"));
    let [mut accepted, mut refused_ones, mut truncated] = [0; 3];

    for group in &set.test_groups {
        for test in &group.tests {
            let key = key_for(&hex(&test.key)).expect("the set has no key of 33 to 64 bytes");
            let protocol = Raw.layer(Signed::new(&key));
            let datagram = [hex(&test.msg), hex(&test.tag)].concat();
            let what = format!("{}: {}", test.tc_id, test.comment);
            if group.tag_size != 256 {
                // Valid for implementations that accept half a signature.
                refused(&protocol, &datagram, &what);
                truncated += 1;
            } else if test.result == "valid" {
                assert_eq!(read(&protocol, &datagram, &what), hex(&test.msg), "{what}");
                accepted += 1;
            } else {
                refused(&protocol, &datagram, &what);
                refused_ones += 1;
            }
        }
    }
    let counted = [accepted, refused_ones, truncated];
    assert_eq!((counted, counted.iter().sum()), ([33, 54, 87], set.number_of_tests));
}

/// Returns the key of 32 bytes that is equivalent to `key`. HMAC (RFC 2104, section 2) pads short keys with
/// zeros, and hashes keys that are longer than a block. For keys of 33 to 64 bytes there is no equivalent.
fn key_for(key: &[u8]) -> Option<SigningKey> {
    let mut bytes = key.to_vec();
    match key.len() {
        0..=32 => bytes.resize(32, 0),
        33..=64 => return None,
        _ => {
            Sha256Digest.apply(&mut bytes, 0).expect("a digest has no limits");
            bytes.drain(..key.len());
        }
    }
    SigningKey::try_from(&*bytes).ok()
}
