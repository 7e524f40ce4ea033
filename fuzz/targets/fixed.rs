#![no_main]
use datagrammar_protocols::Fixed;
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    datagrammar_fuzz::protocol(Fixed::<([u8; 2], i32, (u64, bool), f64)>::new(), input);
});
