//! Timestamps of both formats.

use std::ops::RangeInclusive;

use serde::Serialize;

/// A valid timestamp, as the sender wrote it. RFC 3164 leaves out the year and the offset from UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Timestamp(String);

impl Timestamp {
    /// Accepts `2003-10-11T22:14:15.003Z` (RFC 5424, section 6.2.3).
    pub(crate) fn rfc5424(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let [year, month, day] = split(date, '-')?;
        let (time, offset) = time.split_at(time.find(['Z', '+', '-'])?);
        let valid = is_number(year, 4, 0..=9999)
            && is_number(month, 2, 1..=12)
            && is_number(day, 2, 1..=31)
            && is_time(time)
            && (offset == "Z" || offset.strip_prefix(['+', '-']).is_some_and(is_minute));
        valid.then(|| Self(text.to_owned()))
    }

    /// Splits `Oct 11 22:14:15` (RFC 3164, section 4.1.2) from what follows it.
    pub(crate) fn rfc3164(text: &str) -> Option<(Self, &str)> {
        let (month, rest) = text.split_once(' ')?;
        // The RFC pads a day with a space; some senders pad with a zero, or not at all.
        let (day, rest) = rest.strip_prefix(' ').unwrap_or(rest).split_once(' ')?;
        let (time, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let timestamp = text.strip_suffix(rest)?.trim_end();
        let valid = MONTHS.contains(&month)
            && (is_number(day, 2, 1..=31) || is_number(day, 1, 1..=9))
            && is_time(time);
        valid.then(|| (Self(timestamp.to_owned()), rest))
    }
}

/// Whether this is `22:14:15`, with or without up to 6 digits of a second.
fn is_time(text: &str) -> bool {
    let (minute, second) = text.rsplit_once(':').unwrap_or_default();
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    is_minute(minute)
        && is_number(second, 2, 0..=59)
        && (1..=6).any(|len| is_number(fraction, len, 0..=999_999))
}

fn is_minute(text: &str) -> bool {
    split(text, ':')
        .is_some_and(|[hour, minute]| is_number(hour, 2, 0..=23) && is_number(minute, 2, 0..=59))
}

fn is_number(text: &str, len: usize, range: RangeInclusive<u32>) -> bool {
    let digits = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && text.parse().is_ok_and(|number| range.contains(&number))
}

/// Splits `text` into exactly `N` parts.
fn split<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
