#![no_main]
use std::sync::LazyLock;

use datagrammar_protocols::Zstd;

static KNOWN: LazyLock<Zstd> = LazyLock::new(|| {
    Zstd::with_limit(65_536).dictionary(b"{\"sensor\":\"kitchen\",\"celsius\":21.5}")
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    datagrammar_fuzz::layer_applied_to_each(3, Zstd::with_limit(65_536), input);
    datagrammar_fuzz::layer_applied_to_each(3, KNOWN.clone(), input);
});
