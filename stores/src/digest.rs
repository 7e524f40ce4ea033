//! Digests as keys of entries.

use std::fmt::Write;

/// Returns a key that every engine accepts: the prefix, and the digest in hexadecimal digits.
pub(crate) fn hex_key(prefix: &str, digest: [u8; 32]) -> String {
    let mut key = String::with_capacity(prefix.len() + 64);
    key.push_str(prefix);
    for byte in digest {
        // A string takes everything.
        let _ = write!(key, "{byte:02x}");
    }
    key
}
