//! How a datagram is marked for routers.

use std::fmt;

/// How a datagram was marked for the routers on its way: the byte of the IP header that IPv6 calls
/// the traffic class (RFC 8200) and IPv4 once called the type of service.
///
/// Six bits say how urgent it is (DSCP, RFC 2474), two tell of congestion (ECN, RFC 3168).
///
/// # Examples
///
/// ```
/// use datagrammar::{Ecn, TrafficClass};
///
/// let class = TrafficClass::from(0xbb);
///
/// assert_eq!((class.dscp(), class.ecn()), (46, Ecn::Ce));
/// assert_eq!(u8::from(class), 0xbb);
/// assert_eq!(class.to_string(), "DSCP 46, CE");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TrafficClass(u8);

impl TrafficClass {
    /// Returns how urgent the datagram is: 0 to 63, where 0 is nothing special.
    #[must_use]
    pub const fn dscp(self) -> u8 {
        self.0 >> 2
    }

    /// Returns what the datagram tells of congestion.
    #[must_use]
    pub const fn ecn(self) -> Ecn {
        match self.0 & 0b11 {
            0b00 => Ecn::NotEct,
            0b01 => Ecn::Ect1,
            0b10 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }

    /// The class of these two, of which the first is at most 63.
    pub(crate) const fn new(dscp: u8, ecn: Ecn) -> Self {
        Self(dscp << 2 | ecn as u8)
    }
}

impl From<u8> for TrafficClass {
    fn from(byte: u8) -> Self {
        Self(byte)
    }
}

impl From<TrafficClass> for u8 {
    fn from(class: TrafficClass) -> Self {
        class.0
    }
}

impl fmt::Display for TrafficClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DSCP {}, {}", self.dscp(), self.ecn())
    }
}

/// Explicit congestion notification ([RFC 3168]): whether routers may mark a datagram instead of
/// dropping it, and whether one has.
///
/// [RFC 3168]: https://www.rfc-editor.org/rfc/rfc3168
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(clippy::exhaustive_enums, reason = "two bits have four values")]
pub enum Ecn {
    /// The sender takes no notice of marks, so routers drop.
    #[default]
    NotEct = 0b00,

    /// The sender slows down when it hears of marks, as for low latency (RFC 9331).
    Ect1 = 0b01,

    /// The sender slows down when it hears of marks.
    Ect0 = 0b10,

    /// A router has marked the datagram: there is congestion on its way.
    Ce = 0b11,
}

impl fmt::Display for Ecn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEct => "Not-ECT",
            Self::Ect1 => "ECT(1)",
            Self::Ect0 => "ECT(0)",
            Self::Ce => "CE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_every_byte_make_that_byte() {
        for byte in 0..=u8::MAX {
            let class = TrafficClass::from(byte);
            assert_eq!(TrafficClass::new(class.dscp(), class.ecn()), class);
        }
    }
}
