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

/// RFC 1350, appendix. Codes that this server does not send are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCode(pub(crate) u16);

impl ErrorCode {
    pub(crate) const UNDEFINED: Self = Self(0);
    pub(crate) const NOT_FOUND: Self = Self(1);
    pub(crate) const ACCESS_VIOLATION: Self = Self(2);
    pub(crate) const DISK_FULL: Self = Self(3);
    pub(crate) const ILLEGAL: Self = Self(4);
    pub(crate) const EXISTS: Self = Self(6);
}

pub(crate) struct Tftp;

impl DatagramProtocol for Tftp {
    type Incoming = Packet;
    type Outgoing = Packet;

    fn decode(&self, datagram: &[u8]) -> Result<Packet, DecodeError> {
        let (opcode, body) = number(datagram)?;
        Ok(match opcode {
            1 => Packet::Read(request(body)?),
            2 => Packet::Write(request(body)?),
            3 => {
                let (block, bytes) = number(body)?;
                Packet::Data { block, bytes: bytes.to_vec() }
            }
            4 => match number(body)? {
                (block, []) => Packet::Ack(block),
                _ => return Err(DecodeError::codec("bytes after an ACK")),
            },
            5 => {
                let (code, text) = number(body)?;
                // Some clients leave out the NUL at the end.
                let message = String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(text));
                Packet::Error { code: ErrorCode(code), message: message.into_owned() }
            }
            6 => Packet::OptionAck(options(strings(body)?)?),
            _ => return Err(DecodeError::codec("unknown opcode")),
        })
    }

    fn encode(&self, packet: &Packet, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        match packet {
            Packet::Read(request) => put_request(1, request, datagram),
            Packet::Write(request) => put_request(2, request, datagram),
            Packet::Data { block, bytes } => {
                put_numbers([3, *block], datagram);
                datagram.extend(bytes);
                Ok(())
            }
            Packet::Ack(block) => {
                put_numbers([4, *block], datagram);
                Ok(())
            }
            Packet::Error { code, message } => {
                put_numbers([5, code.0], datagram);
                put_strings([message], datagram)
            }
            Packet::OptionAck(options) => {
                put_numbers([6], datagram);
                put_strings(options.iter().flat_map(|(name, value)| [name, value]), datagram)
            }
        }
    }
}

/// Splits two bytes off.
fn number(bytes: &[u8]) -> Result<(u16, &[u8]), DecodeError> {
    let (number, rest) = bytes.split_first_chunk().ok_or(DecodeError::codec("too short"))?;
    Ok((u16::from_be_bytes(*number), rest))
}

/// The strings, each of which ends with a NUL.
fn strings(bytes: &[u8]) -> Result<impl Iterator<Item = &str>, DecodeError> {
    let text = str::from_utf8(bytes).map_err(|_| DecodeError::codec("not UTF-8"))?;
    if !text.is_empty() && !text.ends_with('\0') {
        return Err(DecodeError::codec("a string without its NUL"));
    }
    Ok(text.split_terminator('\0'))
}

fn request(bytes: &[u8]) -> Result<Request, DecodeError> {
    let mut strings = strings(bytes)?;
    let (Some(file), Some(mode)) = (strings.next(), strings.next()) else {
        return Err(DecodeError::codec("a request without file and mode"));
    };
    let (file, mode) = (file.to_owned(), mode.to_ascii_lowercase());
    Ok(Request { file, mode, options: options(strings)? })
}

fn options<'a>(
    mut strings: impl Iterator<Item = &'a str>,
) -> Result<Vec<(String, String)>, DecodeError> {
    let mut options = Vec::new();
    while let Some(name) = strings.next() {
        let value = strings.next().ok_or(DecodeError::codec("an option without a value"))?;
        options.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(options)
}

fn put_request(
    opcode: u16,
    Request { file, mode, options }: &Request,
    datagram: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    put_numbers([opcode], datagram);
    put_strings([file, mode], datagram)?;
    put_strings(options.iter().flat_map(|(name, value)| [name, value]), datagram)
}

fn put_numbers<const N: usize>(numbers: [u16; N], datagram: &mut Vec<u8>) {
    datagram.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
}

fn put_strings<'a>(
    strings: impl IntoIterator<Item = &'a String>,
    datagram: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    for text in strings {
        if text.contains('\0') {
            return Err(EncodeError::codec("a NUL inside a string"));
        }
        datagram.extend(text.as_bytes());
        datagram.push(0);
    }
    Ok(())
}
