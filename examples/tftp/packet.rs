//! The packets of TFTP (RFC 1350) with options (RFC 2347) as a protocol: one datagram is one packet.

use datagrammar::{DatagramProtocol, DecodeError, EncodeError};

/// A packet. `Ack` has the number of a block, and `OptionAck` the options that the server accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Read(Request),
    Write(Request),
    Data { block: u16, bytes: Vec<u8> },
    Ack(u16),
    Error { code: u16, message: String },
    OptionAck(Vec<[String; 2]>),
}

/// A request to read or write a file. The mode is in lower case, and so are the options: names and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) file: String,
    pub(crate) mode: String,
    pub(crate) options: Vec<[String; 2]>,
}

pub(crate) struct Tftp;

impl DatagramProtocol for Tftp {
    type Incoming = Packet;
    type Outgoing = Packet;

    /// The first two bytes say which packet it is.
    fn decode(&self, datagram: &[u8]) -> Result<Packet, DecodeError> {
        Ok(match *datagram {
            [0, 1, ref body @ ..] => Packet::Read(request(body)?),
            [0, 2, ref body @ ..] => Packet::Write(request(body)?),
            [0, 3, b0, b1, ref bytes @ ..] => {
                Packet::Data { block: u16::from_be_bytes([b0, b1]), bytes: bytes.to_vec() }
            }
            [0, 4, b0, b1] => Packet::Ack(u16::from_be_bytes([b0, b1])),
            [0, 4, _, _, ..] => return Err(DecodeError::codec("bytes after an ACK")),
            [0, 5, c0, c1, ref text @ ..] => {
                // Some clients leave out the NUL at the end.
                let text = text.strip_suffix(b"\0").unwrap_or(text);
                let message = String::from_utf8_lossy(text).into_owned();
                Packet::Error { code: u16::from_be_bytes([c0, c1]), message }
            }
            [0, 6, ref body @ ..] => Packet::OptionAck(pairs(body)?),
            [] | [_] | [0, 3..=5, ..] => return Err(DecodeError::codec("too short")),
            _ => return Err(DecodeError::codec("unknown opcode")),
        })
    }

    fn encode(&self, packet: &Packet, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (numbers, strings): (&[u16], Vec<String>) = match packet {
            Packet::Read(request) => (&[1], strings(request)),
            Packet::Write(request) => (&[2], strings(request)),
            Packet::Data { block, .. } => (&[3, *block], vec![]),
            Packet::Ack(block) => (&[4, *block], vec![]),
            Packet::Error { code, message } => (&[5, *code], vec![message.clone()]),
            Packet::OptionAck(options) => (&[6], options.concat()),
        };
        datagram.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        for text in strings {
            if text.contains('\0') {
                return Err(EncodeError::codec("a NUL inside a string"));
            }
            datagram.extend(text.as_bytes());
            datagram.push(0);
        }
        if let Packet::Data { bytes, .. } = packet {
            datagram.extend(bytes);
        }
        Ok(())
    }
}

fn strings(Request { file, mode, options }: &Request) -> Vec<String> {
    [&[file.clone(), mode.clone()], options.as_flattened()].concat()
}

fn request(bytes: &[u8]) -> Result<Request, DecodeError> {
    let mut pairs = pairs(bytes)?.into_iter();
    let [file, mode] = pairs.next().ok_or(DecodeError::codec("a request without file and mode"))?;
    let options = pairs.map(|option| option.map(|text| text.to_ascii_lowercase())).collect();
    Ok(Request { file, mode: mode.to_ascii_lowercase(), options })
}

/// File and mode, or the names and values of options. A NUL ends each string.
fn pairs(bytes: &[u8]) -> Result<Vec<[String; 2]>, DecodeError> {
    let text = str::from_utf8(bytes).map_err(|_| DecodeError::codec("not UTF-8"))?;
    let strings: Vec<_> = text.split_terminator('\0').map(str::to_owned).collect();
    match strings.as_chunks() {
        (pairs, []) if text.is_empty() || text.ends_with('\0') => Ok(pairs.to_vec()),
        _ => Err(DecodeError::codec("a string or its NUL is missing")),
    }
}
