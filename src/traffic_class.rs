//! The traffic class of a datagram: its priority and its congestion mark.

use std::fmt;

/// The traffic class of a datagram: the byte of the IP header that routers read. IPv6 calls it traffic class
/// (RFC 8200), and IPv4 called it type of service (TOS).
///
/// Six bits are the priority (DSCP, RFC 2474), and two bits are the congestion mark (ECN, RFC 3168).
/// [`Peer::traffic_class`](crate::Peer::traffic_class) returns the class of a received datagram.
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
    /// Returns the priority class (DSCP), from 0 to 63. 0 is the default class.
    #[must_use]
    pub const fn dscp(self) -> u8 {
        self.0 >> 2
    }

    /// Returns the congestion mark.
    #[must_use]
    pub const fn ecn(self) -> Ecn {
        match self.0 & 0b11 {
            0b00 => Ecn::NotEct,
            0b01 => Ecn::Ect1,
            0b10 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }

    /// Makes a class of these two. `dscp` is at most 63.
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

/// Explicit congestion notification ([RFC 3168]): whether a congested router may mark a datagram instead of
/// dropping it, and whether a router has marked it.
///
/// [RFC 3168]: https://www.rfc-editor.org/rfc/rfc3168
///
/// # Examples
///
/// ```
/// use datagrammar::{Ecn, TrafficClass};
///
/// let class = TrafficClass::from(0b11);
/// assert_eq!(class.ecn(), Ecn::Ce);
/// assert_eq!(Ecn::Ce.to_string(), "CE");
/// assert_eq!(Ecn::default(), Ecn::NotEct);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(clippy::exhaustive_enums, reason = "two bits have four values")]
pub enum Ecn {
    /// The sender ignores marks, so congested routers drop the datagram.
    #[default]
    NotEct = 0b00,

    /// The sender slows down when datagrams are marked, as low-latency protocols do (RFC 9331).
    Ect1 = 0b01,

    /// The sender slows down when datagrams are marked.
    Ect0 = 0b10,

    /// A router has marked the datagram, because its link is congested.
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
