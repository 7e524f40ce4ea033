//! The layers that detect accidental changes: CRC-32C and SHA-256.

#[cfg(feature = "crc32c")]
mod crc32c {
    use std::error::Error;

    use datagrammar_protocols::{Crc32c, DatagramProtocol, Layer, Raw};

    use crate::{encode, hex, laws::applied};

    // RFC 3720, appendix B.4: the bytes in the order of iSCSI.
    #[test]
    fn the_bytes_are_those_of_iscsi_and_sctp() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        let read_command = hex("01c00000 00000000 00000000 00000000 14000000 00000400 \
            00000014 00000018 28000000 00000000 02000000 00000000");
        let vectors = [
            (&[0_u8; 32][..], "aa36918a"),
            (&[0xff; 32], "43aba862"),
            (&ascending, "4e79dd46"),
            (&descending, "5cdb3f11"),
            (&read_command, "563a96d9"),
            (b"123456789", "839206e3"),
            (b"", "00000000"),
        ];
        for (payload, crc) in vectors {
            let datagram = applied(&Crc32c, payload);

            assert_eq!(datagram, [payload, &hex(crc)].concat());
        }
    }

    #[test]
    fn altered_cut_and_short_datagrams_give_the_same_error() {
        let datagram = encode(&Raw.layer(Crc32c), &b"hello"[..].into());

        for strange in super::altered_and_cut(&datagram) {
            let error = Crc32c.undo(&strange).unwrap_err();
            assert_eq!(error.to_string(), "the CRC-32C does not match");
            assert!(error.source().is_none());
        }
    }
}

#[cfg(feature = "sha256")]
mod sha256 {
    use std::error::Error;

    use datagrammar_protocols::{DatagramProtocol, Layer, Raw, Sha256Digest};

    use crate::{encode, hex, laws::applied};

    // RFC 6234, section 8.5, and FIPS 180-4
    #[test]
    fn the_digest_is_appended() {
        let abc = "ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad";
        let nothing = "e3b0c442 98fc1c14 9afbf4c8 996fb924 27ae41e4 649b934c a495991b 7852b855";

        assert_eq!(applied(&Sha256Digest, b"abc"), [&b"abc"[..], &hex(abc)].concat());
        assert_eq!(applied(&Sha256Digest, b""), hex(nothing));
    }

    // P-29: w11
    #[cfg(feature = "base64")]
    #[test]
    fn with_base64_it_is_text() {
        use datagrammar_protocols::{Base64, Text};

        let protocol = Text.layer(Sha256Digest).layer(Base64::new());
        let datagram = b"aGVsbG8s8k26X7CjDiboOyrFueKeGxYeXB-nQl5zBDNik4uYJA==";

        assert_eq!(encode(&protocol, &"hello".to_owned()), datagram);
        assert_eq!(protocol.decode(datagram).unwrap(), "hello");
    }

    // P-20
    #[test]
    fn altered_cut_and_short_datagrams_give_the_same_error() {
        let datagram = encode(&Raw.layer(Sha256Digest), &b"hello"[..].into());

        for strange in super::altered_and_cut(&datagram) {
            let error = Sha256Digest.undo(&strange).unwrap_err();
            assert_eq!(error.to_string(), "the SHA-256 digest does not match");
            assert!(error.source().is_none());
        }
    }
}

/// The datagram with each bit altered, cut to each length, and with one byte appended.
#[cfg(any(feature = "crc32c", feature = "sha256"))]
fn altered_and_cut(datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut strange: Vec<Vec<u8>> = (0..datagram.len()).map(|len| datagram[..len].into()).collect();
    for bit in 0..datagram.len() * 8 {
        let mut altered = datagram.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        strange.push(altered);
    }
    strange.push([datagram, b"\0"].concat());
    strange
}
