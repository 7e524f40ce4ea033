//! A log message, with the fields of RFC 5424.

use serde::Serialize;

use super::timestamp::Timestamp;

/// A field that the sender left out, or wrote as `-`, is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    pub(crate) facility: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) hostname: Option<String>,
    pub(crate) app_name: Option<String>,
    pub(crate) proc_id: Option<String>,
    pub(crate) msg_id: Option<String>,
    #[serde(rename = "structured_data")]
    pub(crate) data: Vec<Element>,
    /// Bytes that are not UTF-8 became U+FFFD.
    pub(crate) text: String,
}

/// `[id name="value" ...]` in RFC 5424. A name may occur several times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Element {
    pub(crate) id: String,
    pub(crate) params: Vec<(String, String)>,
}

/// The meaning of the number in front of a message: the part of the system that it is about, and how severe
/// it is.
pub(crate) type Priority = (&'static str, &'static str);

/// The priority of a message that has none.
pub(crate) const USER_NOTICE: Priority = (FACILITIES[1], SEVERITIES[5]);

/// Splits a number from 0 to 191.
pub(crate) fn priority(number: u8) -> Option<Priority> {
    let facility = FACILITIES.get(usize::from(number >> 3))?;
    Some((facility, SEVERITIES[usize::from(number & 0b111)]))
}

/// The names that `logger` and syslog.conf use; those from 12 to 15 differ between systems.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "security", "console", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

const SEVERITIES: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
