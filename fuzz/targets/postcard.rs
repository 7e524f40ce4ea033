#![no_main]
use datagrammar_fuzz::Packet;
use datagrammar_protocols::Postcard;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::protocol(
    Postcard::<Packet>::new(),
    input
));
