#![no_main]
use datagrammar_protocols::TextLine;
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    datagrammar_fuzz::datagrams(TextLine::new().utf8(), ["hello".to_owned()], input);
    datagrammar_fuzz::datagrams(TextLine::new().crlf(), ["QUIT".to_owned()], input);
});
