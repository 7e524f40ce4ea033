#![no_main]
use datagrammar_fuzz::Packet;
use datagrammar_protocols::Cbor;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::protocol(
    Cbor::<Packet>::new(),
    input
));
