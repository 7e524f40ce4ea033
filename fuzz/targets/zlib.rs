#![no_main]
use datagrammar_protocols::Zlib;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Zlib::up_to(65_536), input));
