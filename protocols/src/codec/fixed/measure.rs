//! Finds out how many bytes a type takes in a fixed layout.

use serde::de::DeserializeOwned;

use crate::serde_format::packed::{self, form::Form};

/// Returns how many bytes all packets of this type take. Returns `None` if it cannot find out.
///
/// serde does not say which fields a type has. It can only be decoded, and it may refuse values, as an
/// enum made of a number does. So this decodes zeros. If a value is refused, it tries all values of the
/// byte that was read last, and goes on with one with which the type reads further.
pub(super) fn measure<F: Form, T: DeserializeOwned>(levels: usize) -> Option<usize> {
    let read = |bytes: &[u8]| packed::try_read::<F, T>(bytes, levels);
    let mut bytes = vec![0; LONGEST];
    let len = loop {
        match read(&bytes) {
            (true, len) => break len,
            (false, 0 | LONGEST) => return None,
            (false, at) => {
                let further = (1..=u8::MAX).find(|value| {
                    bytes[at - 1] = *value;
                    let (is_whole, reached) = read(&bytes);
                    is_whole || reached > at
                });
                further?;
            }
        }
    };
    // If it depends on the values, this is no fixed layout.
    for value in 0..=u8::MAX {
        if let (true, other) = read(&[value; LONGEST])
            && other != len
        {
            return None;
        }
    }
    // The bytes behind a packet do not matter.
    bytes.truncate(len);
    (read(&bytes) == (true, len)).then_some(len)
}

/// The longest payload of a UDP datagram, and one byte more.
const LONGEST: usize = 65_536;
