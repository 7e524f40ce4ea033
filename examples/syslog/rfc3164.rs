//! RFC 3164 describes what senders did in 2001. What follows `<34>` looks like this, and each part may
//! be missing:
//!
//! ```text
//! Oct 11 22:14:15 host app[123]: text
//! ```

use super::{
    message::{Message, Priority},
    timestamp::Timestamp,
};

/// Whatever is not recognized is text, so this never fails.
pub(crate) fn decode((facility, severity): Priority, content: &str) -> Message {
    let (timestamp, rest) = timestamp(content).unzip();
    let (hostname, rest) = match rest {
        None => (None, content), // who writes no time does not write the host name either
        Some(rest) => hostname(rest).map_or((None, rest), |(name, rest)| (Some(name), rest)),
    };
    let (app_name, proc_id, text) = tag(rest).unwrap_or((None, None, rest));
    Message {
        facility,
        severity,
        timestamp,
        hostname: hostname.map(str::to_owned),
        app_name: app_name.map(str::to_owned),
        proc_id: proc_id.map(str::to_owned),
        msg_id: None,
        data: Vec::new(),
        text: text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
    }
}

/// Newer senders write the timestamp as in RFC 5424.
fn timestamp(content: &str) -> Option<(Timestamp, &str)> {
    let (word, rest) = content.split_once(' ').unwrap_or((content, ""));
    let newer = Timestamp::rfc5424(word).map(|timestamp| (timestamp, rest));
    newer.or_else(|| Timestamp::rfc3164(content))
}

/// On a local socket, senders leave the host name out, and the next word is the tag.
fn hostname(content: &str) -> Option<(&str, &str)> {
    let allowed = |c: char| c.is_alphanumeric() || "-._:".contains(c);
    content
        .split_once(' ')
        .filter(|(word, _)| !word.is_empty() && !word.ends_with(':') && word.chars().all(allowed))
}

/// Splits `app[123]: ` or `app: ` from the text that follows.
fn tag(content: &str) -> Option<(Option<&str>, Option<&str>, &str)> {
    let in_name = |c: char| c.is_alphanumeric() || "-_./%@()".contains(c);
    let (name, rest) = content.split_at(content.find(|c| !in_name(c)).filter(|&at| at > 0)?);
    let (proc_id, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(id, rest)| (Some(id), rest))?,
        None => (None, rest.starts_with(':').then_some(rest)?),
    };
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    // Without a space this is something else, such as `http://`.
    let text = if rest.is_empty() { rest } else { rest.strip_prefix(' ')? };
    Some((Some(name), proc_id, text))
}
