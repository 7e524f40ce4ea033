//! Writing with definite lengths.
//!
//! ciborium writes a list or map whose length is not known beforehand with an indefinite one: a
//! struct with `flatten`, for example.

use std::io::{self, Write};

use ciborium::{Value, into_writer, ser::Error};
use serde::Serialize;

/// Appends one packet.
pub(super) fn write<T: Serialize>(
    packet: &T,
    datagram: &mut Vec<u8>,
) -> Result<(), Error<io::Error>> {
    let start = datagram.len();
    let mut output = Watched { datagram, indefinite: false };
    into_writer(packet, &mut output)?;
    if !output.indefinite {
        return Ok(());
    }
    datagram.truncate(start);
    // Collects first, so that every length is known. That costs more, so only where it is needed.
    let value = Value::serialized(packet).map_err(|error| Error::Value(error.to_string()))?;
    into_writer(&value, datagram)
}

/// Notices octets that may begin something of indefinite length.
///
/// ciborium writes such an octet by itself, and seldom others that look like it.
struct Watched<'d> {
    datagram: &'d mut Vec<u8>,
    indefinite: bool,
}

impl Write for Watched<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_all(octets)?;
        Ok(octets.len())
    }

    #[inline]
    fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match *octets {
            [] => {}
            [octet] => {
                self.indefinite |= matches!(octet, ARRAY | MAP);
                self.datagram.push(octet);
            }
            _ => self.datagram.extend_from_slice(octets),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ARRAY: u8 = 0x9f;
const MAP: u8 = 0xbf;
