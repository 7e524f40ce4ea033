#![no_main]
use datagrammar_protocols::Prefix;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Prefix::new(*b"QZ\x02"), input));
