//! The sealed layer: the cipher, contexts, keys, and the datagrams that are refused.

use std::{collections::HashSet, error::Error};

use bytes::Bytes;
use datagrammar_protocols::{
    DatagramProtocol, DecodeError, ErrorKind, Raw, Sealed, SealingKey, Text,
};

use crate::{STEP, encode, hex};

// P-22: the bytes are from draft-irtf-cfrg-xchacha-03, A.3.1. Its associated data begin with 50, which
// is our id.
#[test]
fn the_cipher_is_xchacha20_poly1305() {
    let key = SealingKey::from(std::array::from_fn(|n| 0x80 + n as u8));
    let layer = Sealed::new(0x50, &key).context(&hex("515253c0c1c2c3c4c5c6c7"));
    let datagram = hex("50 \
        404142434445464748494a4b4c4d4e4f5051525354555657 \
        bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb \
        731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452 \
        2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9 \
        21f9664c97637da9768812f615c68b13b52e \
        c0875924c1c7987947deafd8780acf49");

    let text = Text.layer(layer).decode(&datagram).unwrap();

    assert_eq!(
        text,
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
         future, sunscreen would be it."
    );
}

// P-22, P-4
#[test]
fn a_datagram_of_any_length_is_sealed_and_opened() {
    let protocol = Raw.layer(sealed());

    for len in [0, 1, 15, 16, 17, 63, 64, 65, 1_000, 65_000].into_iter().step_by(STEP) {
        let packet = Bytes::from(vec![0x5a; len]);

        let datagram = encode(&protocol, &packet);

        assert_eq!(datagram.len(), 1 + 24 + len + 16);
        assert_eq!(datagram[0], 1);
        assert_eq!(protocol.decode(&datagram).unwrap(), packet);
    }
}

// P-22
#[test]
fn a_packet_sealed_twice_gives_different_bytes() {
    let protocol = Text.layer(sealed());

    let datagrams: HashSet<_> = (0..10).map(|_| encode(&protocol, &"text".to_owned())).collect();
    let nonces: HashSet<_> = datagrams.iter().map(|datagram| &datagram[1..25]).collect();

    assert_eq!(nonces.len(), 10);
}

// P-22, P-2, P-3
#[test]
fn altered_cut_extended_and_foreign_datagrams_are_refused_with_the_same_error() {
    let protocol = Text.layer(sealed());
    let honest = encode(&protocol, &"hello".to_owned());

    for bit in (0..honest.len() * 8).step_by(STEP) {
        let mut altered = honest.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        refused(protocol.decode(&altered));
    }
    for len in (0..honest.len()).step_by(STEP) {
        refused(protocol.decode(&honest[..len]));
        refused(protocol.decode(&honest[honest.len() - len..]));
    }
    refused(protocol.decode(&[&honest[..], b"\0"].concat()));
    refused(protocol.decode(&[&honest[..], &honest[..]].concat()));
    refused(Text.layer(Sealed::new(1, &[8; 32].into())).decode(&honest));
    refused(Text.layer(Sealed::new(2, &[7; 32].into())).decode(&honest));
}

// P-22
#[test]
fn one_key_seals_and_several_are_accepted() {
    let keys = [[1; 32], [2; 32], [3; 32]].map(SealingKey::from);
    let [one, two, three] = &keys;
    let rotating = Text.layer(Sealed::new(1, one).accepting(2, two).accepting(0xff, three));
    let text = "text".to_owned();

    for (id, key) in [(1, one), (2, two), (0xff, three)] {
        let datagram = encode(&Text.layer(Sealed::new(id, key)), &text);
        assert_eq!(rotating.decode(&datagram).unwrap(), text);
    }
    refused(rotating.decode(&encode(&Text.layer(Sealed::new(3, one)), &text)));
    refused(rotating.decode(&encode(&Text.layer(Sealed::new(2, one)), &text)));
    assert_eq!(encode(&rotating, &text)[0], 1);
}

// P-22
#[test]
fn an_altered_id_is_refused_even_if_it_is_that_of_the_same_key() {
    let key = SealingKey::from([7; 32]);
    let protocol = Text.layer(Sealed::new(1, &key).accepting(2, &key));
    let mut datagram = encode(&protocol, &"text".to_owned());

    datagram[0] = 2;

    refused(protocol.decode(&datagram));
}

#[test]
#[should_panic(expected = "another key has the id 1")]
fn two_keys_cannot_have_one_id() {
    let _ = sealed().accepting(2, &[8; 32].into()).accepting(1, &[9; 32].into());
}

// P-22
#[test]
fn a_datagram_sealed_in_one_context_is_refused_in_every_other() {
    let old = SealingKey::from([8; 32]);
    let contexts: [&[u8]; 4] = [b"", b"a", b"ab", b"\x01"];

    for from in contexts {
        // The context applies to all keys, in any order of the setters.
        let before = Text.layer(sealed().context(from).accepting(2, &old));
        let after = Text.layer(sealed().accepting(2, &old).context(b"x").context(from));
        let datagrams = [
            encode(&before, &"text".to_owned()),
            encode(&Text.layer(Sealed::new(2, &old).context(from)), &"text".to_owned()),
        ];

        for datagram in &datagrams {
            assert_eq!(before.decode(datagram).unwrap(), "text");
            assert_eq!(after.decode(datagram).unwrap(), "text");
            for other in contexts.into_iter().filter(|&other| other != from) {
                refused(Text.layer(sealed().accepting(2, &old).context(other)).decode(datagram));
            }
        }
    }
}

// P-1, P-10
#[test]
fn only_the_appended_bytes_are_sealed_and_seals_nest() {
    let protocol = Text.layer(sealed()).layer(Sealed::new(2, &[8; 32].into()));
    let mut datagram = b"before|".to_vec();

    protocol.encode(&"text".to_owned(), &mut datagram).unwrap();

    assert_eq!(datagram[..8], *b"before|\x02");
    assert_eq!(datagram.len(), 7 + 4 + 41 + 41);
    assert_eq!(protocol.decode(&datagram[7..]).unwrap(), "text");
}

// P-22: the seal is checked before anything else is parsed.
#[test]
fn the_protocol_inside_sees_only_datagrams_that_were_sealed() {
    let protocol = Text.layer(sealed());
    let datagram = encode(&Raw.layer(sealed()), &Bytes::from_static(b"\xff"));

    refused(protocol.decode(b"\xff"));
    assert_eq!(protocol.decode(&datagram).unwrap_err().kind(), ErrorKind::Codec);
}

// P-5
#[test]
fn random_bytes_are_refused() {
    let mut random = fastrand::Rng::with_seed(22);
    let protocol = Raw.layer(sealed());

    for _ in (0..1_000).step_by(STEP) {
        let len = random.usize(..100);
        let mut datagram: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(len).collect();
        if let Some(id) = datagram.first_mut() {
            *id = 1;
        }
        refused(protocol.decode(&datagram));
    }
}

// P-21
#[test]
fn debug_shows_the_ids_of_keys_and_no_key() {
    let layer = sealed().accepting(9, &[0x41; 32].into());

    assert_eq!(format!("{layer:?}"), "Sealed { ids: [1, 9], .. }");
    assert_eq!(format!("{:?}", layer.clone()), format!("{layer:?}"));
}

#[track_caller]
fn refused<T>(decoded: Result<T, DecodeError>) {
    let Err(error) = decoded else { panic!("it was accepted") };
    assert_eq!(error.kind(), ErrorKind::Layer);
    assert_eq!(error.to_string(), "the datagram is not sealed with any accepted key");
    assert!(error.source().is_none());
}

fn sealed() -> Sealed {
    Sealed::new(1, &[7; 32].into())
}
