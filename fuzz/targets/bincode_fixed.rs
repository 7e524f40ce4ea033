#![no_main]
use datagrammar_protocols::Bincode;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::protocol(
    Bincode::<datagrammar_fuzz::Packet>::new().fixed(),
    input
));
