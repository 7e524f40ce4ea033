//! SNTP version 4 packets (RFC 4330, section 4; the header of RFC 5905, section 7.3): 48 bytes,
//! big-endian.
//!
//! ```text
//! byte  0  leap indicator (2 bits), version (3 bits), mode (3 bits)
//!        1  stratum        2  poll        3  precision
//!        4  root delay     8  root dispersion    12  reference identifier
//!       16  reference     24  origin     32  receive     40  transmit timestamp
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use datagrammar::{DatagramProtocol, DecodeError, EncodeError};

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) version: u8, // 1 to 4
    pub(crate) poll: u8,
    pub(crate) transmit: Timestamp,
}

/// What a server answers that knows the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) version: u8,          // that of the request
    pub(crate) stratum: u8,          // 1 to 15: steps from the reference clock
    pub(crate) poll: u8,             // that of the request
    pub(crate) precision: i8,        // a power of two, in seconds
    pub(crate) root_delay: u32,      // in 1/65,536 s
    pub(crate) root_dispersion: u32, // in 1/65,536 s
    pub(crate) reference_id: [u8; 4],
    pub(crate) reference: Timestamp, // when the clock was set
    pub(crate) origin: Timestamp,    // `transmit` of the request
    pub(crate) receive: Timestamp,   // when the request arrived
    pub(crate) transmit: Timestamp,  // when the response left
}

/// Seconds since 1900 in 32.32 bits. They start again from 0 in 2036, which `since` does not mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp(pub(crate) u64);

impl Timestamp {
    pub(crate) fn now() -> Self {
        // A clock before 1970 is wrong by so much that it does not matter how we read it.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        Self((unix.as_secs() + SECONDS_FROM_1900_TO_1970) << 32 | fraction)
    }

    /// The seconds from `earlier` to this, which are less than 0 if it is in fact later.
    pub(crate) fn since(self, earlier: Self) -> f64 {
        self.0.wrapping_sub(earlier.0).cast_signed() as f64 / (1_u64 << 32) as f64
    }
}

const SECONDS_FROM_1900_TO_1970: u64 = 2_208_988_800;

/// The protocol of requests.
pub(crate) struct Requests;

impl DatagramProtocol for Requests {
    type Incoming = Request;
    type Outgoing = Request;

    fn decode(&self, datagram: &[u8]) -> Result<Request, DecodeError> {
        let header = header(datagram)?;
        let (version, mode) = (header[0] >> 3 & 0b111, header[0] & 0b111);
        if !(1..=4).contains(&version) {
            return Err(DecodeError::codec("version is not 1 to 4"));
        }
        if mode != CLIENT {
            return Err(DecodeError::codec("not a request of a client"));
        }
        Ok(Request { version, poll: header[2], transmit: timestamp(header, 40) })
    }

    fn encode(&self, packet: &Request, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.extend([packet.version << 3 | CLIENT, 0, packet.poll]);
        datagram.extend([0; 37]); // what only a server knows
        datagram.extend(packet.transmit.0.to_be_bytes());
        Ok(())
    }
}

/// The protocol of responses.
pub(crate) struct Responses;

impl DatagramProtocol for Responses {
    type Incoming = Response;
    type Outgoing = Response;

    fn decode(&self, datagram: &[u8]) -> Result<Response, DecodeError> {
        let header = header(datagram)?;
        let (leap, mode) = (header[0] >> 6, header[0] & 0b111);
        if mode != SERVER {
            return Err(DecodeError::codec("not a response of a server"));
        }
        let stratum = header[1];
        if leap == ALARM || !(1..=15).contains(&stratum) {
            return Err(DecodeError::codec("the clock of the server is not set"));
        }
        Ok(Response {
            version: header[0] >> 3 & 0b111,
            stratum,
            poll: header[2],
            precision: header[3].cast_signed(),
            root_delay: u32::from_be_bytes(bytes(header, 4)),
            root_dispersion: u32::from_be_bytes(bytes(header, 8)),
            reference_id: bytes(header, 12),
            reference: timestamp(header, 16),
            origin: timestamp(header, 24),
            receive: timestamp(header, 32),
            transmit: timestamp(header, 40),
        })
    }

    fn encode(&self, packet: &Response, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        datagram.extend([packet.version << 3 | SERVER, packet.stratum, packet.poll]);
        datagram.extend(packet.precision.to_be_bytes());
        datagram.extend(packet.root_delay.to_be_bytes());
        datagram.extend(packet.root_dispersion.to_be_bytes());
        datagram.extend(packet.reference_id);
        for at in [packet.reference, packet.origin, packet.receive, packet.transmit] {
            datagram.extend(at.0.to_be_bytes());
        }
        Ok(())
    }
}

const CLIENT: u8 = 3;
const SERVER: u8 = 4;
const ALARM: u8 = 3; // the clock is not set

fn header(datagram: &[u8]) -> Result<&[u8; 48], DecodeError> {
    // Longer ones carry extensions or a signature, and their senders want them checked.
    datagram.try_into().map_err(|_| DecodeError::codec("length is not 48 bytes"))
}

fn timestamp(header: &[u8; 48], at: usize) -> Timestamp {
    Timestamp(u64::from_be_bytes(bytes(header, at)))
}

/// The `N` bytes from `at`; all places are fixed, and within the header.
fn bytes<const N: usize>(header: &[u8; 48], at: usize) -> [u8; N] {
    std::array::from_fn(|n| header[at + n])
}
