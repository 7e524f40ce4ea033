//! Keys: their length, their text form, and their secrecy.

use std::{error::Error, fmt::Debug, str::FromStr};

use datagrammar_protocols::{KeyError, SealingKey, SigningKey};

const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

// P-21, P-29 w14
#[test]
fn a_key_is_32_bytes_or_their_url_safe_base64_text() {
    let bytes: [u8; 32] = std::array::from_fn(|n| n as u8);

    assert_eq!(SigningKey::from(bytes).to_base64(), TEXT);
    assert_eq!(SigningKey::try_from(&bytes[..]).unwrap().to_base64(), TEXT);
    assert_eq!(TEXT.parse::<SigningKey>().unwrap().to_base64(), TEXT);
    assert_eq!(SealingKey::from(bytes).to_base64(), TEXT);
    assert_eq!(SealingKey::try_from(&bytes[..]).unwrap().to_base64(), TEXT);
    assert_eq!(TEXT.parse::<SealingKey>().unwrap().to_base64(), TEXT);
}

// P-21
#[test]
fn other_than_32_bytes_are_not_a_key() {
    for len in [0, 1, 16, 31, 33, 44, 64] {
        let bytes = vec![b'A'; len];

        let errors = [
            SigningKey::try_from(&bytes[..]).unwrap_err(),
            SealingKey::try_from(&bytes[..]).unwrap_err(),
        ];

        for error in errors {
            assert_eq!(error.to_string(), format!("key is {len} bytes, not 32"));
        }
    }
}

// P-21, P-19
#[test]
fn text_in_another_form_is_not_a_key() {
    let strange = [
        "".to_owned(),
        "=".to_owned(),
        "swordfish".to_owned(),
        "é".repeat(22),
        TEXT.trim_end_matches('=').to_owned(), // no padding
        format!("{TEXT}="),
        format!("{TEXT}\n"),
        format!(" {TEXT}"),
        TEXT.replace('B', " "),
        TEXT.replace("8=", "9="), // unused bits that are not 0
        TEXT.replace("8=", "=="), // 31 bytes
        TEXT.replace("8=", "8AAA"),
        "A".repeat(44), // 33 bytes
        format!("{}A==", "A".repeat(41)),
        "A".repeat(40),
        "A".repeat(1_000_000),
        "+".repeat(43) + "=", // the other alphabet
        "/".repeat(42) + "8=",
        "00".repeat(32), // hexadecimal
    ];

    for text in strange {
        no_key::<SigningKey>(&text);
        no_key::<SealingKey>(&text);
    }

    fn no_key<K: FromStr<Err = KeyError> + Debug>(text: &str) {
        let error = text.parse::<K>().unwrap_err();

        assert_eq!(error.to_string(), "the key is not the url-safe base64 of 32 bytes", "{text}");
        assert!(error.source().is_none());
    }
}

// P-21
#[test]
fn every_character_of_a_key_counts() {
    for at in 0..TEXT.len() {
        for byte in (0..=u8::MAX).filter(u8::is_ascii) {
            let mut text = TEXT.as_bytes().to_vec();
            text[at] = byte;
            let text = String::from_utf8(text).expect("it is ASCII");

            match text.parse::<SigningKey>() {
                Ok(key) => assert_eq!(key.to_base64(), text),
                Err(_) => assert_ne!(text, TEXT),
            }
        }
    }
}

// P-21
#[test]
fn generated_keys_are_different_and_can_be_stored_as_text() {
    let (first, second) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());

    assert_ne!(first.to_base64(), second.to_base64());
    assert_eq!(first.to_base64().parse::<SigningKey>().unwrap().to_base64(), first.to_base64());
    let (first, second) = (SealingKey::generate().unwrap(), SealingKey::generate().unwrap());
    assert_ne!(first.to_base64(), second.to_base64());
}

// P-21
#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", SigningKey::from([0x41; 32])), "SigningKey { .. }");
    assert_eq!(format!("{:#?}", SealingKey::from([0x41; 32])), "SealingKey { .. }");
}

#[test]
fn keys_and_their_errors_can_cross_threads() {
    fn is_plain<T: Send + Sync + 'static>() {}

    is_plain::<SigningKey>();
    is_plain::<SealingKey>();
    is_plain::<KeyError>();
}
