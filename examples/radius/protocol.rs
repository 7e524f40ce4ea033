//! RADIUS as a protocol: who knows the secret, and which response belongs to which request.

use datagrammar::{Correlated, DatagramProtocol, DecodeError, EncodeError};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

use super::packet::{
    ACCESS_REQUEST, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, HEAD, MESSAGE_AUTHENTICATOR, Packet,
    USER_PASSWORD,
};

/// The protocol of clients and servers that share a secret.
pub(crate) struct Radius {
    secret: Vec<u8>,
}

impl Radius {
    pub(crate) fn new(secret: &str) -> Self {
        Self { secret: secret.into() }
    }

    /// Fills in the Message-Authenticator (RFC 3579, section 3.2), and returns whether it was right before.
    /// The authenticator in `packet` is that of the request.
    fn sign(&self, packet: &mut [u8]) -> Option<bool> {
        let at = message_authenticator(packet)?;
        let before = std::mem::take(packet[at..].first_chunk_mut::<16>()?);
        let mut mac = Hmac::<Md5>::new_from_slice(&self.secret).ok()?;
        mac.update(packet);
        let valid = mac.clone().verify_slice(&before).is_ok();
        packet[at..][..16].copy_from_slice(&mac.finalize().into_bytes());
        Some(valid)
    }

    /// The authenticator of a response or of an accounting request: a hash of the packet and of
    /// the secret, with the authenticator of the request or zeros in its place.
    fn authenticator(&self, packet: &[u8], of_request: &[u8; 16]) -> [u8; 16] {
        let md5 = Md5::new_with_prefix(&packet[..4]).chain_update(of_request);
        md5.chain_update(&packet[HEAD..]).chain_update(&self.secret).finalize().into()
    }

    /// Sets the id of a whole request, and its authenticators.
    fn sign_request(&self, id: u8, request: &mut [u8]) {
        request[1] = id;
        if request[0] == ACCOUNTING_REQUEST {
            let authenticator = self.authenticator(request, &[0; 16]);
            request[4..HEAD].copy_from_slice(&authenticator);
        } else {
            self.sign(request);
        }
    }

    /// Hides or reveals a password (RFC 2865, section 5.2). Each block is mixed with a hash of the secret and of the
    /// hidden block before it.
    fn mix_password(&self, password: &[u8], authenticator: &[u8; 16], hide: bool) -> Vec<u8> {
        let (mut mixed, mut before) = (Vec::new(), authenticator.to_vec());
        for block in password.chunks(16) {
            let hash = Md5::new_with_prefix(&self.secret).chain_update(&before).finalize();
            let block: Vec<u8> =
                (0..16).map(|n| block.get(n).copied().unwrap_or(0) ^ hash[n]).collect();
            before = if hide { block.clone() } else { password[mixed.len()..][..16].to_vec() };
            mixed.extend(block);
        }
        mixed
    }
}

/// Where the value of the Message-Authenticator is in a packet, if there is a whole one.
fn message_authenticator(packet: &[u8]) -> Option<usize> {
    let mut at = HEAD;
    while let [kind, len, ..] = packet.get(at..)? {
        if *kind == MESSAGE_AUTHENTICATOR && *len == 18 && at + 18 <= packet.len() {
            return Some(at + 2);
        }
        at += usize::from(*len).max(2);
    }
    None
}

impl DatagramProtocol for Radius {
    type Incoming = Packet;
    type Outgoing = Packet;

    /// Requests without a valid authenticator are refused. Responses are checked by `is_answer`.
    fn decode(&self, datagram: &[u8]) -> Result<Packet, DecodeError> {
        let mut packet = Packet::read(datagram)?;
        let len = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
        let mut bytes = datagram[..len].to_vec();
        let wrong = DecodeError::layer("wrong authenticator");
        match packet.code {
            ACCOUNTING_REQUEST if self.authenticator(&bytes, &[0; 16]) != packet.authenticator => {
                return Err(wrong);
            }
            // Without this attribute, an attacker on the path could forge responses (CVE-2024-3596).
            ACCESS_REQUEST if self.sign(&mut bytes) != Some(true) => return Err(wrong),
            _ => {}
        }
        for (kind, value) in &mut packet.attributes {
            if *kind == USER_PASSWORD {
                if value.is_empty() || value.len() % 16 != 0 {
                    return Err(DecodeError::codec("a password is not hidden in blocks of 16"));
                }
                *value = self.mix_password(value, &packet.authenticator, false);
                while value.last() == Some(&0) {
                    value.pop();
                }
            }
        }
        Ok(packet)
    }

    fn encode(&self, packet: &Packet, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut packet = packet.clone();
        if packet.code == ACCESS_REQUEST {
            getrandom::fill(&mut packet.authenticator)
                .map_err(|error| EncodeError::codec("no random bytes").with_source(error))?;
        }
        for (kind, value) in &mut packet.attributes {
            if *kind == USER_PASSWORD {
                *value = self.mix_password(value, &packet.authenticator, true);
            }
        }
        let of_accounting = matches!(packet.code, ACCOUNTING_REQUEST | ACCOUNTING_RESPONSE);
        if !of_accounting {
            // As the first attribute, it leaves no room for a forged prefix.
            packet.attributes.insert(0, (MESSAGE_AUTHENTICATOR, vec![0; 16]));
        }
        let mut bytes = packet.write()?;
        if packet.is_request() {
            self.sign_request(packet.id, &mut bytes);
        } else {
            self.sign(&mut bytes);
            let authenticator = self.authenticator(&bytes, &packet.authenticator);
            bytes[4..HEAD].copy_from_slice(&authenticator);
        }
        datagram.extend(bytes);
        Ok(())
    }
}

impl Correlated for Radius {
    fn max_id(&self) -> u64 {
        u8::MAX.into()
    }

    /// Requests have one too: the server's reply cache needs it, and `is_answer` rejects a request that is reflected.
    fn id(&self, datagram: &[u8]) -> Option<u64> {
        datagram.get(1).filter(|_| datagram.len() >= HEAD).copied().map(u64::from)
    }

    fn set_id(&self, id: u64, request: &mut [u8]) {
        // The authenticators cover the id.
        self.sign_request(id as u8, request);
    }

    /// Whether a response has the authenticators that only who knows the secret makes for this request.
    fn is_answer(&self, request: &[u8], response: &[u8]) -> bool {
        let Ok(Packet { authenticator, .. }) = Packet::read(response) else { return false };
        let len = usize::from(u16::from_be_bytes([response[2], response[3]]));
        let mut bytes = response[..len].to_vec();
        bytes[4..HEAD].copy_from_slice(&request[4..HEAD]);
        let valid = request[4..HEAD]
            .first_chunk()
            .is_some_and(|of_request| self.authenticator(&bytes, of_request) == authenticator);
        valid && self.sign(&mut bytes) != Some(false)
    }
}
