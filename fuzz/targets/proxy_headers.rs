#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::proxy_headers(input));
