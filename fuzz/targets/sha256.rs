#![no_main]
use datagrammar_protocols::Sha256Digest;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::layer(Sha256Digest, input));
