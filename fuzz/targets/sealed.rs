#![no_main]
use datagrammar_fuzz::layer_applied_to_each;
use datagrammar_protocols::{Sealed, SealingKey};
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let key = SealingKey::from([7; 32]);
    layer_applied_to_each(7, Sealed::new(0, &key), input);
});
