//! Messages as the tests read and write them.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

pub(super) const CON: u8 = 0;
pub(super) const NON: u8 = 1;
pub(super) const ACK: u8 = 2;
pub(super) const RST: u8 = 3;
const KINDS: [MessageType; 4] = [
    MessageType::Confirmable,
    MessageType::NonConfirmable,
    MessageType::Acknowledgement,
    MessageType::Reset,
];

pub(super) const ETAG: u16 = 4;
pub(super) const OBSERVE: u16 = 6;
pub(super) const URI_PATH: u16 = 11;
pub(super) const CONTENT_FORMAT: u16 = 12;
pub(super) const BLOCK2: u16 = 23;
pub(super) const BLOCK1: u16 = 27;

/// A code of a class and a detail: "4.04 Not Found" is `code(4, 4)`.
pub(super) const fn code(class: u8, detail: u8) -> u8 {
    class << 5 | detail
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    /// 0 if the message is empty.
    pub(super) code: u8,
    pub(super) id: u16,
    pub(super) token: Vec<u8>,
    /// Numbers and values, in ascending order.
    pub(super) options: Vec<(u16, Vec<u8>)>,
    pub(super) payload: Vec<u8>,
}

impl Message {
    pub(super) fn new(kind: u8, code: u8, id: u16, token: &[u8]) -> Self {
        Self { kind, code, id, token: token.into(), options: vec![], payload: vec![] }
    }

    /// Appends an option whose value is a number. It takes as few bytes as possible.
    pub(super) fn add(&mut self, option: u16, value: u32) {
        let zeros = value.leading_zeros() as usize / 8;
        self.options.push((option, value.to_be_bytes()[zeros..].to_vec()));
    }

    /// The value of an option that is a number.
    pub(super) fn number(&self, option: u16) -> Option<u32> {
        let (_, bytes) = self.options.iter().find(|(other, _)| *other == option)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }
}

impl From<Packet> for Message {
    fn from(packet: Packet) -> Self {
        let kind = KINDS.iter().position(|kind| *kind == packet.header.get_type()).unwrap();
        let options = packet.options().flat_map(|(number, values)| {
            values.iter().map(|value| (*number, value.clone())).collect::<Vec<_>>()
        });
        Self {
            kind: kind as u8,
            code: packet.header.code.into(),
            id: packet.header.message_id,
            token: packet.get_token().to_vec(),
            options: options.collect(),
            payload: packet.payload,
        }
    }
}

impl From<&Message> for Packet {
    fn from(message: &Message) -> Self {
        let mut packet = Self::new();
        packet.header.set_type(KINDS[usize::from(message.kind)]);
        packet.header.code = MessageClass::from(message.code);
        packet.header.message_id = message.id;
        packet.set_token(message.token.clone());
        for (number, value) in &message.options {
            packet.add_option(CoapOption::from(*number), value.clone());
        }
        packet.payload.clone_from(&message.payload);
        packet
    }
}
