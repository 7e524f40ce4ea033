#![no_main]
use datagrammar_protocols::Base64;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Base64::new(), input));
