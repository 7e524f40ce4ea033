//! The collector of log messages, and the messages that it understands.

#[path = "../../../syslog/message.rs"]
mod message;
#[path = "../../../syslog/protocol.rs"]
mod protocol;
#[path = "../../../syslog/rfc3164.rs"]
mod rfc3164;
#[path = "../../../syslog/rfc5424.rs"]
mod rfc5424;
#[path = "../../../syslog/timestamp.rs"]
mod timestamp;

mod bsd;
mod hostile;
mod ietf;
mod program;

use datagrammar::DatagramProtocol;
use protocol::Syslog;
use serde_json::{Value, json};

/// The message as the collector prints it, without the fields that are null or empty.
fn decoded(datagram: impl AsRef<[u8]>) -> Value {
    let message = Syslog.decode(datagram.as_ref()).unwrap();
    let mut json = serde_json::to_value(message).unwrap();
    json.as_object_mut().unwrap().retain(|_, value| !value.is_null() && *value != json!([]));
    json
}

/// What the collector says about a datagram that it refuses.
fn refused(datagram: impl AsRef<[u8]>) -> String {
    Syslog.decode(datagram.as_ref()).unwrap_err().to_string()
}
