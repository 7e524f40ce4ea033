//! The reader of one JSON text, and its limits.

use std::mem;

use serde::de::{self, Unexpected, Visitor};

use crate::serde_format::{
    beyond::Beyond,
    mismatch::{Mismatch, TOO_DEEP},
};

/// Reads one JSON text within its limits.
pub(super) struct Reader<'de> {
    pub(super) text: &'de str,
    /// The position of the next byte, always at the start of a character.
    pub(super) at: usize,
    /// How many more levels of nesting are allowed.
    levels: usize,
    /// How many more newtypes and `Some` are allowed without a byte between them.
    wrappers: usize,
    /// The last text that had escapes, without them.
    pub(super) unescaped: String,
    pub(super) beyond: Beyond,
    pub(super) zero: MinusZero,
    broken: Option<Broken>,
    /// Whether a list or object was left before its end. The bytes at the position are then the rest
    /// of it, even if they look like something else.
    unfinished: bool,
}

/// How to read `-0` for a type that takes anything: JSON does not distinguish integers from floats.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MinusZero {
    Float,
    /// As a float, and there was one.
    FloatSeen,
    Integer,
}

/// Why a text is not JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Broken {
    Cut,
    Syntax,
}

impl<'de> Reader<'de> {
    pub(super) fn new(text: &'de str, levels: usize, zero: MinusZero) -> Self {
        Self {
            text,
            at: 0,
            levels,
            wrappers: WRAPPERS,
            unescaped: String::new(),
            beyond: Beyond::default(),
            zero,
            broken: None,
            unfinished: false,
        }
    }

    /// Returns why the text is not JSON, also if the type ignored the error.
    pub(super) const fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// Returns the packet if only white space follows and everything was valid JSON.
    #[inline]
    pub(super) fn whole<T>(&mut self, packet: T) -> Result<T, Mismatch> {
        if self.next().is_some() {
            return Err(self.fault("trailing characters after the JSON text"));
        }
        // Also if a type ignored an error.
        match self.broken {
            None if !self.unfinished => Ok(packet),
            _ => Err(Mismatch::new("invalid JSON within the text")),
        }
    }

    /// Returns the line and the column of the position, counted from 1.
    pub(super) fn position(&self) -> (usize, usize) {
        let bytes = &self.text.as_bytes()[..self.at.min(self.text.len())];
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.fold((0, 0), |(line, _), bytes| (line + 1, bytes.len() + 1))
    }

    /// Skips white space, and returns the byte after it.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes this byte if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8, otherwise: &'static str) -> Result<(), Mismatch> {
        if self.next() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(otherwise))
        }
    }

    /// Takes `true`, `false` or `null`.
    #[inline]
    pub(super) fn word(&mut self, word: &'static str) -> Result<(), Mismatch> {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        if word.as_bytes().starts_with(rest) {
            self.at = self.text.len();
        }
        Err(self.fault("missing or invalid value"))
    }

    /// Reads a list or an object, from its bracket on.
    #[inline]
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let Some(levels) = self.levels.checked_sub(1) else {
            return Err(TOO_DEEP);
        };
        self.at += 1;
        self.levels = levels;
        let wrappers = mem::replace(&mut self.wrappers, WRAPPERS);
        let read = read(self);
        self.wrappers = wrappers;
        self.levels += 1;
        self.unfinished |= read.is_err();
        read
    }

    /// Reads a wrapper that takes no bytes of its own.
    #[inline]
    pub(super) fn wrapped<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<T, Mismatch> {
        let Some(wrappers) = self.wrappers.checked_sub(1) else {
            return Err(Mismatch::new("recursion limit (64) reached"));
        };
        self.wrappers = wrappers;
        let read = read(self);
        self.wrappers += 1;
        read
    }

    /// Goes to the next element of a list or object that ends with this byte, if there is one.
    #[inline]
    pub(super) fn one_more(&mut self, first: &mut bool, end: u8) -> Result<bool, Mismatch> {
        match self.next() {
            Some(byte) if byte == end => return Ok(false),
            Some(_) if *first => *first = false,
            Some(b',') => {
                self.at += 1;
                self.next();
            }
            _ => return Err(self.fault("missing comma or end")),
        }
        Ok(true)
    }

    /// Takes the end of a list or object, after the type has read all elements that it needs.
    #[inline]
    pub(super) fn end(&mut self, end: u8) -> Result<(), Mismatch> {
        if self.next() == Some(b',') {
            return Err(Mismatch::new("more elements than the type has"));
        }
        self.take(end, "missing comma or end")
    }

    /// Reads the value within text, from its quotation mark on. The value must be the whole text.
    pub(super) fn within_quotes<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Mismatch>,
    ) -> Result<Option<T>, Mismatch> {
        let start = self.at + 1;
        self.skip_quoted()?;
        let end = mem::replace(&mut self.at, start);
        let broken = self.broken;
        if self.next().is_none() || self.at != start {
            self.at = end;
            return Ok(None);
        }
        let read = read(self);
        // The JSON text is valid up to here, so an error within this name does not make it invalid.
        let is_broken = mem::replace(&mut self.broken, broken) != broken;
        let is_all = self.at + 1 == end;
        self.at = end;
        if is_broken || (read.is_ok() && !is_all) {
            return Ok(None);
        }
        read.map(Some)
    }

    /// Skips a value, and checks only its grammar.
    pub(super) fn skip(&mut self) -> Result<(), Mismatch> {
        match self.next() {
            Some(b'"') => self.skip_quoted(),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b'n') => self.word("null"),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'[') => self.nested(|reader| {
                let mut first = true;
                while reader.one_more(&mut first, b']')? {
                    reader.skip()?;
                }
                reader.end(b']')
            }),
            Some(b'{') => self.nested(|reader| {
                let mut first = true;
                while reader.one_more(&mut first, b'}')? {
                    reader.name()?;
                    reader.skip_quoted()?;
                    reader.take(b':', "missing colon")?;
                    reader.skip()?;
                }
                reader.end(b'}')
            }),
            _ => Err(self.fault("missing or invalid value")),
        }
    }

    /// Checks that a name starts here, with its quotation mark.
    #[inline]
    pub(super) fn name(&mut self) -> Result<(), Mismatch> {
        if self.byte() == Some(b'"') {
            return Ok(());
        }
        Err(self.fault("name is not in quotation marks"))
    }

    /// Returns the error of a value that has another type than the visitor wants.
    #[cold]
    pub(super) fn other<'v, V: Visitor<'v>>(&mut self, visitor: &V) -> Mismatch {
        let found = match self.next() {
            Some(b'"') => "text",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(b'n') => "null",
            Some(b't' | b'f') => "a boolean",
            Some(b'[') => "a list",
            Some(b'{') => "an object",
            _ => return self.fault("missing or invalid value"),
        };
        de::Error::invalid_type(Unexpected::Other(found), visitor)
    }

    /// Returns the error of a text that is not JSON from this position on.
    #[cold]
    pub(super) fn fault(&mut self, what: &'static str) -> Mismatch {
        let is_cut = self.at >= self.text.len();
        self.broken.get_or_insert(if is_cut { Broken::Cut } else { Broken::Syntax });
        Mismatch::new(what)
    }
}

// Only a type that contains nothing but itself has more in a row.
const WRAPPERS: usize = 64;
