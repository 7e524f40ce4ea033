//! The vectors of Project Wycheproof for XChaCha20-Poly1305. The vector of the draft is in `sealed.rs` in `it`.

use datagrammar_protocols::{DatagramProtocol, Raw, Sealed, SealingKey};
use serde::Deserialize;

use super::{hex, json_file, read, refused, sets};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    iv_size: usize,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    tc_id: u32,
    comment: String,
    key: String,
    iv: String,
    aad: String,
    msg: String,
    ct: String,
    tag: String,
    result: String,
}

// P-22: in our layout, the first byte of the associated data is the id, and the rest is the context.
#[test]
fn datagrams_of_wycheproof_are_opened_and_refused_as_expected() {
    let Some(sets) = sets() else { return };
    let set: Set = json_file(&sets.join("wycheproof/testvectors_v1/xchacha20_poly1305_test.json"));
    let [mut opened, mut refused_ones, mut without_data, mut other_nonces] = [0; 4];

    for group in &set.test_groups {
        for test in &group.tests {
            if group.iv_size != 192 {
                other_nonces += 1;
                continue;
            }
            let aad = hex(&test.aad);
            let Some((id, context)) = aad.split_first() else {
                without_data += 1;
                continue;
            };
            let key = SealingKey::try_from(&*hex(&test.key)).unwrap();
            let protocol = Raw.layer(Sealed::new(*id, &key).context(context));
            let datagram = [vec![*id], hex(&test.iv), hex(&test.ct), hex(&test.tag)].concat();
            let what = format!("{}: {}", test.tc_id, test.comment);
            if test.result == "valid" {
                assert_eq!(read(&protocol, &datagram, &what), hex(&test.msg), "{what}");
                opened += 1;
            } else {
                refused(&protocol, &datagram, &what);
                refused_ones += 1;
            }
        }
    }
    let counted = [opened, refused_ones, without_data, other_nonces];
    assert_eq!((counted, counted.iter().sum()), ([201, 60, 45, 9], set.number_of_tests));
}
