#![no_main]
use datagrammar_fuzz::layer_applied_to_each;
use datagrammar_protocols::Bzip2;
libfuzzer_sys::fuzz_target!(|input: &[u8]| layer_applied_to_each(
    61,
    Bzip2::with_limit(4_096),
    input
));
