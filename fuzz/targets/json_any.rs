#![no_main]
use datagrammar_protocols::Json;
use serde_json::{Value, json};
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let packets =
        [json!({"a": [1, -2.5, 1e300, null], "é": true}), json!("\u{1f600}\n"), json!([])];
    datagrammar_fuzz::datagrams(Json::<Value>::new(), packets, input);
});
