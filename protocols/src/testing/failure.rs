//! The message of a failed check.

use std::{any::Any, error::Error, fmt};

/// A rule that was not kept.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(rule: &str, origin: Origin, what: impl fmt::Display) -> Self {
        Self(format!("{rule}: {origin} {what}"))
    }

    pub(super) fn without_packets() -> Self {
        Self("there is no packet to check".to_owned())
    }

    /// Adds the bytes that the failure is about.
    pub(super) fn with(self, bytes: &[u8]) -> Self {
        let (text, len, hex) = (self.0, bytes.len(), Hex(bytes));
        Self(format!("{text}\n{len} bytes: {hex}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origin of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Given,
    Packet(usize),
    Cut { packet: usize, len: usize },
    Followed(usize),
    Twice(usize),
    Altered(usize),
    Mixed,
    Random,
    Repeated,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => write!(f, "this one"),
            Self::Packet(packet) => write!(f, "packet {packet}"),
            Self::Cut { packet, len } => write!(f, "packet {packet} cut to {len} bytes"),
            Self::Followed(packet) => write!(f, "packet {packet} and one byte"),
            Self::Twice(packet) => write!(f, "packet {packet} twice"),
            Self::Altered(packet) => write!(f, "packet {packet} with bytes altered"),
            Self::Mixed => write!(f, "packets mixed at random"),
            Self::Random => write!(f, "random bytes"),
            Self::Repeated => write!(f, "one byte repeated"),
        }
    }
}

/// An error and all of its sources.
pub(super) struct Chain<'e>(pub(super) &'e dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Returns the message of a panic.
pub(super) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

/// Bytes in hexadecimal, in groups of four. Shows the first ones only if there are many.
struct Hex<'o>(&'o [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().take(SHOWN).enumerate() {
            let space = if at > 0 && at % 4 == 0 { " " } else { "" };
            write!(f, "{space}{byte:02x}")?;
        }
        if self.0.len() > SHOWN {
            write!(f, " …")?;
        }
        Ok(())
    }
}

const SHOWN: usize = 512; // bytes: what a person can still look through
