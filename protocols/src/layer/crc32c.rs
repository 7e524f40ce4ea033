//! Checksums: CRC-32C.

use std::borrow::Cow;

use ::crc32c::crc32c;

use super::interface::Layer;
use crate::{
    error::{DecodeError, EncodeError},
    shape::Shape,
};

/// Appends a checksum to each datagram, the CRC-32C (Castagnoli) in 4 bytes, and refuses datagrams
/// whose checksum does not match.
///
/// It detects accidental changes. In a UDP datagram it detects every change of one to three bits,
/// and misses about one in four billion other changes. UDP itself checks with 16 bits, and misses
/// one in 65,536. It does not protect from attackers, who can compute it too; `Signed` does.
///
/// The checksum is in little-endian order, as SCTP ([RFC 9260], appendix A) and iSCSI ([RFC 7143],
/// appendix A.4) send it.
///
/// [RFC 9260]: https://www.rfc-editor.org/rfc/rfc9260#appendix-A
/// [RFC 7143]: https://www.rfc-editor.org/rfc/rfc7143#appendix-A.4
///
/// # Cost
///
/// It allocates nothing. With the processor's CRC instruction it takes 0.02 µs for 100 bytes and
/// 0.05 µs for 1,000.
///
/// # Examples
///
/// ```
/// # use datagrammar_protocols as datagrammar;
/// use datagrammar::{Crc32c, DatagramProtocol, Text};
///
/// let protocol = Text.layer(Crc32c);
///
/// let mut datagram = Vec::new();
/// protocol.encode(&"123456789".to_owned(), &mut datagram)?;
///
/// assert_eq!(datagram, b"123456789\x83\x92\x06\xe3");
/// datagram[0] = b'0';
/// assert!(protocol.decode(&datagram).is_err());
/// # Ok::<(), datagrammar::BoxError>(())
/// ```
#[doc(alias = "checksum")]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the checksum has no settings")]
pub struct Crc32c;

impl Layer for Crc32c {
    fn apply(&self, datagram: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let crc = crc32c(&datagram[start..]);
        datagram.extend_from_slice(&crc.to_le_bytes());
        Ok(())
    }

    fn undo<'d>(&self, datagram: &'d [u8]) -> Result<Cow<'d, [u8]>, DecodeError> {
        match datagram.split_last_chunk() {
            Some((payload, &crc)) if crc32c(payload) == u32::from_le_bytes(crc) => {
                Ok(payload.into())
            }
            _ => Err(DecodeError::layer("the CRC-32C does not match")),
        }
    }

    fn shape(&self, payload: &Shape) -> Shape {
        payload.with_trailer(4)
    }
}
