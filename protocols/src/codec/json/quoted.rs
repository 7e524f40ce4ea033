//! Text in quotation marks.

use super::reader::Reader;
use crate::serde_format::mismatch::Mismatch;

/// Text: borrowed from the datagram if it has no escapes.
pub(super) enum Quoted<'de, 'r> {
    AsItIs(&'de str),
    Unescaped(&'r str),
}

impl<'de> Reader<'de> {
    /// Takes text, from its quotation mark on.
    #[inline]
    pub(super) fn quoted(&mut self) -> Result<Quoted<'de, '_>, Mismatch> {
        self.at += 1;
        let start = self.at;
        if self.plain()? == b'"' {
            self.at += 1;
            return Ok(Quoted::AsItIs(&self.text[start..self.at - 1]));
        }
        self.unescape(start)?;
        Ok(Quoted::Unescaped(&self.unescaped))
    }

    /// Skips text, which must be well-formed nevertheless.
    pub(super) fn skip_quoted(&mut self) -> Result<(), Mismatch> {
        self.at += 1;
        while self.plain()? == b'\\' {
            self.escape()?;
        }
        self.at += 1;
        Ok(())
    }

    /// Skips characters without a special meaning, and returns the quotation mark or backslash
    /// after them.
    #[inline]
    fn plain(&mut self) -> Result<u8, Mismatch> {
        let bytes = &self.text.as_bytes()[self.at..];
        let (eights, rest) = bytes.as_chunks();
        for eight in eights {
            let found = special(u64::from_le_bytes(*eight));
            if found != 0 {
                self.at += found.trailing_zeros() as usize / 8;
                return self.not_plain();
            }
            self.at += 8;
        }
        let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        self.at += found.unwrap_or(rest.len());
        self.not_plain()
    }

    #[inline]
    fn not_plain(&mut self) -> Result<u8, Mismatch> {
        match self.byte() {
            Some(byte @ (b'"' | b'\\')) => Ok(byte),
            Some(_) => Err(self.fault("control character in text")),
            None => Err(self.fault("unterminated text")),
        }
    }

    fn unescape(&mut self, mut start: usize) -> Result<(), Mismatch> {
        self.unescaped.clear();
        loop {
            self.unescaped.push_str(&self.text[start..self.at]);
            if self.byte() == Some(b'"') {
                self.at += 1;
                return Ok(());
            }
            let character = self.escape()?;
            self.unescaped.push(character);
            start = self.at;
            self.plain()?;
        }
    }

    /// Takes one character, from its backslash on.
    fn escape(&mut self) -> Result<char, Mismatch> {
        self.at += 1;
        let character = match self.byte() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unit_or_pair(),
            _ => return Err(self.fault("unknown escape")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unit_or_pair(&mut self) -> Result<char, Mismatch> {
        let unit = self.unit()?;
        let mut units = [unit, 0];
        let mut pair = &units[..1];
        if matches!(unit, 0xd800..0xdc00) {
            if self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                self.at += 1;
                units[1] = self.unit()?;
            }
            pair = &units;
        }
        match char::decode_utf16(pair.iter().copied()).next() {
            Some(Ok(character)) => Ok(character),
            _ => Err(self.fault("lone surrogate")),
        }
    }

    /// Takes the `u` and the four digits of a code unit.
    fn unit(&mut self) -> Result<u16, Mismatch> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.fault("escape without four hexadecimal digits"));
            };
            unit = unit << 4 | digit as u16;
        }
        self.at += 1;
        Ok(unit)
    }
}

/// Returns a number in which the highest bit of a byte is set if that byte of `bytes` is a quotation
/// mark, a backslash or a control character.
///
/// The first set bit is correct. Later ones may be wrong, since the subtractions borrow from there.
const fn special(bytes: u64) -> u64 {
    let each = u64::MAX / 0xff;
    let quote = bytes ^ (each * b'"' as u64);
    let backslash = bytes ^ (each * b'\\' as u64);
    let control = bytes.wrapping_sub(each * 0x20) & !bytes;
    let quote = quote.wrapping_sub(each) & !quote;
    let backslash = backslash.wrapping_sub(each) & !backslash;
    (control | quote | backslash) & (each << 7)
}
