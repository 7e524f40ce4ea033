#![no_main]
use datagrammar_protocols::BincodeDerive;
libfuzzer_sys::fuzz_target!(|input: &[u8]| datagrammar_fuzz::protocol(
    BincodeDerive::<datagrammar_fuzz::Packet>::new(),
    input
));
