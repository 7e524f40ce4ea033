#![no_main]
use datagrammar_protocols::Text;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::protocol(Text, input));
