//! Syslog as a protocol: one datagram is one message.

use std::convert::Infallible;

use datagrammar::{DatagramProtocol, DecodeError, EncodeError};

use super::{
    message::{Message, Priority, USER_NOTICE, priority},
    rfc3164, rfc5424,
};

/// Receives both formats. A collector does not send.
pub(crate) struct Syslog;

impl DatagramProtocol for Syslog {
    type Incoming = Message;
    type Outgoing = Infallible;

    fn decode(&self, datagram: &[u8]) -> Result<Message, DecodeError> {
        let text = String::from_utf8_lossy(datagram);
        // Some senders end a message with a NUL, a line feed, or both.
        let text = text.strip_suffix('\0').unwrap_or(&text).trim_end_matches(['\r', '\n']);
        let Some(rest) = text.strip_prefix('<') else {
            // RFC 3164, section 4.3.3, takes everything without a priority for the text of a message.
            // This takes one line of text, and refuses the binary datagrams of other protocols.
            let is_line = !text.is_empty() && !text.contains(|c: char| c.is_control() && c != '\t');
            return if is_line && str::from_utf8(datagram).is_ok() {
                Ok(rfc3164::decode(USER_NOTICE, text))
            } else {
                Err(DecodeError::codec("no priority, and not a line of text"))
            };
        };
        let (priority, rest) =
            split_priority(rest).ok_or(DecodeError::codec("priority is not <0> to <191>"))?;
        match rest.strip_prefix("1 ") {
            Some(header) => rfc5424::decode(priority, header),
            None => Ok(rfc3164::decode(priority, rest)),
        }
    }

    fn encode(&self, packet: &Infallible, _datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        match *packet {}
    }
}

/// Splits `34>rest`.
fn split_priority(text: &str) -> Option<(Priority, &str)> {
    let (number, rest) = text.split_once('>')?;
    let digits = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    Some((priority(number.parse().ok().filter(|_| digits)?)?, rest))
}
