#![no_main]
use datagrammar_protocols::Lz4;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Lz4::with_limit(65_536), input));
