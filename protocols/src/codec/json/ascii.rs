//! JSON in which all text is ASCII.

use std::io;

use serde_json::ser::Formatter;

/// Compact JSON in which all text is ASCII.
pub(super) struct AsciiFormatter;

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_ascii(writer, fragment)
    }

    // JSON that a packet already contains, such as `serde_json`'s `RawValue`.
    fn write_raw_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_ascii(writer, fragment)
    }
}

fn write_ascii<W: io::Write + ?Sized>(writer: &mut W, mut text: &str) -> io::Result<()> {
    while let Some((at, character)) = text.char_indices().find(|&(_, c)| c > '\u{7e}') {
        writer.write_all(&text.as_bytes()[..at])?;
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        text = &text[at + character.len_utf8()..];
    }
    writer.write_all(text.as_bytes())
}
