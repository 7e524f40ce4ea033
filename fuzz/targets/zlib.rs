#![no_main]
use datagrammar_fuzz::layer_applied_to_each;
use datagrammar_protocols::Zlib;
libfuzzer_sys::fuzz_target!(|input: &[u8]| layer_applied_to_each(
    13,
    Zlib::with_limit(65_536),
    input
));
