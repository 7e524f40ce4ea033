#![no_main]
use datagrammar_protocols::{Sealed, SealingKey};
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let key = SealingKey::from([7; 32]);
    datagrammar_fuzz::layer(Sealed::new(0, &key), input);
});
