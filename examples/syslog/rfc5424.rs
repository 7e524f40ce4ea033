//! RFC 5424: what follows `<34>1 ` is five fields, structured data and text.
//!
//! ```text
//! 2003-10-11T22:14:15.003Z host app 123 ID47 [id name="value"] text
//! ```

use datagrammar::DecodeError;

use super::{
    message::{Element, Message, Priority},
    timestamp::Timestamp,
};

/// Fields that are missing at the end are taken for `-`, since some senders leave them out.
pub(crate) fn decode(priority: Priority, header: &str) -> Result<Message, DecodeError> {
    let mut rest = header;
    let [timestamp, hostname, app_name, proc_id, msg_id] = [(); 5].map(|()| {
        let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after;
        (!matches!(field, "" | "-")).then(|| field.to_owned())
    });
    let timestamp = timestamp.map(|text| {
        Timestamp::rfc5424(&text).ok_or_else(|| DecodeError::codec("invalid timestamp (RFC 5424)"))
    });
    let (data, text) = structured_data(rest)
        .ok_or_else(|| DecodeError::codec("invalid structured data (RFC 5424)"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
    let (facility, severity) = priority;
    let timestamp = timestamp.transpose()?;
    Ok(Message { facility, severity, timestamp, hostname, app_name, proc_id, msg_id, data, text })
}

/// Splits `-` or the elements from the text that follows.
fn structured_data(text: &str) -> Option<(Vec<Element>, &str)> {
    let (mut elements, mut rest) = (Vec::new(), text);
    while let Some(after) = rest.strip_prefix('[') {
        let (element, after) = element(after)?;
        elements.push(element);
        rest = after;
    }
    if elements.is_empty() && !rest.is_empty() {
        rest = rest.strip_prefix('-')?;
    }
    let text = if rest.is_empty() { rest } else { rest.strip_prefix(' ')? };
    Some((elements, text))
}

/// Splits `id name="value" ...]` from what follows.
fn element(text: &str) -> Option<(Element, &str)> {
    let (id, mut rest) = text.split_at(text.find([' ', ']'])?);
    let mut params = Vec::new();
    while let Some(param) = rest.strip_prefix(' ') {
        let (name, quoted) = param.split_once("=\"")?;
        let (value, after) = value(quoted)?;
        params.push((name.to_owned(), value));
        rest = after;
    }
    let is_name = |name: &str| !name.is_empty() && !name.contains([' ', '=', ']', '"']);
    let valid = is_name(id) && params.iter().all(|(name, _)| is_name(name));
    let rest = rest.strip_prefix(']').filter(|_| valid)?;
    Some((Element { id: id.to_owned(), params }, rest))
}

/// Splits a value from what follows its closing quote. Only `\"`, `\\` and `\]` are escapes.
fn value(quoted: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), quoted.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' if chars.as_str().starts_with(['"', '\\', ']']) => value.extend(chars.next()),
            c => value.push(c),
        }
    }
}
