#![no_main]
use datagrammar_protocols::Zstd;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Zstd::up_to(65_536), input));
