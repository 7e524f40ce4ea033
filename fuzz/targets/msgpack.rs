#![no_main]
use datagrammar_fuzz::Packet;
use datagrammar_protocols::Msgpack;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::protocol(
    Msgpack::<Packet>::new(),
    input
));
