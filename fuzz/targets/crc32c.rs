#![no_main]
use datagrammar_protocols::Crc32c;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Crc32c, input));
