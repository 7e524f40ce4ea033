//! CoAP messages (RFC 7252, section 3) as a protocol, and which response belongs to which request.

use datagrammar::{Correlated, DatagramProtocol, DecodeError, EncodeError};

/// The types of messages: confirmable, non-confirmable, acknowledgment and reset.
pub(crate) const CON: u8 = 0;
pub(crate) const NON: u8 = 1;
pub(crate) const ACK: u8 = 2;
pub(crate) const RST: u8 = 3;

/// The numbers of options. Odd ones are critical: a server that does not know them refuses the request.
pub(crate) const ETAG: u16 = 4;
pub(crate) const OBSERVE: u16 = 6;
pub(crate) const URI_PATH: u16 = 11;
pub(crate) const CONTENT_FORMAT: u16 = 12;
pub(crate) const BLOCK2: u16 = 23;
pub(crate) const BLOCK1: u16 = 27;

/// A code of a class and a detail: "4.04 Not Found" is `code(4, 4)`.
pub(crate) const fn code(class: u8, detail: u8) -> u8 {
    class << 5 | detail
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    /// 0 if the message is empty.
    pub(crate) code: u8,
    pub(crate) id: u16,
    pub(crate) token: Vec<u8>,
    /// Numbers and values, in ascending order.
    pub(crate) options: Vec<(u16, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

impl Message {
    pub(crate) fn new(kind: u8, code: u8, id: u16, token: &[u8]) -> Self {
        Self { kind, code, id, token: token.into(), options: vec![], payload: vec![] }
    }

    /// Appends an option whose value is a number. It takes as few bytes as possible.
    pub(crate) fn add(&mut self, option: u16, value: u32) {
        let zeros = value.leading_zeros() as usize / 8;
        self.options.push((option, value.to_be_bytes()[zeros..].to_vec()));
    }

    /// The value of an option that is a number.
    pub(crate) fn number(&self, option: u16) -> Option<u32> {
        let (_, bytes) = self.options.iter().find(|(other, _)| *other == option)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }
}

pub(crate) struct Coap;

impl DatagramProtocol for Coap {
    type Incoming = Message;
    type Outgoing = Message;

    fn decode(&self, datagram: &[u8]) -> Result<Message, DecodeError> {
        decode(datagram).ok_or(DecodeError::codec("malformed message"))
    }

    fn encode(&self, message: &Message, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let problem = "a token or an option is too long, or the options are not in order";
        encode(message, datagram).ok_or_else(|| EncodeError::codec(problem))
    }
}

fn decode(datagram: &[u8]) -> Option<Message> {
    let (&[head, code, a, b], rest) = datagram.split_first_chunk()?;
    let (token, mut rest) = rest.split_at_checked(usize::from(head & 15))?;
    let is_valid = head >> 6 == 1 && token.len() <= 8 && (code != 0 || datagram.len() == 4);
    let mut message = Message::new(head >> 4 & 3, code, u16::from_be_bytes([a, b]), token);
    let mut number = 0_u16;
    while let [first, after @ ..] = rest {
        if *first == 0xff {
            message.payload = after.to_vec();
            return Some(message).filter(|_| is_valid && !after.is_empty());
        }
        let (delta, after) = read(first >> 4, after)?;
        let (len, after) = read(first & 15, after)?;
        let (value, after) = after.split_at_checked(len.into())?;
        number = number.checked_add(delta)?;
        message.options.push((number, value.to_vec()));
        rest = after;
    }
    Some(message).filter(|_| is_valid)
}

/// Reads a number from 4 bits, and from up to two bytes after them if it is larger than 12.
fn read(bits: u8, rest: &[u8]) -> Option<(u16, &[u8])> {
    match (bits, rest) {
        (0..=12, _) => Some((bits.into(), rest)),
        (13, [a, rest @ ..]) => Some((13 + u16::from(*a), rest)),
        (14, [a, b, rest @ ..]) => Some((u16::from_be_bytes([*a, *b]).checked_add(269)?, rest)),
        _ => None,
    }
}

fn encode(message: &Message, datagram: &mut Vec<u8>) -> Option<()> {
    (message.token.len() <= 8).then_some(())?;
    datagram.extend([0x40 | message.kind << 4 | message.token.len() as u8, message.code]);
    datagram.extend(message.id.to_be_bytes());
    datagram.extend(&message.token);
    let mut last = 0;
    for (number, value) in &message.options {
        let (delta, after_delta) = written(number.checked_sub(last)?);
        let (len, after_len) = written(value.len().try_into().ok()?);
        datagram.push(delta << 4 | len);
        datagram.extend([&after_delta, &after_len, value].into_iter().flatten());
        last = *number;
    }
    if !message.payload.is_empty() {
        datagram.push(0xff);
        datagram.extend(&message.payload);
    }
    Some(())
}

/// The reverse of `read`.
fn written(number: u16) -> (u8, Vec<u8>) {
    match number {
        0..=12 => (number as u8, vec![]),
        13..=268 => (13, vec![(number - 13) as u8]),
        _ => (14, (number - 269).to_be_bytes().to_vec()),
    }
}

impl Correlated for Coap {
    fn max_id(&self) -> u64 {
        u16::MAX.into()
    }

    fn id(&self, datagram: &[u8]) -> Option<u64> {
        exchange(datagram).map(u64::from)
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        request[2..4].copy_from_slice(&(id as u16).to_be_bytes());
    }

    fn is_answer(&self, request: &[u8], datagram: &[u8]) -> bool {
        kind(datagram) == RST || kind(datagram) == ACK && token(datagram) == token(request)
    }
}

/// The message ID of a request or ping, and of a message that answers it: a response in an acknowledgment, or a reset. A
/// reset does not always refuse something, since it also answers a ping. All other messages belong to no request.
fn exchange(datagram: &[u8]) -> Option<u16> {
    let [_, code, a, b] = *datagram.first_chunk()?;
    let is_part = match kind(datagram) {
        ACK => code > 0,
        RST => true,
        // A request or a ping. A notification has a number that this server has counted.
        _ => code < 0x20,
    };
    is_part.then(|| u16::from_be_bytes([a, b]))
}

fn kind(datagram: &[u8]) -> u8 {
    datagram[0] >> 4 & 3
}

fn token(datagram: &[u8]) -> Option<&[u8]> {
    datagram.get(4..)?.get(..usize::from(datagram[0] & 15))
}
