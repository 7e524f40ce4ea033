#![no_main]
use datagrammar_protocols::{Signed, SigningKey};
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let key = SigningKey::from([7; 32]);
    datagrammar_fuzz::layer(Signed::new(&key), input);
});
