//! The packets of TFTP (RFC 1350) with options (RFC 2347) as a protocol: one datagram is one packet.

use datagrammar::{DatagramProtocol, DecodeError, EncodeError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Read(Request),
    Write(Request),
    Data {
        block: u16,
        bytes: Vec<u8>,
    },
    Ack(u16),
    Error {
        code: ErrorCode,
        message: String,
    },
    /// The options that the server accepts, in the order of the request.
    OptionAck(Vec<(String, String)>),
}

/// A request to read or write a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) file: String,
    /// In lower case.
    pub(crate) mode: String,
    /// Names in lower case, and values.
    pub(crate) options: Vec<(String, String)>,
}

/// RFC 1350, appendix, and RFC 2347.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCode(pub(crate) u16);

impl ErrorCode {
    pub(crate) const UNDEFINED: Self = Self(0);
    pub(crate) const NOT_FOUND: Self = Self(1);
    pub(crate) const ACCESS_VIOLATION: Self = Self(2);
    pub(crate) const DISK_FULL: Self = Self(3);
    pub(crate) const ILLEGAL: Self = Self(4);
    pub(crate) const UNKNOWN_TRANSFER: Self = Self(5);
    pub(crate) const EXISTS: Self = Self(6);
}

impl Packet {
    pub(crate) fn error(code: ErrorCode, message: &str) -> Self {
        Self::Error { code, message: message.to_owned() }
    }
}

pub(crate) struct Tftp;

impl DatagramProtocol for Tftp {
    type Incoming = Packet;
    type Outgoing = Packet;

    fn decode(&self, datagram: &[u8]) -> Result<Packet, DecodeError> {
        let (opcode, rest) = number(datagram)?;
        Ok(match opcode {
            1 => Packet::Read(request(rest)?),
            2 => Packet::Write(request(rest)?),
            3 => {
                let (block, bytes) = number(rest)?;
                Packet::Data { block, bytes: bytes.to_vec() }
            }
            4 => match number(rest)? {
                (block, []) => Packet::Ack(block),
                _ => return Err(DecodeError::codec("bytes after an ACK")),
            },
            5 => {
                let (code, rest) = number(rest)?;
                // Some clients leave out the NUL at the end.
                let message = rest.split(|&byte| byte == 0).next().unwrap_or_default();
                let message = String::from_utf8_lossy(message).into_owned();
                Packet::Error { code: ErrorCode(code), message }
            }
            6 => Packet::OptionAck(options(&mut strings(rest)?)?),
            _ => return Err(DecodeError::codec("unknown opcode")),
        })
    }

    fn encode(&self, packet: &Packet, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        match packet {
            Packet::Read(request) | Packet::Write(request) => {
                datagram.extend([0, if let Packet::Read(_) = packet { 1 } else { 2 }]);
                let options = request.options.iter().flat_map(|(name, value)| [name, value]);
                for text in [&request.file, &request.mode].into_iter().chain(options) {
                    put_string(text, datagram)?;
                }
            }
            Packet::Data { block, bytes } => {
                datagram.extend([0, 3]);
                datagram.extend(block.to_be_bytes());
                datagram.extend(bytes);
            }
            Packet::Ack(block) => {
                datagram.extend([0, 4]);
                datagram.extend(block.to_be_bytes());
            }
            Packet::Error { code, message } => {
                datagram.extend([0, 5]);
                datagram.extend(code.0.to_be_bytes());
                put_string(message, datagram)?;
            }
            Packet::OptionAck(options) => {
                datagram.extend([0, 6]);
                for text in options.iter().flat_map(|(name, value)| [name, value]) {
                    put_string(text, datagram)?;
                }
            }
        }
        Ok(())
    }
}

/// Splits two bytes off.
fn number(bytes: &[u8]) -> Result<(u16, &[u8]), DecodeError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(DecodeError::codec("too short"))?;
    Ok((u16::from_be_bytes(*number), rest))
}

fn request(bytes: &[u8]) -> Result<Request, DecodeError> {
    let mut strings = strings(bytes)?;
    let mut next = || strings.next().ok_or(DecodeError::codec("a request without file and mode"));
    let (file, mode) = (next()?.to_owned(), next()?.to_ascii_lowercase());
    Ok(Request { file, mode, options: options(&mut strings)? })
}

/// The strings, each of which ends with a NUL.
fn strings(bytes: &[u8]) -> Result<std::str::Split<'_, char>, DecodeError> {
    let text = match bytes {
        [] => return Ok("".split('\0')),
        [text @ .., 0] => text,
        _ => return Err(DecodeError::codec("a string without its NUL")),
    };
    Ok(str::from_utf8(text).map_err(|_| DecodeError::codec("not UTF-8"))?.split('\0'))
}

fn options<'a>(
    strings: &mut impl Iterator<Item = &'a str>,
) -> Result<Vec<(String, String)>, DecodeError> {
    let mut options = Vec::new();
    while let Some(name) = strings.next() {
        let value = strings.next().ok_or(DecodeError::codec("an option without a value"))?;
        options.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(options)
}

fn put_string(text: &str, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
    if text.contains('\0') {
        return Err(EncodeError::codec("a NUL inside a string"));
    }
    datagram.extend(text.as_bytes());
    datagram.push(0);
    Ok(())
}
