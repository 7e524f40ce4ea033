#![no_main]
use datagrammar_fuzz::{Packet, datagrams, protocol};
use datagrammar_protocols::Json;

/// `Json` writes names that begin so, and refuses to read them (its page says why).
const PRIVATE: &[u8] = b"$serde_json::private::";

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let json = Json::<Packet>::new();
    if input.windows(PRIVATE.len()).any(|bytes| bytes == PRIVATE) {
        datagrams(json, [], input);
    } else {
        protocol(json, input);
    }
});
