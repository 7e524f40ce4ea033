#![no_main]
use datagrammar_protocols::Bzip2;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Bzip2::up_to(65_536), input));
