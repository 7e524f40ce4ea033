//! RADIUS packets (RFC 2865, section 3): a code, an id, an authenticator, and attributes.

use datagrammar::{DecodeError, EncodeError};

/// The codes of packets.
pub(crate) const ACCESS_REQUEST: u8 = 1;
pub(crate) const ACCESS_ACCEPT: u8 = 2;
pub(crate) const ACCESS_REJECT: u8 = 3;
pub(crate) const ACCOUNTING_REQUEST: u8 = 4;
pub(crate) const ACCOUNTING_RESPONSE: u8 = 5;

/// The types of attributes that this program uses.
pub(crate) const USER_NAME: u8 = 1;
pub(crate) const USER_PASSWORD: u8 = 2;
pub(crate) const REPLY_MESSAGE: u8 = 18;
pub(crate) const ACCT_STATUS_TYPE: u8 = 40;
pub(crate) const ACCT_SESSION_ID: u8 = 44;
pub(crate) const MESSAGE_AUTHENTICATOR: u8 = 80;

/// The length of the head: code, id, length and authenticator.
pub(crate) const HEAD: usize = 20;

/// A packet. A password in it is readable; on the wire it is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) code: u8,
    pub(crate) id: u8,
    /// Of a response: the authenticator of its request.
    pub(crate) authenticator: [u8; 16],
    pub(crate) attributes: Vec<(u8, Vec<u8>)>,
}

impl Packet {
    /// Makes a request. The protocol sets the authenticator, and a request client sets the id.
    pub(crate) fn request(code: u8) -> Self {
        Self { code, id: 0, authenticator: [0; 16], attributes: Vec::new() }
    }

    /// Makes the response to this request.
    pub(crate) fn respond(&self, code: u8) -> Self {
        Self { code, attributes: Vec::new(), ..*self }
    }

    pub(crate) fn with(mut self, kind: u8, value: impl Into<Vec<u8>>) -> Self {
        self.attributes.push((kind, value.into()));
        self
    }

    /// The value of the first attribute of this type.
    pub(crate) fn get(&self, kind: u8) -> Option<&[u8]> {
        self.attributes.iter().find(|(other, _)| *other == kind).map(|(_, value)| &value[..])
    }

    /// The same as text. Bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn text(&self, kind: u8) -> Option<String> {
        self.get(kind).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub(crate) fn is_request(&self) -> bool {
        matches!(self.code, ACCESS_REQUEST | ACCOUNTING_REQUEST)
    }

    /// Reads a packet as it is on the wire. Bytes after its length are padding.
    pub(crate) fn read(datagram: &[u8]) -> Result<Self, DecodeError> {
        let cut = || DecodeError::codec("an attribute is cut");
        let too_short = || DecodeError::codec("shorter than 20 bytes or than its length");
        let head = datagram.first_chunk::<HEAD>().ok_or_else(too_short)?;
        let [code, id, l0, l1, authenticator @ ..] = *head;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let mut rest = datagram.get(HEAD..len).ok_or_else(too_short)?;
        let mut attributes = Vec::new();
        while let [kind, len, ..] = *rest {
            let value = rest.get(2..len.into()).ok_or_else(cut)?;
            attributes.push((kind, value.to_vec()));
            rest = &rest[len.into()..];
        }
        if !rest.is_empty() {
            return Err(cut());
        }
        Ok(Self { code, id, authenticator, attributes })
    }

    /// Writes the packet as it is on the wire.
    pub(crate) fn write(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = vec![self.code, self.id, 0, 0];
        bytes.extend(self.authenticator);
        for (kind, value) in &self.attributes {
            let len = u8::try_from(value.len() + 2)
                .map_err(|_| EncodeError::codec("an attribute is longer than 253 bytes"))?;
            bytes.extend([*kind, len]);
            bytes.extend(value);
        }
        let len = u16::try_from(bytes.len()).ok().filter(|len| *len <= 4_096);
        let len = len.ok_or_else(|| EncodeError::codec("longer than 4096 bytes"))?;
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
        Ok(bytes)
    }
}
