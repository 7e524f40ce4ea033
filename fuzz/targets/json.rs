#![no_main]
use datagrammar_protocols::Json;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::protocol(
    Json::<datagrammar_fuzz::Packet>::new(),
    input
));
